"""Numbers as people write them in tables: with decimal commas, thousands apart, words for what is missing."""

import re
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sparta_core.errors import DataError

MISSING = ("nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nil", "missing", "m")  # in small letters
NO_WORD = re.compile(r"[\W_]*")  # "", "--", "///": neither a letter nor a digit
COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:[.' ]\d{3})+|\d*),\d+(?:[eE][+-]?\d+)?")  # 1.234,5 and ,5
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")  # 1,234.5
POINTED_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+")  # 12.345, beside 1,5
DECIMAL_POINT = re.compile(r"[+-]?(?:\d+(?:,\d{3})*)?\.\d+(?:[eE][+-]?\d+)?")
SIDE = re.compile(r"(?P<size>[\d.]+)\s*°?\s*(?P<side>[NESWO])", re.IGNORECASE)
SIGNS = {"n": "", "e": "", "o": "", "s": "-", "w": "-"}  # O is east in many languages


def is_text(column: pd.Series) -> bool:
    """Say whether a column of a table may hold text."""
    return bool(column.dtype == object or pd.api.types.is_string_dtype(column))


def cleaned(table: pd.DataFrame, names: Sequence[str], where: str) -> pd.DataFrame:
    """Write the numbers in the columns `names` as Python reads them, with NaN for what is missing.

    Whether commas are decimal is one decision for all these columns, and said; columns of numbers stay as they are.
    """
    text = {}
    for name in names:
        if is_text(table[name]):
            column = table[name].astype(object).copy()
            odd = pd.to_numeric(column, errors="coerce").isna()
            words = column[odd].map(lambda value: _plain(value) if isinstance(value, str) else value)
            column[odd] = words.where(~words.map(_is_missing).astype(bool), np.nan)
            text[name] = column
    cells = [value for column in text.values() for value in column if isinstance(value, str)]
    commas = [value for value in cells if "," in value]
    if not commas:
        return table.assign(**text)
    points = [value for value in cells if DECIMAL_POINT.fullmatch(value)]
    grouped = all(map(THOUSANDS.fullmatch, commas)) and not all(map(POINTED_THOUSANDS.fullmatch, points))
    if grouped:
        warnings.warn(f"commas in the numbers of {where} are read as marks of thousands", stacklevel=4)
        made = {name: column.map(_without_thousands) for name, column in text.items()}
    else:
        apart = bool(points) and all(map(POINTED_THOUSANDS.fullmatch, points))
        if any(map(COMMA.fullmatch, commas)):
            warnings.warn(f"commas in the numbers of {where} are read as decimal points", stacklevel=4)
        made = {name: column.map(lambda value: _pointed(value, apart)) for name, column in text.items()}
    return table.assign(**made)


def numbers(table: pd.DataFrame, name: str, where: str, most: float | None = None,
            written: pd.DataFrame | None = None) -> pd.Series:  # fmt: skip
    """Read a column as numbers, at most `most` (without, it may have empty places).

    Args:
        table: with columns that are `cleaned`.
        name: of the column.
        where: what errors call the table.
        most: what no number may exceed.
        written: the table as it was, for errors.

    Raises:
        DataError: for anything else.
    """
    column = table[name]
    made = pd.Series(pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan), table.index)
    wrong = made.isna() & column.notna() | np.isinf(made) if most is None else ~(made.abs() <= most)
    bad = np.flatnonzero(wrong)
    if bad.size:
        wanted = "as a number" if most is None else "in degrees"
        value = (table if written is None else written)[name].iloc[bad[0]]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise DataError(f"{name} in {at(table, bad[0])} of {where} is {shown:.60}; write it {wanted}")
    return made


def at(table: pd.DataFrame, row: int | np.integer) -> str:
    """Say where a row of a table is: "line 7"."""
    return f"{table.index.name} {table.index[row]}"


def _plain(value: str) -> str:
    """Without spaces around it, with a minus as Python has it, and with a sign instead of a letter: 8.25W is -8.25."""
    value = value.strip().replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")
    side = SIDE.fullmatch(value.replace(",", ".") if value.count(",") == 1 else value)
    return SIGNS[side["side"].lower()] + side["size"] if side else value


def _is_missing(value: object) -> bool:
    return isinstance(value, str) and (value.casefold() in MISSING or NO_WORD.fullmatch(value) is not None)


def _without_thousands(value: object) -> object:
    return value.replace(",", "") if isinstance(value, str) and THOUSANDS.fullmatch(value) else value


def _pointed(value: object, apart: bool) -> object:
    if not isinstance(value, str):
        return value
    if COMMA.fullmatch(value):
        return re.sub(r"[.' ]", "", value).replace(",", ".")
    return value.replace(".", "") if apart and POINTED_THOUSANDS.fullmatch(value) else value
