"""A trained model on data of one's own: xarray's days or a table of stations in, an xarray Dataset out.

What is not observed is NaN: stations, swaths, or a variable that is missing as a whole.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data import grid, times
from sparta_core.data.audit import beyond
from sparta_core.data.days import BLOCK, loaded, opened
from sparta_core.data.fields import Fields
from sparta_core.data.moments import Moments
from sparta_core.data.plausible import Known
from sparta_core.data.stations import Table
from sparta_core.data.unused import check_unused, unused_variables
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.reports import gridded_reports
from sparta_core.tasks.embeddings import CHUNK, decode
from sparta_core.training.device import prepare_process
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench

GRID_TOLERANCE = 1e-3  # degrees
WHERE = "the dataset"  # what errors call it
Given = xr.Dataset | xr.DataArray | str | os.PathLike[str]


@dataclass(frozen=True)
class TrainedModel:
    """An encoder and decoder, and the days' units, grid and statistics that they were trained with."""

    sparta: Sparta
    bench: Workbench

    @cached_property
    def known(self) -> Known:
        """What a user's values are held against; read off the training days once."""
        return _known(self.bench.fields)


class Standardised(NamedTuple):
    """Days (T, C, H, W), NaN where nothing was observed, their coordinate time, and whether it was a dimension."""

    values: Tensor
    coords: dict[str, xr.DataArray]
    several: bool


def trained(experiment: Experiment) -> TrainedModel:
    """The model of `experiment`, loaded; what is not trained yet is trained first. Prepares the process for it."""
    prepare_process()
    return TrainedModel(representation(experiment), Workbench.of(experiment))


def observations(model: TrainedModel, source: Table) -> xr.Dataset:
    """What the stations in a CSV or DataFrame measured, on the model's grid, for `embed` (`gridded_reports`)."""
    if not isinstance(source, str | os.PathLike | pd.DataFrame):
        raise DataError(f"observations takes a pandas DataFrame or the path of a CSV, no {type(source).__name__}; its "
                        "columns are lat, lon, time, and what was measured")
    return gridded_reports(source, model.known)


def embed(model: TrainedModel, days: Given) -> xr.Dataset:
    """The variable "embedding" (time, feature) of days in physical units on the model's grid, dimensions in any order.

    `days` are an xarray Dataset, one variable as a DataArray, or the path of a NetCDF file or Zarr store. Times are
    UTC; several moments of one date are averaged, and said. NaN was not observed, nor was a variable that is not there.
    DataError for another grid, level or unit, for values that no training day comes near, and where there is nothing
    to embed.
    """
    with _dataset(days) as dataset:
        given = _standardised(model, dataset)
    with torch.no_grad():
        z = torch.cat([model.sparta.encoder(model.bench.views.full(chunk)) for chunk in given.values.split(CHUNK)])
    attrs = {"units": "1", "long_name": f"embedding by {_model_name(model)}"}
    made = xr.Dataset({"embedding": (("time", "feature"), z.cpu().numpy(), attrs)}, given.coords)
    return made if given.several else made.isel(time=0)


def reconstruct(model: TrainedModel, days: Given) -> xr.Dataset:
    """The whole fields (time, latitude, longitude), in physical units, that the model makes of such days."""
    fields = model.bench.fields
    z = embed(model, days)["embedding"]
    departures = decode(model.sparta, torch.from_numpy(z.values).to(model.bench.device))
    made = fields.physical(departures, _dates(model, z)).cpu().numpy()
    dims = (*z.dims[:-1], "latitude", "longitude")
    coords = {**{name: z[name] for name in z.coords if name == "time"},
              "latitude": ("latitude", fields.latitude, {"units": "degrees_north"}),
              "longitude": ("longitude", fields.longitude, {"units": "degrees_east"})}  # fmt: skip
    return xr.Dataset({name: (dims, made[..., channel, :, :], {"units": units}) for channel, (name, units)
                       in enumerate(zip(fields.variables, fields.units, strict=True))}, coords)  # fmt: skip


def _dates(model: TrainedModel, days: xr.Dataset | xr.DataArray) -> np.ndarray | None:
    """The dates of days; DataError where a model of departures from the climatology cannot know what is usual."""
    if model.bench.fields.climatology is None:
        return None
    dates: np.ndarray = days["time"].values if "time" in days.coords else np.empty(0)
    if not np.issubdtype(dates.dtype, np.datetime64) or np.isnat(dates).any():
        raise DataError("the dataset has no coordinate time of dates, and the model knows days as departures from what "
                        "is usual on their date; add it")
    return dates


