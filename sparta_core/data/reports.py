"""What stations reported, as daily means on a model's grid."""

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.data.cells import at
from sparta_core.data.clock import Clock
from sparta_core.data.columns import way
from sparta_core.data.dates import moments_of
from sparta_core.data.labelled import coordinates
from sparta_core.data.plausible import MAGNITUDES, Known, is_code
from sparta_core.data.stations import PLACE, Stations, Table, called, inside, nearest_points, stations_of
from sparta_core.data.times import Grouped, When, grouped
from sparta_core.data.unused import check_unused
from sparta_core.durations import text_of
from sparta_core.errors import DataError


def gridded_reports(source: Table, known: Known) -> xr.Dataset:
    """What the stations in a table measured: the mean of those nearest to each grid point, NaN without.

    Its columns are lat, lon, any of the model's variables, and time where there are several, in the spellings that
    `columns` and `dates` know; variables in the units that their headers say, or else in the model's. Codes for
    "missing" are, stations outside the grid are left out, and several reports of a station on one date are averaged
    first; each is said. Returns (time, latitude, longitude), without time (latitude, longitude). DataError for
    another table, and for values that no training day comes near.
    """
    where, domain = called(source), known.domain
    units = dict(zip(known.variables, known.units, strict=True))
    read = stations_of(source, units)
    moments, of_time = moments_of(read.table, read.units, where)
    measured = [name for name in known.variables if name in read.headers]
    wanted = (*known.variables, "time")
    used = [*PLACE, *measured, *(["time"] if of_time else [])]
    unused = [name for name in read.table.columns if name and name not in (*PLACE, *measured, *of_time)]
    check_unused("columns", unused, used, wanted, where)
    if not measured:
        raise DataError(f"{where} has none of the columns {', '.join(known.variables)}; name what was measured so")
    days = _days(read.table, moments, domain.clock, where)
    table = inside(read.table.assign(day=days.place), domain, where)
    points = nearest_points(table, domain, where)
    _tell(read, units, measured, where)
    table, codes = table.copy(), []
    for name in measured:
        written = table[name].to_numpy(float)
        scale, offset = (way(read.units[name], units[name], name) if read.units[name] else None) or (1.0, 0.0)
        values = written * scale + offset
        missing = _codes(known, name, written, values, points)
        if missing.any():
            rows = "1 row" if missing.sum() == 1 else f"{missing.sum()} rows"
            first = missing.argmax()
            codes.append(f"{written[first]:g} in {rows} of {name}, the first in {at(table, first)}")
        table[name] = np.where(missing, np.nan, values)
    if codes:
        warnings.warn(f"{where} has {'; '.join(codes)}: a code for 'missing', taken as not observed", stacklevel=3)
    for name in measured:
        known.check(name, table[name].to_numpy(), where, lambda row: f"in {at(table, row)}", points)
    if table[measured].isna().all(axis=None):
        raise DataError(f"{where} has no value of {', '.join(measured)} in any row; give what was measured")
    fields = _means(table.assign(point=points), measured, days.dates.size, domain.shape)
    made = {name: (("time", *domain.dims), fields[name], {"units": units[name]}) for name in measured}
    coords = coordinates(domain)
    if moments is None:
        return xr.Dataset(made, coords).isel(time=0)
    return xr.Dataset(made, {"time": days.dates.astype("datetime64[us]"), **coords})


def _means(table: pd.DataFrame, measured: list[str], days: int, shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """The mean of the stations at each point, of each day (T, H, W)."""
    # A station's day first: one that reports every hour counts no more than one that reports daily means.
    own = table.groupby(["day", "point", *PLACE])[measured].mean()
    means = own.groupby(["day", "point"]).mean()
    day, point = (means.index.get_level_values(level).to_numpy() for level in ("day", "point"))
    fields = {name: np.full((days, shape[0] * shape[1]), np.nan) for name in measured}
    for name in measured:
        fields[name][day, point] = means[name]
    return {name: field.reshape(days, *shape) for name, field in fields.items()}


def _tell(read: Stations, units: dict[str, str], measured: list[str], where: str) -> None:
    """Warn of what was read in another way than it is written."""
    others = [f"{read.headers[name]!r} as {name}" for name in measured if name in read.guessed]
    converted = [f"{name} from {read.units[name]!r} to {units[name]!r}" for name in measured
                 if read.units[name] and way(read.units[name], units[name], name) not in (None, (1, 0))]  # fmt: skip
    silent = {name: units[name] for name in measured if not read.units[name] and units[name]}
    if others:
        warnings.warn(f"{where} has columns that are read by what they resemble, {', '.join(others)}", stacklevel=3)
    if converted:
        warnings.warn(f"{where} has other units, which are converted, {', '.join(converted)}", stacklevel=3)
    if silent:
        taken = ", ".join(f"{name} in {text!r}" for name, text in silent.items())
        warnings.warn(f"{where} says no units; the model's are assumed, {taken}", stacklevel=3)


def _codes(known: Known, name: str, written: np.ndarray, values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Which values (N,) are codes for 'missing': codes as they are written, and beyond the training days' range."""
    channel = known.variables.index(name)
    low, high = known.low[channel].reshape(-1)[points], known.high[channel].reshape(-1)[points]
    low = np.where(np.isnan(low), np.nanmin(known.low[channel]), low)  # where nothing was there in training
    high = np.where(np.isnan(high), np.nanmax(known.high[channel]), high)
    excess = np.fmax(values - high, low - values) / known.std[channel]
    missing = np.zeros(values.size, bool)
    for code in (sign * size for size in reversed(MAGNITUDES) for sign in (-1, 1)):
        equal = np.isclose(written, code, rtol=1e-6, atol=0) & (excess > 0) & ~missing
        if is_code(code, equal, (excess > 1) & ~missing):
            missing |= equal
    return missing


def _days(table: pd.DataFrame, moments: np.ndarray | None, clock: Clock, where: str) -> Grouped:
    """The times of a table, in order, and each row's; DataError for several reports of a place without times.

    Where a day has several times, a report is of the nearest.
    """
    if moments is None:
        again = np.flatnonzero(table.duplicated([*PLACE]))
        if again.size:
            raise DataError(f"{where} has no column time, and several reports of one place, the second in "
                            f"{at(table, again[0])}; add their times")
        return Grouped(np.zeros(1, "datetime64[D]"), np.zeros(len(table), int))
    each, row = np.unique(moments, return_inverse=True)
    if clock.step_below_a_day:
        own = clock.at(clock.count(each + clock.step // 2)).astype(each.dtype)
        if (moved := own != each).any():
            warnings.warn(f"{where} has {moved.sum()} times between those of the model, {text_of(clock.step)} apart; "
                          "they are taken for the nearest", stacklevel=4)  # fmt: skip
        once, row_of = np.unique(own, return_inverse=True)
        return Grouped(once, row_of[row])
    days = grouped(When(each, lasting=False), each.size, where, clock)
    return Grouped(days.dates, days.place[row])
