"""Durations as people write them: days as numbers, or "12h", "30min", "5d", "3mo", "1y"."""

import re
from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import AfterValidator

UNITS: dict[str, Any] = {
    "s": np.timedelta64(1, "s"), "min": np.timedelta64(1, "m"), "h": np.timedelta64(1, "h"),
    "d": np.timedelta64(1, "D"), "w": np.timedelta64(7, "D"),
    "mo": np.timedelta64(1, "M"), "y": np.timedelta64(12, "M"),
}  # fmt: skip
DAY = UNITS["d"]
MONTH_DAYS = 365.2425 / 12  # of a month in the mean
MOST = 10**6  # days
Duration: TypeAlias = int | str


def duration(given: Duration) -> np.timedelta64:
    """Read a duration.

    Args:
        given: Days, or a whole number and a unit: s, min, h, d, w, mo, y.

    Returns:
        Whole seconds, or whole months.

    Raises:
        ValueError: For anything else, and for one that is not above 0.

    Example:
        >>> duration("12h").item(), duration(5).item()
        (datetime.timedelta(seconds=43200), datetime.timedelta(days=5))
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*([a-z]*)\s*", str(given), re.ASCII)
    if isinstance(given, bool) or match is None or (match[2] or "d") not in UNITS:
        raise ValueError("no duration")
    length: np.timedelta64 = int(match[1]) * UNITS[match[2] or "d"]
    if not 0 < in_days(length) <= MOST:
        raise ValueError("no duration above 0")
    return length if monthly(length) else length.astype("m8[s]")


def monthly(length: np.timedelta64) -> bool:
    """Whether a duration is of months, which are of unequal length."""
    return np.datetime_data(length)[0] == "M"


def in_days(length: np.timedelta64) -> float:
    """Count a duration in days; a month has its mean length.

    Example:
        >>> in_days(np.timedelta64(36, "h"))
        1.5
    """
    return float(length.astype(int)) * MONTH_DAYS if monthly(length) else float(length / DAY)


def text_of(length: np.timedelta64) -> str:
    """Write a duration as `duration` reads it, in the largest unit in which it is whole.

    Example:
        >>> text_of(np.timedelta64(36, "h")), text_of(np.timedelta64(48, "h")), text_of(np.timedelta64(3, "M"))
        ('36h', '2d', '3mo')
    """
    units = ("mo",) if monthly(length) else ("d", "h", "min", "s")
    unit = next(unit for unit in units if not (length % UNITS[unit]).astype(int))
    return f"{int(length / UNITS[unit])}{unit}"


def _settled(given: Duration) -> Duration:
    """A duration as settings keep it: whole days as a number, so that "48h" and 2 name the same run."""
    length = duration(given)
    text = text_of(length)
    return int(length / DAY) if text.endswith("d") else text


Length = Annotated[int | str, AfterValidator(_settled)]  # the type of a setting
