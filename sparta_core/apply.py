"""A trained model on data of one's own: an xarray Dataset in, one out.

What is not observed is NaN: stations, swaths, a variable that is missing as a whole, or nothing at all.
"""

from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data import grid
from sparta_core.data.audit import beyond
from sparta_core.data.moments import Moments
from sparta_core.downstream.embeddings import CHUNK, decode
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.views.stations import gridded_stations

GRID_TOLERANCE = 1e-3  # degrees


@dataclass(frozen=True)
class TrainedModel:
    """An encoder and decoder, and the days' units, grid and statistics that they were trained with."""

    sparta: Sparta
    bench: Workbench


def trained(experiment: Experiment) -> TrainedModel:
    """The model of `experiment`, loaded; what is not trained yet is trained first."""
    return TrainedModel(representation(experiment), Workbench.of(experiment))


def observations(model: TrainedModel, path: str) -> xr.Dataset:
    """What the stations in a CSV measured, on the model's grid, for `embed` and `reconstruct` (`gridded_stations`)."""
    fields = model.bench.fields
    return gridded_stations(path, fields.latitude, fields.longitude, fields.variables, fields.units)


def embed(model: TrainedModel, dataset: xr.Dataset) -> xr.Dataset:
    """The variable "embedding" (time, feature) of days in physical units on the model's grid, dimensions in any order.

    NaN was not observed, nor was a variable that is not there. DataError for another grid, level or unit, and where
    there is nothing to embed.
    """
    days, time = _standardised(model, dataset)
    with torch.no_grad():
        z = torch.cat([model.sparta.encoder(model.bench.views.full(chunk)) for chunk in days.split(CHUNK)])
    attrs = {"units": "1", "long_name": f"embedding by {_model_name(model)}"}
    made = xr.Dataset({"embedding": (("time", "feature"), z.cpu().numpy(), attrs)}, time)
    return made if "time" in grid.named(dataset).dims else made.isel(time=0)


def reconstruct(model: TrainedModel, dataset: xr.Dataset) -> xr.Dataset:
    """The whole fields (time, latitude, longitude), in physical units, that the model makes of such days."""
    fields = model.bench.fields
    z = embed(model, dataset)["embedding"]
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


def _check_values(name: str, days: np.ndarray) -> None:
    """DataError for days (T, H, W) with values that no atmosphere has."""
    if np.isinf(days).any():
        raise DataError(f"{name} of the dataset has infinite values; set what was not observed to NaN")
    moments = Moments.of(days)
    bad, text = beyond(name, moments.minimum, moments.maximum)
    if bad.size:
        raise DataError(f"{name} of the dataset {text}")


def _model_name(model: TrainedModel) -> str:
    experiment = model.bench.experiment
    return f"{experiment.name(experiment.representation)}, {experiment.representation}"


def _standardised(model: TrainedModel, dataset: xr.Dataset) -> tuple[Tensor, dict[str, xr.DataArray]]:
    """Days (T, C, H, W), NaN where nothing was observed, and their time coordinate if they have one."""
    fields, experiment, where = model.bench.fields, model.bench.experiment, "the dataset"
    dataset = grid.named(dataset)
    there = [name for name in fields.variables if name in dataset.data_vars]
    if not there or not dataset.sizes.get("time", 1):
        raise DataError(f"the dataset has no days of any of {', '.join(fields.variables)}; "
                        "rename its variables to these")
    days = dataset[there].assign_attrs(dataset.attrs)
    days = days if "time" in days.dims else days.expand_dims("time")
    days = grid.ordered(grid.select(days, there, experiment.level, where), where)
    for name, own in (("latitude", fields.latitude), ("longitude", fields.longitude)):
        given = days[name].values
        if given.shape != own.shape or not np.allclose(given, own, atol=GRID_TOLERANCE):
            raise DataError(f"{name} of the dataset is {given.size} from {given[0]:g} to {given[-1]:g}, the model's "
                            f"{own.size} from {own[0]:g} to {own[-1]:g}; regrid it with sparta_core.data.regrid")
    values = np.full((days.sizes["time"], len(fields.variables), *fields.grid), np.nan, np.float32)
    for name in there:
        values[:, fields.variables.index(name)] = days[name].values
        _check_values(name, values[:, fields.variables.index(name)])
    dates = _dates(model, days)
    standardised = fields.standardise(torch.from_numpy(values).to(model.bench.device), dates)
    return standardised, {"time": days["time"]} if "time" in days.coords else {}