@contextmanager
def _dataset(given: Given) -> Iterator[xr.Dataset]:
    """What a user gives as a Dataset; what is opened here is closed again. DataError for anything else."""
    if isinstance(given, xr.Dataset):
        yield given
    elif isinstance(given, xr.DataArray):
        if given.name is None:
            raise DataError("the DataArray has no name, which says what it is; give array.rename('geopotential')")
        yield given.to_dataset()
    elif isinstance(given, str | os.PathLike):
        if os.fspath(given).lower().endswith((".csv", ".txt")):
            raise DataError(f"{os.fspath(given)} is a table; read it with observations(model, path), and give that")
        with opened(os.fspath(given)) as dataset:
            yield dataset
    elif isinstance(given, pd.DataFrame):
        raise DataError("a DataFrame of stations is no days; give observations(model, table)")
    else:
        raise DataError(f"give an xarray Dataset with its coordinates, no {type(given).__name__}: xarray.Dataset("
                        "{'geopotential': (('time', 'latitude', 'longitude'), values, {'units': 'm2 s-2'})}, coords)")


def _known(fields: Fields) -> Known:
    """The range of the training days, in one pass."""
    train, shape = fields.splits["train"], (len(fields.variables), *fields.grid)
    low, high = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for start in range(train.start, train.stop, BLOCK):
        days = slice(start, min(start + BLOCK, train.stop))
        block = fields.physical(fields.take(days), fields.dates(days)).cpu().numpy()
        low, high = np.fmin(low, np.fmin.reduce(block)), np.fmax(high, np.fmax.reduce(block))
    std = fields.std.cpu().numpy()
    return Known(fields.latitude, fields.longitude, fields.variables, fields.units, low, high, std)


def _check_values(model: TrainedModel, name: str, values: np.ndarray, dates: np.ndarray | None) -> None:
    """DataError for fields (T, H, W) with values that no atmosphere has, or that no training day comes near."""
    known, level = model.known, model.bench.experiment.level
    if np.isinf(values).any():
        raise DataError(f"{name} of {WHERE} has infinite values; set what was not observed to NaN")

    def place(index: int) -> str:
        moment, row, column = np.unravel_index(index, values.shape)
        date = "" if dates is None else f"on {dates[moment]} "
        return f"{date}at {known.latitude[row]:g} north, {known.longitude[column]:g} east"

    known.check(name, values.reshape(len(values), -1), WHERE, place)
    moments = Moments.of(values)
    bad, text = beyond(name, moments.minimum, moments.maximum, level)
    if bad.size:
        raise DataError(f"{name} of {WHERE} {text}")


def _model_name(model: TrainedModel) -> str:
    experiment = model.bench.experiment
    return f"{experiment.name(experiment.representation)}, {experiment.representation}"


def _selected(model: TrainedModel, dataset: xr.Dataset) -> xr.Dataset:
    """The model's variables of a dataset (time, latitude, longitude), on its grid and in its units."""
    fields, experiment = model.bench.fields, model.bench.experiment
    there = [name for name in fields.variables if name in dataset.data_vars]
    if not there or not dataset.sizes.get("time", 1):
        raise DataError(f"{WHERE} has no days of any of {', '.join(fields.variables)}; rename its variables to these")
    check_unused("variables", unused_variables(dataset, fields.variables), there, fields.variables, WHERE)
    days = dataset[there].assign_attrs(dataset.attrs)
    days = days if "time" in days.dims else days.expand_dims("time")
    units = dict(zip(fields.variables, fields.units, strict=True))
    days = grid.ordered(grid.select(days, there, experiment.level, WHERE, units), WHERE)
    for name, own in (("latitude", fields.latitude), ("longitude", fields.longitude)):
        given = days[name].values
        if given.shape != own.shape or not np.allclose(given, own, atol=GRID_TOLERANCE):
            raise DataError(f"{name} of {WHERE} is {given.size} from {given[0]:g} to {given[-1]:g}, the model's "
                            f"{own.size} from {own[0]:g} to {own[-1]:g}; regrid it with sparta_core.data.regrid")
    return days


def _standardised(model: TrainedModel, dataset: xr.Dataset) -> Standardised:
    """Days of a dataset, each the mean of its moments; DataError where one has nothing but NaN."""
    fields, dataset = model.bench.fields, grid.named(dataset)
    days, when = _selected(model, dataset), times.of_fields(dataset, WHERE)
    groups = times.grouped(when, days.sizes["time"], WHERE)
    values = np.full((groups.dates.size, len(fields.variables), *fields.grid), np.nan, np.float32)
    for name in map(str, days.data_vars):
        if days[name].dtype.kind not in "fiu":
            raise DataError(f"{name} of {WHERE} is of the type {days[name].dtype}; give numbers")
        exact = loaded(days[name], WHERE).astype(np.float64)
        _check_values(model, name, exact, when and when.moments.astype("datetime64[D]"))
        values[:, fields.variables.index(name)] = times.daily_mean(exact, groups)
    empty = np.isnan(values).all((1, 2, 3))
    if empty.any():
        first = "" if when is None else f" on {groups.dates[empty.argmax()]}"
        more = f" and {empty.sum() - 1} more days" if empty.sum() > 1 else ""
        raise DataError(f"{WHERE} has nothing but NaN{first}{more}; leave such days out")
    time = times.labels(days, when, groups)
    dates = _dates(model, xr.Dataset(coords=time))
    standardised = fields.standardise(torch.from_numpy(values).to(model.bench.device), dates)
    return Standardised(standardised, time, "time" in dataset.dims)
