"""When fields and reports are of: one rule for a user's days, tables of stations and records on a disk.

Times are in UTC. A day is named by the date of its moment, of an interval by that of its middle.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.data.conventions import REAL_CALENDARS
from sparta_core.data.domain import DAY
from sparta_core.errors import DataError


class When(NamedTuple):
    """Moments (T,) in UTC, datetime64[us], and whether each stands for a day or more, as its bounds say."""

    moments: np.ndarray
    lasting: bool

    def first(self, count: int | None) -> "When":
        """The first `count` of them."""
        return When(self.moments[:count], self.lasting)


class Grouped(NamedTuple):
    """Dates (D,), datetime64[D], each once, and of every moment (T,) the place of its date; without dates numbers."""

    dates: np.ndarray
    place: np.ndarray


def utc(values: np.ndarray, where: str) -> np.ndarray:
    """Read times as datetime64[us] in UTC, NaT where there is no date.

    Args:
        values: (...) datetime64, ISO dates as text or numbers (20011231), with or without a zone, or cftime's; without
            a zone they are in UTC.
        where: What errors call the source.

    Raises:
        DataError: For a calendar whose dates do not all exist.

    Example:
        >>> utc(np.array(["2001-12-31T02:00+02:00"]), "here").tolist()
        [datetime.datetime(2001, 12, 31, 0, 0)]
    """
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    flat = values.astype(str if values.dtype.kind in "iuS" else object).ravel()
    if any(hasattr(value, "calendar") for value in flat):
        moments = np.array([_from_calendar(value, where) for value in flat], "datetime64[us]")
    else:
        parsed = pd.to_datetime(pd.Series(flat, dtype=object), utc=True, format="ISO8601", errors="coerce")
        moments = parsed.dt.tz_localize(None).to_numpy("datetime64[us]")
    return moments.reshape(values.shape)


def of_fields(dataset: xr.Dataset, where: str) -> When | None:
    """Find the moments that fields are of: the middles of the intervals in `time`'s bounds, else `time` itself.

    Args:
        dataset: fields (time, ...), whose time may be of any calendar all of whose dates exist.
        where: what errors and warnings call the source.

    Returns:
        The moments; None where `time` holds no dates.

    Raises:
        DataError: some of the times or bounds are no dates.
    """
    time = dataset["time"] if "time" in dataset.coords else xr.DataArray(np.empty(0))
    if time.dtype.kind not in "MOUS":
        return None
    moments = utc(np.atleast_1d(time.values), where)
    bad = np.flatnonzero(np.isnat(moments))
    if bad.size:
        raise DataError(f"time of {where} is {str(np.atleast_1d(time.values)[bad[0]])!r:.60} at the place "
                        f"{bad[0] + 1}; write it as 2001-12-31")
    name = bounds_name(dataset)
    if name not in dataset.variables:
        return When(moments, lasting=False)
    edges = dataset[name].values
    if edges.dtype.kind not in "MOUS" or edges.size != 2 * moments.size or np.isnat(edges := utc(edges, where)).any():
        raise DataError(f"{name} of {where}, the bounds of time, are not two dates for each time; mend or drop them")
    start, end = edges.reshape(-1, 2).T
    longest = abs(end - start).max()
    if longest >= 2 * DAY:
        warnings.warn(f"{name} of {where} makes a field the mean of up to {longest // DAY} days, and the model knows "
                      "daily means", stacklevel=3)  # fmt: skip
    return When(start + (end - start) // 2, lasting=bool((abs(end - start) >= DAY).all()))


def bounds_name(dataset: xr.Dataset) -> str:
    """Find the name of the variable with the bounds of `time`; "" without."""
    if "time" not in dataset.coords:
        return ""
    time = dataset["time"]
    return str(time.attrs.get("bounds", time.encoding.get("bounds", "")))


def grouped(when: When | None, count: int, where: str) -> Grouped:
    """Group `count` moments by their dates; warns where several are to be averaged, and where one stands for a day.

    Returns:
        The dates in order, or as they were with one moment each; numbers where there are no dates.

    Example:
        >>> noons = np.array(["2001-01-02T12", "2001-01-01T12"], "datetime64[us]")
        >>> grouped(When(noons, lasting=False), 2, "here").dates.astype(str).tolist()
        ['2001-01-02', '2001-01-01']
    """
    if when is None:
        return Grouped(np.arange(count), np.arange(count))
    dates = when.moments.astype("datetime64[D]")
    once, index, counts = np.unique(dates, return_inverse=True, return_counts=True)
    if once.size == dates.size:
        warn_of_moments(when, where)
        return Grouped(dates, np.arange(dates.size))
    each = f"{counts.max()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    days = "1 date" if once.size == 1 else f"{once.size} dates"
    warnings.warn(f"{where} has {each} moments a date, {dates.size} on {days}; their mean is taken for the daily mean "
                  "that the model knows", stacklevel=3)  # fmt: skip
    return Grouped(once, index)


def labels(days: xr.Dataset, when: When | None, groups: Grouped) -> dict[str, xr.DataArray]:
    """Make the coordinate time (D,) of days that were grouped: their own where it names the same dates, or none."""
    if "time" not in days.coords:
        return {}
    time = days["time"].drop_vars(set(days["time"].coords) - {"time"}).copy()
    time.attrs.pop("bounds", None)  # which are not handed on
    alike = time.dtype.kind == "M" and np.array_equal(time.values.astype("datetime64[D]"), groups.dates)
    if when is not None and not alike:
        time = xr.DataArray(groups.dates.astype("datetime64[us]"), dims="time", name="time", attrs=time.attrs)
    return {"time": time}


def warn_of_moments(when: When, where: str) -> None:
    """Warn where dates have one moment each, at a time of day that no daily mean has as its label."""
    of_day = when.moments - when.moments.astype("datetime64[D]")
    odd = of_day % np.timedelta64(12, "h") != np.timedelta64(0)  # a daily mean is labelled by its date, or by its noon
    if odd.any() and not when.lasting:
        clock = np.datetime_as_string(np.datetime64(0, "s") + of_day[odd][0], "m")[-5:]
        dates = "each date" if odd.all() else f"{odd.sum()} of {odd.size} dates"
        warnings.warn(f"{dates} of {where} has one moment, at {clock} UTC; it is taken for the mean of that day",
                      stacklevel=4)  # fmt: skip


def daily_mean(fields: np.ndarray, days: Grouped) -> np.ndarray:
    """Average the fields (T, ...) of each date, less NaN: (D, ...).

    Example:
        >>> daily_mean(np.array([1.0, 3.0, np.nan]), Grouped(np.array(["2001-01-01"], "M8[D]"), np.zeros(3, int)))
        array([2.])
    """
    if days.dates.size == len(fields):
        return fields
    means = pd.DataFrame(fields.reshape(len(fields), -1)).groupby(days.place).mean()
    return means.to_numpy().reshape(-1, *fields.shape[1:])


def _from_calendar(value: Any, where: str) -> np.datetime64:
    calendar = getattr(value, "calendar", "")
    try:
        if calendar == "360_day":
            raise ValueError
        real = value.change_calendar("proleptic_gregorian") if calendar in REAL_CALENDARS else value
        return np.datetime64(real.isoformat(), "us")
    except (ValueError, AttributeError) as error:
        raise DataError(f"time of {where} has the date {str(value)[:10]} of the calendar {calendar or 'of no kind'!r}, "
                        "not all of whose dates exist; convert it with xarray's convert_calendar('standard', "
                        "align_on='year')") from error
