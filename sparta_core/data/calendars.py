"""Times of calendars that are not ours, as datetime64 that a person can read, and back.

Those of a calendar without leap days are its own dates; in calendars with dates that do not exist a time lies at the
same share of its year.
"""

import numpy as np

YEARS = {"standard": 365.2425, "noleap": 365.0, "all_leap": 366.0, "360_day": 360.0}  # days of a mean year
LEAP_DAY = 59 * 86400  # seconds from the beginning of a year to the 29th of February, or the 1st of March
MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # days, where every year is a leap year


def labels_in(own: np.ndarray, calendar: str) -> np.ndarray:
    """Find the times (...), datetime64[s], that a person reads, of seconds since 1970 as a calendar counts them.

    Those of a calendar with dates that do not exist lie at the same share of their year.

    Example:
        >>> labels_in(np.array([59 * 86400 + 2 * 365 * 86400]), "noleap").item()
        datetime.datetime(1972, 3, 1, 0, 0)
    """
    seconds = own.astype(np.int64)
    if calendar == "standard":
        return seconds.astype("datetime64[s]")
    length = int(YEARS[calendar]) * 86400
    years, rest = np.divmod(seconds, length)
    start, real = _year(years)
    if calendar == "noleap":
        leap = (real == 366 * 86400) & (rest >= LEAP_DAY)
        return start + (rest + leap * 86400).astype("m8[s]")
    return start + np.round(rest * (real / length)).astype("m8[s]")


def seconds_in(times: np.ndarray, calendar: str) -> np.ndarray:
    """Count times (...), datetime64, as datetime64[s] on a calendar's own axis: the inverse of `labels_in`."""
    moments = times.astype("datetime64[s]")
    if calendar == "standard":
        return moments
    length = int(YEARS[calendar]) * 86400
    years = moments.astype("datetime64[Y]").astype(np.int64)
    start, real = _year(years)
    rest = (moments - start).astype(np.int64)
    if calendar == "noleap":
        rest = rest - 86400 * ((real == 366 * 86400) & (rest >= LEAP_DAY + 86400))
    else:  # times were rounded to seconds, of which the calendar's are other ones
        rest = 60 * np.round(rest * (length / real) / 60).astype(np.int64)
    return (years * length + rest).astype("datetime64[s]")


def _year(years: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where years since 1970 begin, datetime64[s], and how many seconds they have."""
    start = years.astype("datetime64[Y]")
    begin, end = (edge.astype("datetime64[s]") for edge in (start, start + 1))
    return begin, (end - begin).astype(np.int64)


def months_of(times: np.ndarray, calendar: str) -> np.ndarray:
    """Months since 1970, as the calendar has them."""
    if calendar in ("standard", "noleap") or np.datetime_data(times.dtype)[0] == "M":
        return times.astype("datetime64[M]").astype(np.int64)
    days = seconds_in(times, calendar).astype(np.int64) // 86400
    years, day = np.divmod(days, int(YEARS[calendar]))
    ends = np.cumsum(MONTHS) if calendar == "all_leap" else 30 * np.arange(1, 13)
    return years * 12 + np.searchsorted(ends, day, side="right")


def once_a_month(times: np.ndarray, months: np.ndarray) -> bool:
    """Whether times have a month each, at about the same day of it, or are said to be months."""
    if np.datetime_data(times.dtype)[0] == "M":
        return True
    days = (times.astype("datetime64[D]") - months.astype("datetime64[M]").astype("datetime64[D]")).astype(int)
    return bool((np.diff(months) > 0).all() and np.ptp(days) <= 3)
