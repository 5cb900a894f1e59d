"""Zones of times: moments of one, or of one a row, in UTC."""

import re
import warnings
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pandas as pd

from sparta_core.data.cells import at
from sparta_core.errors import DataError

OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
ZONED = re.compile(r".*(?:Z|UTC|GMT|\d[+-]\d{2}:?\d{2}|\d{2} ?[+-]\d{2}(?::?\d{2})?)", re.IGNORECASE)
OFFSETS = {"utc_offset", "utcoffset", "gmt_offset", "tz_offset", "offset_utc", "timezone", "time_zone", "tz", "zone"}
NO_ZONE = {"", "utc", "gmt", "z", "zulu", "iso", "iso8601", "iso 8601", "h", "hh", "hh:mm"}
LOCAL = {"lt", "lst", "local", "local time", "ortszeit"}
UTC = "UTC"
FARTHEST = 14  # hours ahead of UTC


def from_header(made: np.ndarray, written: pd.Series, zone: str, where: str) -> np.ndarray:
    """Give moments in UTC that are of the zone that their header says, unless rows say theirs.

    Args:
        made: (N,) datetime64[us].
        written: (N,) as the table has them.
        zone: what the header says; what is no zone is a remark, and changes nothing.
        where: what errors and warnings call the table.

    Raises:
        DataError: for a zone that is said to be the local one.
    """
    if not zone or re.fullmatch(r"[dmyhs\W_tz]+", zone, re.IGNORECASE) or _zoned(written):
        return made
    if zone.casefold() in LOCAL:
        raise DataError(f"the times of {where} are in {zone!r}, and which zone that is is not said; write them in UTC")
    utc_times = _from(made, zone)
    if utc_times is None:
        return made
    first, there = (np.datetime_as_string(times[0], "m") for times in (utc_times, made))
    warnings.warn(f"the times of {where} are in {zone}, as its header says: {there} is {first} UTC", stacklevel=5)
    return utc_times


def by_row(made: np.ndarray, table: pd.DataFrame, dates: str, name: str, where: str) -> np.ndarray:
    """Give moments in UTC of which a column says the zone, or by how many hours it is ahead.

    Args:
        made: (N,) datetime64[us].
        table: of N rows.
        dates: its column of dates; where these say their zone themselves, nothing changes.
        name: its column of zones.
        where: what errors and warnings call the table.

    Raises:
        DataError: for what is no zone.

    Example:
        >>> table = pd.DataFrame({"time": ["2001-12-31 06:00"] * 2, "tz": [-2, 5.5]})
        >>> with warnings.catch_warnings(action="ignore"):
        ...     made = by_row(table["time"].to_numpy("M8[us]"), table, "time", "tz", "a table")
        >>> made.astype("M8[m]").astype(str).tolist()
        ['2001-12-31T08:00', '2001-12-31T00:30']
    """
    if _zoned(table[dates]):
        return made
    zones_of, utc_times = table[name].map(lambda value: str(value).strip()), made.copy()
    for zone in zones_of.unique():
        rows, hours = np.flatnonzero(zones_of == zone), pd.to_numeric(zone, errors="coerce")
        found: np.ndarray | None
        if abs(hours) <= FARTHEST:
            found = made[rows] - np.timedelta64(round(60 * hours), "m")
        else:
            found = made[rows] if zone.casefold() in NO_ZONE else _from(made[rows], zone)
        if found is None:
            raise DataError(f"{name} in {at(table, rows[0])} of {where} is {zone!r:.60}; write it as +01:00")
        utc_times[rows] = found
    first, there = (np.datetime_as_string(times[0], "m") for times in (utc_times, made))
    warnings.warn(f"the times of {where} are of the zones in its column {name}: {there} is {first} UTC", stacklevel=5)
    return utc_times


def _from(made: np.ndarray, zone: str) -> np.ndarray | None:
    """The moments (N,) of a zone, by its name or offset, in UTC; None where it is none."""
    if offset := OFFSET.fullmatch(zone):
        ahead = np.timedelta64(60 * int(offset[2]) + int(offset[3] or 0), "m")
        return made - ahead if offset[1] == "+" else made + ahead
    if zone.casefold() not in zones() or zone.casefold() in LOCAL:
        return None
    local = pd.DatetimeIndex(made).tz_localize(ZoneInfo(zones()[zone.casefold()]), nonexistent="shift_forward",
                                               ambiguous=np.zeros(made.size, bool))  # fmt: skip
    return local.tz_convert(UTC).tz_localize(None).to_numpy("datetime64[us]")


def _zoned(column: pd.Series) -> bool:
    """Whether any of the times says its zone."""
    return isinstance(column.dtype, pd.DatetimeTZDtype) or any(ZONED.fullmatch(str(value)) for value in column)


@cache
def zones() -> dict[str, str]:
    """Zones of times by their names in small letters."""
    return {zone.casefold(): zone for zone in available_timezones()} | {zone: zone for zone in LOCAL | NO_ZONE}
