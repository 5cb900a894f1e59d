"""Dates as people write them in tables: one column or several, day first or month first, with a zone or in UTC."""

import re
import warnings

import numpy as np
import pandas as pd

from sparta_core.data.cells import at, is_text
from sparta_core.data.columns import BRACKETED, TIME, meant
from sparta_core.data.times import utc
from sparta_core.data.zones import NO_ZONE, OFFSETS, by_row, from_header, zones
from sparta_core.errors import DataError

PARTS = {"year": ("year", "yyyy", "yr"), "month": ("month", "mon", "mo"), "day": ("day", "dd", "dy"),
         "hour": ("hour", "hours", "hh", "hr", "hour_utc"), "minute": ("minute", "min", "mi")}  # fmt: skip
ORDERED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:[T ,]+(.*))?")  # 31.12.2001 6:00
MONTH = re.compile(r"(?=.*\d{4})(?=.*[^\W\d]{3}).*")  # 31 Dec 2001
CLOCK = re.compile(r"(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?(?:\.0+)?\s*(am|pm|h|z|utc|gmt)?", re.IGNORECASE)
MIDNIGHT = re.compile(r"(?<=[T ])24(?::?00){0,2}")
SINCE = re.compile(r"(days|hours|minutes|seconds) since (.+)", re.IGNORECASE)


def moments_of(table: pd.DataFrame, units: dict[str, str], where: str) -> tuple[np.ndarray | None, list[str]]:
    """Read when the rows of a table are of.

    Args:
        table: with a column of dates, called time, date or alike; or with another of clocks or hours beside it; or
            with year, month, day, and with hour and minute or without.
        units: what a row below the header says of each column.
        where: what errors and warnings call the table.

    Returns:
        The moments (N,) in UTC, datetime64[us], None where no column is of dates; and the columns that they are from.

    Raises:
        DataError: a date is none, or may be two.
    """
    bare = {name: BRACKETED.sub(" ", name).strip() for name in map(str, table.columns)}
    parts = {part: name for part, names in PARTS.items() for name, text in bare.items() if _joined(text) in names}
    dated = [name for name, text in bare.items() if text and _split(text)]
    if {"year", "month", "day"} <= parts.keys():
        dates = [pd.to_numeric(table[parts[part]], errors="coerce") for part in ("year", "month", "day")]
        days = pd.to_datetime(dict(zip(("year", "month", "day"), dates, strict=True)), errors="coerce")
        used = [parts[part] for part in ("year", "month", "day")]
        _check(table, days, used[-1], where)
        made = days.to_numpy("datetime64[us]")
        clocks = [name for part, name in parts.items() if part == "hour"] or [
            name for name in dated if name not in used and _of_clocks(table[name])]  # fmt: skip
    else:
        clocks = [name for name in dated if _of_clocks(table[name])] if len(dated) > 1 else []
        dated = [name for name in dated if name not in clocks]
        if not dated:
            return None, []
        name = TIME if TIME in dated else dated[0]
        if name != TIME and len(dated) > 1:
            raise DataError(f"{where} has the columns {dated[0]} and {dated[1]}, both of dates; keep one")
        made, used = _of_dates(table, name, _said(name, units), where), [name]
        clocks = clocks or [parts[part] for part in ("hour",) if part in parts]
        whole_days = made == made.astype("datetime64[D]")
        clocks = clocks if whole_days.all() else []
    if clocks:
        made = made + _of_day(table, clocks[0], where)
        used.append(clocks[0])
        if "minute" in parts:
            used.append(parts["minute"])
            minutes = pd.to_numeric(table[parts["minute"]], errors="coerce").fillna(0).astype(int)
            made = made + minutes.to_numpy("timedelta64[m]")
    if len(used) > 1:
        warnings.warn(f"the columns {', '.join(used)} of {where} are read together as times: {table[used[0]].iloc[0]} "
                      f"and so on is {np.datetime_as_string(made[0], 'm')}", stacklevel=4)  # fmt: skip
    if (made == made.astype("datetime64[D]")).all():
        return made, used  # dates of daily means, which belong to no zone
    said = [_said(name, units) for name in used]
    zone = next((text for text in said if text.casefold() not in NO_ZONE and not SINCE.fullmatch(text)), "")
    ahead = next((name for name, text in bare.items() if _joined(text) in OFFSETS), None)
    if not zone and ahead:
        return by_row(made, table, used[0], ahead, where), [*used, ahead]
    return from_header(made, table[used[0]], zone, where), used


def _of_dates(table: pd.DataFrame, name: str, said: str, where: str) -> np.ndarray:
    """The moments (N,) in a column, those with a zone in UTC."""
    column = table[name]
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if since := SINCE.fullmatch(said):
        steps = pd.to_timedelta(pd.to_numeric(column, errors="coerce"), unit=since[1].lower(), errors="coerce")
        made = utc((pd.to_datetime(since[2], utc=True, errors="coerce").tz_localize(None) + steps).to_numpy(), where)
        _check(table, made, name, where)
        return made
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64").astype(str)  # 20011231 beside an empty place
    if column.dtype.kind in "iu":
        column = column.astype(str)
    if not is_text(column) or not column.map(lambda value: isinstance(value, str)).all():
        made = utc(column.to_numpy(), where)
        _check(table, made, name, where)
        return made
    text = column.str.strip().str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True, case=False)
    text = text.str.replace(r"^(\d{8})[ T]?(\d{2})(\d{2})?$", r"\1T\2\3", regex=True)
    late = text.str.contains(MIDNIGHT).to_numpy()
    text = text.str.replace(MIDNIGHT, "00:00", regex=True)
    made = np.array(utc(text.where(text.str.contains(r"\d"), "").to_numpy(), where))
    others = np.isnat(made)
    if others.any():
        rest = text[others]
        made[others] = _ordered(rest, column[others], said, where)
    _check(table, made, name, where)
    return np.where(late, made + np.timedelta64(1, "D"), made)


