"""The clock of fields: time step and calendar, and what follows of them: cycles, dates ahead, durations in steps.

Times are datetime64 that a person can read, of other calendars as `calendars` writes them.
"""

from dataclasses import dataclass
from typing import Any

import cftime
import numpy as np

from sparta_core.data.calendars import YEARS, labels_in, months_of, once_a_month, seconds_in
from sparta_core.durations import Duration, duration, in_days, monthly, text_of
from sparta_core.errors import DataError, ExperimentError

DAY = np.timedelta64(1, "D")
SECOND, NONE = np.timedelta64(1, "s"), np.timedelta64(0, "s")
YEAR = np.timedelta64(round(YEARS["standard"] * 86400), "s")
HARMONICS = 3  # of the year
DIURNAL = 2  # harmonics of the day
SHORTEST_MONTH = np.timedelta64(28, "D")
UNITS = {"days": DAY, "hours": np.timedelta64(1, "h"), "minutes": np.timedelta64(1, "m"), "seconds": SECOND}


@dataclass(frozen=True)
class Clock:
    """The time between two fields, and the calendar.

    Args:
        step: Of seconds, or whole months.
        calendar: "standard", "noleap", "all_leap" or "360_day".
        offset: From 1970 to the first of all times on the clock, less than a step; months where steps are.

    Example:
        >>> clock = Clock(np.timedelta64(12, "h"))
        >>> clock.steps("look_back", 5), clock.ahead(np.array(["2001-02-28T12"], "M8[h]"), 2)[0, 1].item().isoformat()
        (10, '2001-03-01T12:00:00')
    """

    step: np.timedelta64 = DAY
    calendar: str = "standard"
    offset: np.timedelta64 = NONE

    @classmethod
    def of(cls, times: np.ndarray, calendar: str = "standard", where: str = "the data") -> "Clock":
        """Find the clock of times (T,), datetime64, rising, some of which may be absent: their least step.

        Raises:
            DataError: For times that lie between the steps.
        """
        own = seconds_in(times, calendar)
        steps = np.diff(own)
        if not steps.size:
            return cls(calendar=calendar)
        least = steps.min()
        months = months_of(times, calendar)
        if least >= SHORTEST_MONTH.astype("m8[s]") and once_a_month(times, months):
            every = np.timedelta64(int(np.diff(months).min()), "M")
            return cls(every, calendar, months[0].astype("m8[M]") % every)
        days = own.astype("datetime64[D]")
        uneven = ((own - own[0]) % least != NONE).any()
        if (np.diff(days) >= DAY).all() and (uneven or not (steps % DAY != NONE).any()):
            own = days.astype("datetime64[s]")  # the label of a day may be at any hour
            least = np.diff(own).min()
        between = np.flatnonzero((own - own[0]) % least != NONE)
        if between.size:
            raise DataError(f"{where} goes in steps of {text_of(least)}, and {times[between[0]]} lies between two of "
                            "them; give times in equal steps")
        return cls(least, calendar, (own[0] - np.datetime64(0, "s")) % least)

    def told(self) -> dict[str, Any]:
        """It as JSON."""
        return {"step": text_of(self.step), "calendar": self.calendar, "offset": int(self.offset.astype(int))}

    @classmethod
    def restored(cls, told: dict[str, Any]) -> "Clock":
        """The clock that `told` told of."""
        step = duration(told["step"])
        return cls(step, told["calendar"], np.timedelta64(told["offset"], "M" if monthly(step) else "s"))

    @property
    def monthly(self) -> bool:
        """Whether steps are months, which are of unequal length."""
        return monthly(self.step)

    @property
    def days(self) -> float:
        """The length of a step in days; of a month the mean."""
        if self.monthly:
            return YEARS[self.calendar] / 12 * int(self.step.astype(int))
        return float(self.step / DAY)

    @property
    def year(self) -> float:
        """Days of a year of the calendar, in the mean."""
        return YEARS[self.calendar]

    @property
    def means(self) -> str:
        """What a field is the mean of, in words."""
        return "daily means" if self.daily else f"{text_of(self.step)} means"

    @property
    def fields(self) -> str:
        """What fields in a row are called: "days", or "fields"."""
        return "days" if self.daily else "fields"

    def duration(self, steps: int) -> str:
        """Write so many steps as a setting takes them."""
        length = self.step * steps
        return str(int(length / DAY)) if self.daily else text_of(length)

    def text(self, time: Any) -> str:
        """Write a time as a person reads it."""
        if self.calendar in ("standard", "noleap"):
            return str(time.astype(f"datetime64[{self.precision}]"))
        date = str(self.dates(np.atleast_1d(time))[0])
        return date if self.step_below_a_day else date[:10]

    @property
    def daily(self) -> bool:
        """Whether a step is a day."""
        return not self.monthly and bool(self.step == DAY)

    @property
    def cycles(self) -> tuple[np.timedelta64, ...]:
        """The cycles of the climate that the step resolves: of daily fields the year."""
        return tuple(cycle for cycle in (YEAR, DAY) if self.days < cycle / DAY)

    def count(self, times: np.ndarray) -> np.ndarray:
        """Number times (...) by the steps since 1970: those in a row have numbers in a row."""
        if self.monthly:
            months = months_of(times, self.calendar) - int(self.offset.astype(int))
            numbers: np.ndarray = months // int(self.step.astype(int))
            return numbers
        return (seconds_in(times, self.calendar) - np.datetime64(0, "s") - self.offset) // self.step

    def at(self, numbers: np.ndarray) -> np.ndarray:
        """Find the times (...), datetime64, that have these numbers: the inverse of `count`."""
        if self.monthly:
            months = numbers * int(self.step.astype(int)) + int(self.offset.astype(int))
            return months.astype("datetime64[M]")
        own = np.datetime64(0, "s") + self.offset + numbers * self.step.astype("m8[s]")
        return labels_in(own, self.calendar).astype(f"datetime64[{self.precision}]")

    @property
    def precision(self) -> str:
        """The unit of numpy in which times of the clock are written."""
        if self.monthly:
            return "M"
        if self.calendar in ("standard", "noleap"):
            whole = (unit for unit, length in (("D", DAY), ("h", UNITS["hours"]), ("m", UNITS["minutes"]))
                     if not (self.step % length).astype(int) and not (self.offset % length).astype(int))  # fmt: skip
            return next(whole, "s")
        return "s"

    def dates(self, times: np.ndarray) -> np.ndarray:
        """Write times (...) as dates of the calendar: datetime64[us], or cftime's where dates do not exist."""
        if self.calendar == "standard":
            return times.astype("datetime64[us]")
        own = seconds_in(times, self.calendar).astype(np.int64)
        dates: np.ndarray = cftime.num2date(own, "seconds since 1970-01-01", calendar=self.calendar)
        return dates

    def ahead(self, times: np.ndarray, count: int) -> np.ndarray:
        """Find the times (N, count) of so many steps after `times` (N,)."""
        return self.at(self.count(times)[:, None] + np.arange(1, count + 1))

    def steps(self, name: str, given: Duration) -> int:
        """Count the steps in a setting's duration.

        Raises:
            ExperimentError: For one that is no number of whole steps, one at least.
        """
        length = duration(given)
        count = _ratio(length, self.step)
        if count is None or count < 1 or count != round(count):
            near = text_of(self.step * max(1, round(in_days(length) / self.days)))
            raise ExperimentError(f"{name} is {text_of(length)}, and the data go in steps of {text_of(self.step)}; set "
                                  f"it to a multiple of that, such as {near!r}")
        return int(count)

    @property
    def unit(self) -> str:
        """The largest unit in which every number of steps is whole: "days", "hours", "minutes", "months"."""
        if self.monthly:
            return "months"
        return next(name for name, length in UNITS.items() if not (self.step % length).astype(int))

    def amounts(self, steps: np.ndarray) -> np.ndarray:
        """So many steps (...), in `unit`."""
        each = int(self.step.astype(int)) if self.monthly else int(self.step / UNITS[self.unit])
        return steps * each

    def lead_times(self, count: int) -> np.ndarray:
        """The lead times (count,) of so many steps, timedelta64[s]; of months in their mean length."""
        steps = np.arange(1, count + 1)
        return (steps * (round(self.days * 86400) if self.monthly else int(self.step / SECOND))).astype("m8[s]")

    def basis(self, times: np.ndarray) -> np.ndarray:
        """Evaluate the cycles of the climate: 1, sines and cosines of the year, of the day, and of the day by season.

        Args:
            times: (T,).

        Returns:
            (T, K) float64; K is 7 where a step is a day or more.
        """
        year = 2 * np.pi * np.outer(self.phase(times), np.arange(1, HARMONICS + 1))
        columns = [np.ones((len(year), 1)), np.sin(year), np.cos(year)]
        if self.step_below_a_day:
            clock = self.time_of_day(times)
            count = min(DIURNAL, int(DAY / self.step) // 2)
            day = 2 * np.pi * np.outer(clock, np.arange(1, max(1, count) + 1))
            waves = np.hstack([np.sin(day), np.cos(day)])
            columns += [waves, waves * np.sin(year[:, :1]), waves * np.cos(year[:, :1])]
        return np.hstack(columns)

    @property
    def step_below_a_day(self) -> bool:
        """Whether a day has several steps."""
        return DAY in self.cycles

    @property
    def annual(self) -> np.ndarray:
        """Which columns (K,) of the basis are of the year."""
        columns = self.basis(np.zeros(1, "datetime64[s]")).shape[1]
        extra = (columns - 1 - 2 * HARMONICS) // 3
        return np.array([False] + [True] * 2 * HARMONICS + [False] * extra + [True] * 2 * extra)

    def phase(self, times: np.ndarray) -> np.ndarray:
        """Count years (...) at times (...) since the beginning of one: leap days shift nothing."""
        moments = times.astype("datetime64[s]")
        if self.monthly:
            moments = moments + np.timedelta64(15, "D")
        if self.calendar == "standard":
            return (moments - np.datetime64(0, "s")) / YEAR
        return (seconds_in(moments, self.calendar) - np.datetime64(0, "s")) / DAY / self.year

    def time_of_day(self, times: np.ndarray) -> np.ndarray:
        """Find the share (...) of the day at times (...); 0 where a step is a day or more."""
        if not self.step_below_a_day:
            return np.zeros(times.shape)
        own = seconds_in(times, self.calendar)
        share: np.ndarray = (own - own.astype("datetime64[D]")) / DAY
        return share

    def months(self, times: np.ndarray) -> np.ndarray:
        """The months (...) of times, 0 being January."""
        return months_of(times, self.calendar) % 12


def _ratio(length: np.timedelta64, step: np.timedelta64) -> float | None:
    """How many steps a duration is; None where one is of months and the other is not."""
    return float(length / step) if monthly(length) == monthly(step) else None


DAILY = Clock()
