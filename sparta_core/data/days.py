"""Days: what the source that an experiment names holds, in physical units, and how it is split.

A day is whatever the source has a field of: its clock may go in minutes or months.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Annotated, Literal

import numpy as np
import xarray as xr
from pydantic import Field

from sparta_core.data import bundled, grid, times
from sparta_core.data.clock import Clock
from sparta_core.data.domain import Domain
from sparta_core.data.sources import opened
from sparta_core.data.storage import allocate, place
from sparta_core.data.variables import WEATHERBENCH2_VARIABLES
from sparta_core.durations import Duration, Length
from sparta_core.errors import DataError, ExperimentError, one_line
from sparta_core.experiment import Experiment, check_path
from sparta_core.settings import Section, Share, setting

# Days that are read and worked on at a time: bounds the float64 copies, by number and on large grids by bytes.
BLOCK, BLOCK_BYTES = 365, 2**28


class DataSettings(Section):
    """Which days there are, and how they are split."""

    data: str = setting(bundled.NAME, "'bundled', or the path of a Zarr store or NetCDF file")
    variables: Annotated[tuple[str, ...], Field(min_length=1)] = setting(WEATHERBENCH2_VARIABLES, "names of variables")
    level: int = setting(850, "pressure of the variables on levels", "hPa")
    days: Length | None = setting(None, "the first so many; null: all", "days")
    split: tuple[Share, Share] = setting((0.6, 0.2), "shares of training and validation; the rest is downstream")
    gaps: bool = setting(False, "NaN in the data is meant: not observed")

    def check(self, experiment: Experiment) -> None:
        check_path("data", self.data, "'bundled', or the path of a store or file")
        check_split("split", self.split)
        if len(set(self.variables)) != len(self.variables):
            raise ExperimentError(f"variables are {self.variables}; each may be named once")


class DownstreamSplit(Section):
    """How the last days are split again, for the tasks."""

    downstream_split: tuple[Share, Share] = setting(
        (0.6, 0.2), "shares of the downstream days that tasks train and validate on; the rest is tested")

    def check(self, experiment: Experiment) -> None:
        check_split("downstream_split", self.downstream_split)


class Storage(Section):
    storage: Literal["auto", "device", "memory", "disk"] = setting(
        "auto", "where the days lie; auto: the first with room", trains=False)


def check_split(name: str, shares: tuple[float, float]) -> None:
    """ExperimentError unless the `shares` leave something for every part."""
    first, second = shares
    if not (first > 0 and second > 0 and first + second < 1):
        raise ExperimentError(f"{name} is {shares}; it must be two positive fractions with a sum below 1")


@dataclass(frozen=True, eq=False)
class Days:
    """Days (T, C, H, W), float32, in physical units; `absent` ones are not in the source, and NaN.

    The times are consecutive on the domain's clock. `kept` says where the values lie (`storage.place`).
    """

    values: np.ndarray
    time: np.ndarray  # (T,) datetime64
    absent: np.ndarray  # of them
    domain: Domain
    variables: tuple[str, ...]
    units: tuple[str, ...]
    splits: dict[str, range]
    land_sea_mask: np.ndarray | None  # (H, W), 1 on land
    source: str  # one line for titles and logs
    license: str
    where: str  # for errors
    kept: str
    level: int  # hPa


def read_days(experiment: Experiment, device: str = "cpu") -> Days:
    """The days that `experiment` names: "bundled", a store of `era5.prepare` or `simulate`, or a NetCDF file.

    DataError for a source that is not what the experiment says.
    """
    where = "the bundled climate" if experiment.data == bundled.NAME else experiment.data
    with opened(experiment.data) as dataset:
        named = grid.named(dataset)
        chosen = grid.select(named, experiment.variables, experiment.level, where)
        chosen = grid.ordered(chosen.assign(dict(grid.static_fields(named))), where)
        chosen, time, absent, clock = _dated(chosen, times.of_fields(named, where), experiment.days, where)
        splits = split_days(time.size, experiment.split, experiment.downstream_split, where)
        domain = grid.domain_of(chosen, clock)
        shape = (time.size, len(experiment.variables), *domain.shape)
        kept = place(experiment.storage, 4 * prod(shape), device)
        values = _read(chosen, experiment.variables, allocate(shape, kept), where)
        mask = loaded(chosen["land_sea_mask"], where).astype(np.float32) if "land_sea_mask" in chosen else None
        return Days(
            values, time, absent, domain, experiment.variables,
            tuple(chosen[name].attrs["units"] for name in experiment.variables), splits, mask,
            str(dataset.attrs.get("source", where)), str(dataset.attrs.get("license", "")), where, kept,
            experiment.level)


def split_days(
    count: int, split: tuple[float, float], downstream_split: tuple[float, float], where: str = "the data"
) -> dict[str, range]:
    """Day indices of each part of `count` days: floor, floor, the rest; the last is split again.

    DataError if a part would be empty.
    """
    names = ("train", "validation", "downstream")
    parts = dict(zip(names, _cut(range(count), split), strict=True))
    inner = _cut(parts["downstream"], downstream_split)
    parts |= dict(zip((f"downstream_{n}" for n in ("train", "validation", "test")), inner, strict=True))
    for name, days in parts.items():
        if not days:
            raise DataError(f"the {count} days of {where}, split {split} and {downstream_split}, leave none "
                            f"for {name}; use more days")
    return parts


def blocks(values: np.ndarray) -> Iterator[slice]:
    """Days (T, C, H, W) that are worked on at a time."""
    length = max(1, min(BLOCK, BLOCK_BYTES // values[0].nbytes))
    return (slice(start, min(start + length, len(values))) for start in range(0, len(values), length))


def _cut(days: range, split: tuple[float, float]) -> tuple[range, range, range]:
    # Exact fractions: in floating point 0.29 * 100 is 28.999..., and its floor a day short.
    first, second = (int(Fraction(str(part)) * len(days)) for part in split)
    return days[:first], days[first : first + second], days[first + second :]


def _dated(dataset: xr.Dataset, when: times.When | None, first: Duration | None,
           where: str) -> tuple[xr.Dataset, np.ndarray, np.ndarray, Clock]:  # fmt: skip
    """The `first` of them, or all, with those between that are absent; their times (T,), those absent, the clock.

    DataError for times that repeat or go back, or are in no equal steps.
    """
    if when is None or when.moments.size == 0:
        raise DataError(f"{where} has no coordinate time of dates; write it as 'days since ...'")
    steps = np.diff(when.moments).astype(np.int64)
    if (steps < 0).any():
        raise DataError(f"{where} goes back in time after {_moment(when.moments[:-1][steps < 0][0])}; sort its days")
    if (steps == 0).any():
        raise DataError(f"{where} has {_moment(when.moments[:-1][steps == 0][0])} more than once; keep one field "
                        "of each time")
    clock = Clock.of(when.moments, when.calendar, where)
    count = None if first is None else clock.steps("days", first)
    if count is not None and count > when.moments.size:
        size = when.moments.size
        held = f"{size} days" if clock.daily else f"{size} {clock.fields}, {clock.duration(size)} together"
        raise DataError(f"{where} has {held}, fewer than days={first}; set days to less, or to None for all")
    when = when.first(count)
    dataset, there = dataset.isel(time=slice(count)), clock.count(when.moments)
    if clock.daily:
        times.warn_of_moments(when, where)
    every = np.arange(there[0], there[-1] + 1)
    time, absent = clock.at(every), clock.at(np.setdiff1d(every, there))
    if absent.size > there.size:
        raise DataError(f"{where} lacks {absent.size} of the days from {time[0]} to {time[-1]}, more than it has; "
                        "use the part without such gaps")
    if absent.size:
        dataset = dataset.assign_coords(time=there).reindex(time=every)
    return dataset, time, absent, clock


def _moment(time: np.datetime64) -> str:
    """A time as a person says it, without midnight."""
    return str(time.astype("datetime64[m]")).removesuffix("T00:00")


def _read(dataset: xr.Dataset, variables: tuple[str, ...], values: np.ndarray, where: str) -> np.ndarray:
    """Days in physical units, into `values` (T, C, H, W)."""
    for channel, name in enumerate(variables):
        for days in blocks(values):
            values[days, channel] = loaded(dataset[name].isel(time=days), where)
    return values


def loaded(field: xr.DataArray, where: str) -> np.ndarray:
    """The values of a field; DataError where they cannot be read."""
    try:
        values: np.ndarray = field.values
    except Exception as error:  # a damaged chunk: each codec raises its own
        raise DataError(f"{field.name} in {where} cannot be decoded ({one_line(error)}); make it again") from error
    return values
