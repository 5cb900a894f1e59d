"""What users give, xarray's days or a table of stations, as days on a model's grid and in its units.

What is not observed is NaN: stations, swaths, or a variable that is missing as a whole.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.data import grid, times
from sparta_core.data.audit import beyond
from sparta_core.data.days import loaded
from sparta_core.data.moments import Moments
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.plausible import Known
from sparta_core.data.regrid import onto
from sparta_core.data.selection import source_of
from sparta_core.data.sources import opened
from sparta_core.data.tables import TABLES
from sparta_core.data.units import way_of
from sparta_core.data.unused import check_unused, unused_variables
from sparta_core.data.variables import variable
from sparta_core.errors import DataError

GRID_TOLERANCE = 1e-3  # degrees
Given = xr.Dataset | xr.DataArray | str | os.PathLike[str]


class GivenDays(NamedTuple):
    """Days in physical units, NaN where nothing was observed."""

    values: np.ndarray  # (T, C, H, W) float32, of an ensemble (N, T, C, H, W)
    dates: np.ndarray | None  # (T,) datetime64[D]; None: not known
    coords: dict[str, xr.DataArray]  # their coordinate time
    several: bool  # whether it was a dimension
    follows: np.ndarray | None = None  # (T,) bool, which come next after the one before on their own calendar
    number: xr.DataArray | None = None  # (N,) the members of an ensemble; None: there is none

    @property
    def members(self) -> "list[GivenDays]":
        """The days of each member of an ensemble; without one, these."""
        if self.number is None:
            return [self]
        return [self._replace(values=values, number=None) for values in self.values]


def known(normaliser: Normaliser) -> Known:
    """What a user's values are held against: the training days' grid, units and range."""
    mean, std = (x.view(-1, 1, 1) for x in (normaliser.mean, normaliser.std))
    assert normaliser.low is not None and normaliser.high is not None
    low, high = ((edge * std + mean).cpu().numpy() for edge in (normaliser.low, normaliser.high))
    return Known(normaliser.domain, normaliser.variables, normaliser.units, low, high, normaliser.std.cpu().numpy())


def given_days(given: Given, normaliser: Normaliser, training: Known, regrid: bool = False,
               empty: bool = False) -> GivenDays:  # fmt: skip
    """Read days as `normaliser` knows fields: its variables, grid and units, each date the mean of its moments.

    Values are held against those of the `training` days. With `regrid`, those of another grid are moved to the model's.
    With `empty`, there may be dates of which nothing was observed.

    Raises:
        DataError: For another grid, level or unit, for values that no training day comes near, and for a date with
            nothing but NaN.
    """
    where = os.fspath(given) if isinstance(given, str | os.PathLike) else "the dataset"
    with _dataset(given) as opened_dataset:
        dataset = grid.named(opened_dataset)
        days, when = _selected(dataset, where, normaliser, regrid), times.of_fields(dataset, where, normaliser.clock)
        groups = times.grouped(when, days.sizes["time"], where, normaliser.clock)
        count = days.sizes.get("number", 1)
        shape = (count, groups.dates.size, len(normaliser.variables), *normaliser.grid)
        values = np.full(shape, np.nan, np.float32)
        moments = when and when.moments.astype("datetime64[D]")
        for name in map(str, days.data_vars):
            if days[name].dtype.kind not in "fiu":
                raise DataError(f"{name} of {where} is of the type {days[name].dtype}; give numbers")
            exact = loaded(days[name], where).astype(np.float64)
            # A field without members is every member's.
            for member, fields in enumerate(np.broadcast_to(exact, (count, *exact.shape[-3:]))):
                _check_values(training, normaliser.level, name, where, fields, moments)
                values[member, :, normaliser.variables.index(name)] = times.step_mean(fields, groups)
        dates = None if when is None else groups.dates
        nothing = np.isnan(values).all((2, 3, 4))
        if nothing.any() and not empty:
            first = "" if dates is None else f" on {dates[np.argwhere(nothing)[0][1]]}"
            more = f" and {nothing.sum() - 1} more days" if nothing.sum() > 1 else ""
            raise DataError(f"{where} has nothing but NaN{first}{more}; leave such days out")
        coords, several = times.labels(days, when, groups), "time" in dataset.dims
        follows = when and times.following(when, groups, normaliser.clock)
        if "number" not in days.dims:
            return GivenDays(values[0], dates, coords, several, follows)
        number = dataset.get("number", xr.DataArray(np.arange(count), dims="number")).reset_coords(drop=True)
        return GivenDays(values, dates, coords, several, follows, number)


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
        if os.fspath(given).lower().endswith(TABLES):
            raise DataError(f"{os.fspath(given)} is a table; read it with model.observations(path), and give that")
        with opened(os.fspath(given)) as dataset:
            yield dataset
    elif isinstance(given, pd.DataFrame):
        raise DataError("a DataFrame of stations is no days; give model.observations(table)")
    else:
        raise DataError(f"give an xarray Dataset with its coordinates, no {type(given).__name__}: xarray.Dataset("
                        "{'geopotential': (('time', 'latitude', 'longitude'), values, {'units': 'm2 s-2'})}, coords)")


def _selected(dataset: xr.Dataset, where: str, normaliser: Normaliser, regrid: bool) -> xr.Dataset:
    """The model's variables of a dataset (time, latitude, longitude), on its grid and in its units."""
    variables = normaliser.variables
    present = [str(name) for name in dataset.data_vars]
    sources = {name: source for name in variables if (source := source_of(name, present, normaliser.level))}
    there = [*sources]
    if not there or not dataset.sizes.get("time", 1):
        raise DataError(f"{where} has no days of any of {', '.join(variables)}; rename its variables to these")
    unused = unused_variables(dataset, (*variables, *sources.values()))
    check_unused("variables", unused, there, variables, where)
    days = dataset if "time" in dataset[[*sources.values()]].dims else dataset.expand_dims("time")
    units = dict(zip(variables, normaliser.units, strict=True))
    days = grid.ordered(grid.select(days, there, normaliser.level, where, units, members=True), where)
    theirs, ours = grid.domain_of(days, normaliser.clock), normaliser.domain
    if not theirs.alike(ours, GRID_TOLERANCE):
        if not regrid:
            raise DataError(f"the grid of {where} has {theirs.text()}, the model's {ours.text()}; give regrid=True to "
                            "have it moved, or regrid it before")
        days = onto(days, theirs, ours, where)
    return days


def _check_values(training: Known, level: int, name: str, where: str, values: np.ndarray, dates: np.ndarray | None
                  ) -> None:  # fmt: skip
    """DataError for fields (T, H, W) with values that no atmosphere has, or that no training day comes near."""
    if np.isinf(values).any():
        raise DataError(f"{name} of {where} has infinite values; set what was not observed to NaN")

    north, east = training.domain.places()

    def place(index: int) -> str:
        moment, row, column = np.unravel_index(index, values.shape)
        date = "" if dates is None else f"on {dates[moment]} "
        return f"{date}at {north[row, column]:g} north, {east[row, column]:g} east"

    training.check(name, values.reshape(len(values), -1), where, place)
    moments = Moments.of(values)
    own = variable(name).units  # that bounds are in
    scale, offset = (way_of(name, training.units[training.variables.index(name)], own) if own else None) or (1, 0)
    bad, text = beyond(name, moments.minimum * scale + offset, moments.maximum * scale + offset, level)
    if bad.size:
        raise DataError(f"{name} of {where} {text}")
