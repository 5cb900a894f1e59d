"""When fields and reports are of: one rule for a user's days, tables of stations and records on a disk.

Times are in UTC. A field is of its moment, or of the middle of its interval; what a model's clock makes one field of,
such as the moments of a date where it knows daily means, is averaged, and said.
"""

import warnings
from dataclasses import replace
from typing import NamedTuple

import cftime
import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.data.calendars import labels_in
from sparta_core.data.clock import DAY, Clock
from sparta_core.durations import text_of
from sparta_core.errors import DataError

# The calendars that are not ours, by what files call them.
CALENDARS = {"noleap": "noleap", "365_day": "noleap", "all_leap": "all_leap", "366_day": "all_leap",
             "360_day": "360_day"}  # fmt: skip
ORIGIN = "microseconds since 1970-01-01"


class When(NamedTuple):
    """Moments (T,) in UTC, datetime64[us], whether each stands for a day or more, as its bounds say, the calendar."""

    moments: np.ndarray
    lasting: bool
    calendar: str = "standard"

    def first(self, count: int | None) -> "When":
        """The first `count` of them."""
        return self._replace(moments=self.moments[:count])


class Grouped(NamedTuple):
    """Times (D,), datetime64, each once, and of every moment (T,) the place of its time, -1 for one that is left out;
    without dates numbers.
    """

    dates: np.ndarray
    place: np.ndarray


def utc(values: np.ndarray, where: str) -> np.ndarray:
    """Read times as datetime64[us] in UTC, NaT where there is no date.

    Args:
        values: (...) datetime64, ISO dates as text or numbers (20011231), with or without a zone, or cftime's of any
            calendar, as `Clock` writes them; without a zone they are in UTC.
        where: What errors call the source.

    Raises:
        DataError: For several calendars at once.

    Example:
        >>> utc(np.array(["2001-12-31T02:00+02:00"]), "here").tolist()
        [datetime.datetime(2001, 12, 31, 0, 0)]
    """
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    flat = values.astype(str if values.dtype.kind in "iuS" else object).ravel()
    if any(hasattr(value, "calendar") for value in flat):
        moments = _from_calendar(flat, where)
    else:
        parsed = pd.to_datetime(pd.Series(flat, dtype=object), utc=True, format="ISO8601", errors="coerce")
        moments = parsed.dt.tz_localize(None).to_numpy("datetime64[us]")
    return moments.reshape(values.shape)


