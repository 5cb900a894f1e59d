"""Weather stations: a table of places, a CSV or of pandas, and the points of a grid that they belong to."""

import csv
import io
import os
import warnings
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from sparta_core.data.domain import Domain, on_sphere
from sparta_core.errors import DataError

Table: TypeAlias = "str | os.PathLike[str] | pd.DataFrame"
PLACE = {"lat": 90, "lon": 360}  # columns in degrees, and the most that they may be
WHOLE = {"lat": "latitude", "lon": "longitude"}  # what they may be called, too
ALIKE = {"lat": ("y", "lats", "latitudes"), "lon": ("lng", "long", "x", "lons", "longitudes")}  # and what is offered
MISSING = ("", "nan", "na", "n/a", "null", "none", "-", "--")  # words for no value, in small letters


def called(source: Table) -> str:
    """What errors call a table."""
    return "the table" if isinstance(source, pd.DataFrame) else os.fspath(source)


def read_stations(source: Table) -> pd.DataFrame:
    """The CSV at a path, or a DataFrame, with the columns lat and lon (degrees) at least; DataError for another.

    Columns of a CSV are text but for these two, its index the lines that rows begin in; a DataFrame's named index
    levels become columns, its index the rows from 1 on.
    """
    where = called(source)
    table = _of_pandas(source) if isinstance(source, pd.DataFrame) else _of_csv(source, where)
    twice = table.columns[table.columns.duplicated() & (table.columns != "")]
    if twice.size:
        raise DataError(f"{where} has the column {twice[0]!r} more than once; keep one")
    for name, whole in WHOLE.items():
        if name in table.columns and whole in table.columns:
            raise DataError(f"{where} has the columns {name} and {whole}; keep one")
    table = table.rename(columns={whole: name for name, whole in WHOLE.items()})
    missing = [name for name in PLACE if name not in table.columns]
    if missing:
        near = [repr(column) for name in missing for column in table.columns
                if column.casefold() in (name, WHOLE[name], *ALIKE[name])]  # fmt: skip
        offer = f"; rename {' and '.join(near)}" if near else "; it needs the columns lat and lon"
        raise DataError(f"{where} has no {' and '.join(missing)}{offer}")
    if table.empty:
        raise DataError(f"{where} has no stations; it needs the columns lat and lon, and a row for each")
    for name, most in PLACE.items():
        table[name] = numbers(table, name, where, most)
    return table


def at(table: pd.DataFrame, row: int | np.integer) -> str:
    """Where a row of a table is, in words: "line 7"."""
    return f"{table.index.name} {table.index[row]}"


def numbers(table: pd.DataFrame, name: str, where: str, most: float | None = None) -> pd.Series:
    """A column as numbers; without `most` it may have empty places. DataError for anything else."""
    column = table[name]
    if column.dtype == object or pd.api.types.is_string_dtype(column):
        column = column.where(~column.astype(str).str.strip().str.casefold().isin(MISSING))
    made = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = made.isna() & column.notna() | np.isinf(made) if most is None else ~(made.abs() <= most)
    bad = np.flatnonzero(wrong)
    if bad.size:
        wanted = "as a number" if most is None else "in degrees"
        value = table[name].iloc[bad[0]]
        shown = repr(value) if isinstance(value, str) else str(value)
        raise DataError(f"{name} in {at(table, bad[0])} of {where} is {shown:.60}; write it {wanted}")
    return made


def nearest_points(stations: pd.DataFrame, domain: Domain, where: str = "the stations") -> np.ndarray:
    """(N,) the flat index in the grid (H, W) of the point that is nearest to each station, on the sphere.

    DataError for a station outside the cells of a grid that does not cover the globe.
    """
    lat, lon = (stations[name].to_numpy() for name in PLACE)
    bad = np.flatnonzero(~domain.contains(lat, lon))
    if bad.size:
        latitude, longitude = domain.latitude, domain.longitude
        raise DataError(f"the station in {at(stations, bad[0])} of {where}, at {lat[bad[0]]:g} north and "
                        f"{lon[bad[0]]:g} east, lies outside the grid, {latitude[0]:g} to {latitude[-1]:g} north and "
                        f"{longitude[0]:g} to {longitude[-1]:g} east; leave it out")
    points = cKDTree(domain.positions().flatten(0, 1).numpy())
    nearest: np.ndarray = points.query(on_sphere(lat, lon))[1]
    return nearest


def _of_pandas(source: pd.DataFrame) -> pd.DataFrame:
    levels = [name for name in source.index.names if name is not None and name not in source.columns]
    table = source.reset_index(levels) if levels else source
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    return table.set_index(pd.RangeIndex(1, len(table) + 1, name="row"))


def _of_csv(path: str | os.PathLike[str], where: str) -> pd.DataFrame:
    """A CSV's columns as text, less rows without a value and comments, which begin with #."""
    try:
        content = Path(path).read_bytes()
        rows = list(_rows(_decoded(content)))
    except (OSError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"cannot read the stations in {where} ({reason}); "
                        "give a CSV with the columns lat and lon") from error
    if not rows:
        raise DataError(f"cannot read the stations in {where} (it is empty); give a CSV with the columns lat and lon")
    (_, header), *rows = rows
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(f"line {line} of {where} has {len(row)} values, its header {len(header)} columns; "
                            "write one for each")
    lines: list[Hashable] = [line for line, _ in rows]
    return pd.DataFrame([row for _, row in rows], pd.Index(lines, name="line"), [name.strip() for name in header], str)


def _decoded(content: bytes) -> str:
    """Text of the encodings in which spreadsheets write: UTF-8 and UTF-16 with their marks, else Latin 1."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The line that each row begins in, and its values; columns lie between commas, semicolons or tabs."""
    header = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    between = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, skipinitialspace=between != "\t", strict=True)
    decimal = False
    before = 0
    for row in reader:
        line, before = before + 1, reader.line_num
        if not any(map(str.strip, row)) or row[0].startswith("#"):
            continue
        if between != ",":
            changed = [_pointed(value) for value in row]
            decimal, row = decimal or changed != row, changed
        yield line, row
    if decimal:
        warnings.warn("the columns of the stations lie between semicolons or tabs; commas in their numbers are read as "
                      "decimal points", stacklevel=2)  # fmt: skip


def _pointed(value: str) -> str:
    """A number with a decimal comma, with a point; anything else as it is."""
    whole, comma, part = value.strip().partition(",")
    return f"{whole}.{part}" if comma and part.isdigit() and whole.lstrip("+-").isdigit() else value