def _ordered(text: pd.Series, written: pd.Series, said: str, where: str) -> np.ndarray:
    """The moments of dates with the year last, or the month in words; NaT for others."""
    found = [ORDERED.fullmatch(value) for value in text]
    pairs = np.array([(int(match[1]), int(match[3])) for match in found if match]).reshape(-1, 2)
    day_first = bool((pairs[:, 0] > 12).any()) or said.casefold().startswith("dd")
    month_first = bool((pairs[:, 1] > 12).any()) or said.casefold().startswith("mm")
    unclear = [index for index, match in enumerate(found) if match and match[1] != match[3]]
    if day_first and month_first:
        both = [next(index for index in unclear if int(found[index][place]) > 12) for place in (1, 3)]  # type: ignore[index]
        words = " and ".join(repr(written.iloc[index]) for index in both)
        raise DataError(f"the dates {words} of {where} are day first and month first; write all as 2001-12-31")
    if unclear and not day_first and not month_first:
        match = found[unclear[0]]
        assert match is not None
        if match[2] != ".":  # which nobody writes between month and day
            raise DataError(f"the date {written.iloc[unclear[0]]!r} of {where} may be day first or month first, and no "
                            "other row tells; write it as 2001-12-31")
    iso = []
    for value, match in zip(text, found, strict=True):
        if match is None:
            iso.append(value if MONTH.fullmatch(value) else "")
            continue
        month, day = (match[1], match[3]) if month_first else (match[3], match[1])
        year = match[4] if len(match[4]) == 4 else f"{'20' if int(match[4]) < 70 else '19'}{match[4]}"
        iso.append(f"{year}-{int(month):02}-{int(day):02} {match[5] or ''}".strip())
    made = pd.to_datetime(pd.Series(iso, dtype=object), format="mixed", utc=True, errors="coerce")
    shown = next((index for index in unclear if not pd.isna(made.iloc[index])), None)
    if shown is not None:
        order = "month" if month_first else "day"
        warnings.warn(f"the dates of {where} are read {order} first: {written.iloc[shown]!r} is "
                      f"{str(made.iloc[shown])[:10]}", stacklevel=6)  # fmt: skip
    return made.dt.tz_localize(None).to_numpy("datetime64[us]")


def _of_clocks(column: pd.Series) -> bool:
    return bool(column.map(lambda value: CLOCK.fullmatch(str(value).strip()) is not None).all())


def _of_day(table: pd.DataFrame, name: str, where: str) -> np.ndarray:
    """The time of day (N,) in a column of hours, 6 or 0600 or 6:00 or 6 PM."""
    text = table[name].map(lambda value: str(value).strip())
    size = 4 if text.str.fullmatch(r"\d{3,4}").any() else 0  # of hours and minutes, of which 30 is half past midnight
    made = np.full(len(text), np.timedelta64("NaT"), "timedelta64[m]")
    for index, match in enumerate(CLOCK.fullmatch(value.zfill(size)) for value in text):
        if match is None:
            continue
        hour, half = int(match[1]), (match[4] or "").lower()
        hour = hour % 12 + 12 * (half == "pm") if half in ("am", "pm") else hour
        if hour <= 24 and int(match[2] or 0) < 60:
            made[index] = 60 * hour + int(match[2] or 0)
    bad = np.flatnonzero(np.isnat(made))
    if bad.size:
        raise DataError(f"{name} in {at(table, bad[0])} of {where} is {text.iloc[bad[0]]!r:.60}; write it as 06:00")
    return made


def _said(name: str, units: dict[str, str]) -> str:
    """What the header or the row below it says of a column."""
    inside = next(iter(BRACKETED.findall(name)), "").strip()
    split = _split(BRACKETED.sub(" ", name).strip())
    return units.get(name) or inside or (split[1] if split else "")


def _split(text: str) -> tuple[str, str] | None:
    """A name of times and the zone that stands before or after it: "time" and "UTC" of "UTC time"; None of others."""
    words = re.split(r"[\s_]+", text)
    for zone, rest in (("", words), (words[-1], words[:-1]), (words[0], words[1:])):
        if rest and (not zone or zone.casefold() in zones()) and meant(" ".join(rest), (TIME,)):
            return " ".join(rest), zones().get(zone.casefold(), "")
    return None


def _check(table: pd.DataFrame, made: pd.Series | np.ndarray, name: str, where: str) -> None:
    bad = np.flatnonzero(pd.isna(made))
    if bad.size:
        raise DataError(f"{name} in {at(table, bad[0])} of {where} is {str(table[name].iloc[bad[0]])!r:.60}; "
                        "write it as 2001-12-31")


def _joined(text: str) -> str:
    return re.sub(r"\W+", "_", text.casefold()).strip("_")