def of_fields(dataset: xr.Dataset, where: str, clock: Clock | None = None) -> When | None:
    """Find the moments that fields are of: the middles of the intervals in `time`'s bounds, else `time` itself.

    Args:
        dataset: fields (time, ...), whose time may be of any calendar.
        where: what errors and warnings call the source.
        clock: that of a model, of which longer intervals are said.

    Returns:
        The moments; None where `time` holds no dates.

    Raises:
        DataError: some of the times or bounds are no dates.
    """
    time = dataset["time"] if "time" in dataset.coords else xr.DataArray(np.empty(0))
    if time.dtype.kind not in "MOUS":
        return None
    moments, calendar = utc(np.atleast_1d(time.values), where), calendar_of(time.values)
    bad = np.flatnonzero(np.isnat(moments))
    if bad.size:
        raise DataError(f"time of {where} is {str(np.atleast_1d(time.values)[bad[0]])!r:.60} at the place "
                        f"{bad[0] + 1}; write it as 2001-12-31")
    name = bounds_name(dataset)
    if name not in dataset.variables:
        return When(moments, False, calendar)
    edges = dataset[name].values
    if edges.dtype.kind not in "MOUS" or edges.size != 2 * moments.size or np.isnat(edges := utc(edges, where)).any():
        raise DataError(f"{name} of {where}, the bounds of time, are not two dates for each time; mend or drop them")
    start, end = edges.reshape(-1, 2).T
    if clock is not None and (longest := abs(end - start).max()) >= 2 * max(DAY, clock.days * DAY):
        warnings.warn(f"{name} of {where} makes a field the mean of up to {longest // DAY} days, and the model knows "
                      f"{clock.means}", stacklevel=3)  # fmt: skip
    return When(start + (end - start) // 2, bool((abs(end - start) >= DAY).all()), calendar)


def bounds_name(dataset: xr.Dataset) -> str:
    """Find the name of the variable with the bounds of `time`; "" without."""
    if "time" not in dataset.coords:
        return ""
    time = dataset["time"]
    return str(time.attrs.get("bounds", time.encoding.get("bounds", "")))


def grouped(when: When | None, count: int, where: str, clock: Clock) -> Grouped:
    """Group `count` moments by the steps of a clock.

    Where a step is a day or more, moments within it are averaged; where it is less, fields are of moments, and those
    between the clock's are left out. Warns of either, and of a moment that stands for a day.

    Returns:
        The times in order, or as they were with one moment each; numbers where there are no dates.

    Raises:
        DataError: No moment is one of the clock's.

    Example:
        >>> noons = np.array(["2001-01-02T12", "2001-01-01T12"], "datetime64[us]")
        >>> grouped(When(noons, lasting=False), 2, "here", Clock()).dates.astype(str).tolist()
        ['2001-01-02', '2001-01-01']
    """
    if when is None:
        return Grouped(np.arange(count), np.arange(count))
    numbers = clock.count(when.moments)
    if clock.step_below_a_day:
        return _at_moments(when, numbers, where, clock)
    once, index, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    if once.size == numbers.size:
        if clock.daily:
            warn_of_moments(when, where)
        return Grouped(clock.at(numbers), np.arange(numbers.size))
    each = f"{counts.max()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    step = "date" if clock.daily else text_of(clock.step)
    steps = f"{once.size} {'date' if clock.daily else 'step'}{'s' * (once.size > 1)}"
    warnings.warn(f"{where} has {each} moments a {step}, {numbers.size} on {steps}; their mean is taken for the "
                  f"{clock.means[:-1]} that the model knows", stacklevel=3)  # fmt: skip
    return Grouped(clock.at(once), index)


def _at_moments(when: When, numbers: np.ndarray, where: str, clock: Clock) -> Grouped:
    """Take the moments that are on the clock."""
    times = clock.at(numbers)
    on = times == when.moments
    if not on.any():
        raise DataError(f"{where} has the time {when.moments[0].astype('datetime64[m]')}, and the model knows times in "
                        f"steps of {text_of(clock.step)}, such as {times[0]}; interpolate it to these")
    if not on.all():
        warnings.warn(f"{where} has {on.size} times, {on.sum()} of which are in the model's steps of "
                      f"{text_of(clock.step)}; the others are left out", stacklevel=4)  # fmt: skip
    once, first, index = np.unique(numbers[on], return_index=True, return_inverse=True)
    if once.size == numbers[on].size:
        once, index = numbers[on], np.arange(once.size)  # as they were
    else:
        warnings.warn(f"{where} has {times[on][first][np.bincount(index).argmax()]} more than once; the fields of one "
                      "time are averaged", stacklevel=4)  # fmt: skip
    place = np.full(on.size, -1)
    place[on] = index
    return Grouped(clock.at(once), place)


def following(when: When, groups: Grouped, clock: Clock) -> np.ndarray:
    """Tell which times (D,) come next after the one before: on their own calendar, or on `clock`.

    Example:
        >>> dates = np.array(["2004-02-28", "2004-03-01"], "datetime64[us]")
        >>> following(When(dates, True, "noleap"), Grouped(dates, np.arange(2)), Clock()).tolist()
        [False, True]
    """
    numbers = replace(clock, calendar=when.calendar).count(when.moments)
    of = pd.Series(numbers[groups.place >= 0]).groupby(groups.place[groups.place >= 0])
    own, ours = of.min().to_numpy()[1:] - of.max().to_numpy()[:-1], np.diff(clock.count(groups.dates))
    return np.concatenate([[False], (own == 1) | (ours == 1)])


def labels(days: xr.Dataset, when: When | None, groups: Grouped) -> dict[str, xr.DataArray]:
    """Make the coordinate time (D,) of days that were grouped: their own where it names the same times, or none."""
    if "time" not in days.coords:
        return {}
    time = days["time"].drop_vars(set(days["time"].coords) - {"time"}).copy()
    time.attrs.pop("bounds", None)  # which are not handed on
    if when is not None and not _as_they_are(time, when, groups):
        time = xr.DataArray(groups.dates.astype("datetime64[us]"), dims="time", name="time", attrs=time.attrs)
    return {"time": time}


def _as_they_are(time: xr.DataArray, when: When, groups: Grouped) -> bool:
    """Whether times that a user gave name the same steps, one each."""
    if time.dtype.kind == "O" and when.calendar != "standard":
        return np.array_equal(groups.place, np.arange(time.size))
    moments = time.values.astype("datetime64[us]") if time.dtype.kind == "M" else np.empty(0)
    return np.array_equal(moments.astype(groups.dates.dtype), groups.dates)


def warn_of_moments(when: When, where: str) -> None:
    """Warn where dates have one moment each, at a time of day that no daily mean has as its label."""
    if when.calendar not in ("standard", "noleap"):
        return  # their moments are not those of their dates
    of_day = when.moments - when.moments.astype("datetime64[D]")
    odd = of_day % np.timedelta64(12, "h") != np.timedelta64(0)  # a daily mean is labelled by its date, or by its noon
    if odd.any() and not when.lasting:
        clock = np.datetime_as_string(np.datetime64(0, "s") + of_day[odd][0], "m")[-5:]
        dates = "each date" if odd.all() else f"{odd.sum()} of {odd.size} dates"
        warnings.warn(f"{dates} of {where} has one moment, at {clock} UTC; it is taken for the mean of that day",
                      stacklevel=4)  # fmt: skip


def calendar_of(values: np.ndarray) -> str:
    """Find the calendar of times (...): "standard" but for those of cftime that is another."""
    first = np.ravel(values)[0] if values.dtype.kind == "O" and values.size else None
    return CALENDARS.get(getattr(first, "calendar", ""), "standard")


def step_mean(fields: np.ndarray, days: Grouped) -> np.ndarray:
    """Average the fields (T, ...) of each time, less NaN: (D, ...).

    Example:
        >>> step_mean(np.array([1.0, 3.0, np.nan]), Grouped(np.array(["2001-01-01"], "M8[D]"), np.zeros(3, int)))
        array([2.])
    """
    used = days.place >= 0
    if days.dates.size == used.sum():
        return fields[used] if not used.all() else fields
    flat = fields[used].reshape(int(used.sum()), -1)
    means = pd.DataFrame(flat).groupby(days.place[used]).mean()
    return means.to_numpy().reshape(-1, *fields.shape[1:])


def _from_calendar(values: np.ndarray, where: str) -> np.ndarray:
    """Read cftime's dates (N,), all of one calendar, as datetime64[us]."""
    calendars = {getattr(value, "calendar", "") for value in values}
    if len(calendars) > 1 and not calendars.isdisjoint(CALENDARS):
        raise DataError(f"time of {where} has dates of the calendars {' and '.join(sorted(calendars))}; give one")
    name = calendars.pop()
    own = CALENDARS.get(name)
    try:
        if own:
            microseconds = cftime.date2num(values, ORIGIN, calendar=own)
            seconds, rest = np.divmod(np.asarray(microseconds, np.int64), 10**6)
            return labels_in(seconds, own).astype("datetime64[us]") + rest.astype("m8[us]")
        real = [value.change_calendar("proleptic_gregorian") for value in values]
        return np.array([value.isoformat() for value in real], "datetime64[us]")
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(f"time of {where} has the date {str(values[0])[:10]} of the calendar {name or 'of no kind'!r}, "
                        "which is unknown; write it as 2001-12-31") from error
