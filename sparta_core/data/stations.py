"""Weather stations: a table of places, a CSV or of pandas, and the points of a grid that they belong to."""

import csv
import io
import os
import re
import warnings
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from sparta_core.data.domain import Domain, on_sphere
from sparta_core.errors import DataError, one_line

Table: TypeAlias = "str | os.PathLike[str] | pd.DataFrame"
PLACE = {"lat": 90, "lon": 360}  # columns in degrees, and the most that they may be
WHOLE = {"lat": "latitude", "lon": "longitude"}  # what they may be called, too
ALIKE = {"lat": ("y", "lats", "latitudes"), "lon": ("lng", "long", "x", "lons", "longitudes")}  # and what is offered
MISSING = ("", "nan", "na", "n/a", "null", "none", "-", "--")  # words for no value, in small letters
DECIMAL_COMMA = re.compile(r"^\s*([+-]*\d+),(\d+)\s*$")


def called(source: Table) -> str:
    """Say what errors call a table."""
    return "the table" if isinstance(source, pd.DataFrame) else os.fspath(source)


def read_stations(source: Table) -> pd.DataFrame:
    """Read a table of places.

    Args:
        source: the path of a CSV, or a DataFrame, with the columns lat and lon (or latitude and longitude, degrees) at
            least. A DataFrame's named index levels count as columns.

    Returns:
        A row for each place, with lat and lon as numbers; the other columns of a CSV as text. Its index is the lines
        of the CSV that rows begin in, or the rows of the DataFrame from 1 on.

    Raises:
        DataError: the table cannot be read, lacks a column, has one twice, or has a place that is none.

    Example:
        >>> read_stations(pd.DataFrame({"latitude": ["50.5"], "longitude": [8]}))["lat"].tolist()
        [50.5]
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
    """Say where a row of a table is: "line 7"."""
    return f"{table.index.name} {table.index[row]}"


def numbers(table: pd.DataFrame, name: str, where: str, most: float | None = None) -> pd.Series:
    """Read a column as numbers, at most `most` (without, it may have empty places); DataError for anything else."""
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
    """Find the point of a grid (H, W) that is nearest on the sphere to each of N stations.

    Args:
        stations: N rows with lat and lon, as `read_stations` gives them.
        domain: the grid.
        where: what errors call the table.

    Returns:
        (N,) flat indices in the grid.

    Raises:
        DataError: a station lies outside the cells of a grid that does not cover the globe.

    Example:
        >>> globe = Domain(np.array([-45.0, 45]), np.array([0.0, 90, 180, 270]))
        >>> nearest_points(read_stations(pd.DataFrame({"lat": [50], "lon": [-80]})), globe).tolist()
        [7]
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
    """Read a CSV's columns as text, less rows without a value and comments, which begin with #.

    Columns lie between commas, semicolons or tabs, whichever the header has most of.
    """
    remedy = "give a CSV with the columns lat and lon"
    try:
        text = _decoded(Path(path).read_bytes())
        header = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        between = max(",;\t", key=header.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=between, skipinitialspace=between != "\t",
                            strict=True)  # fmt: skip
        rows, begin = {}, 1  # by the line that each begins in
        for row in reader:
            if any(map(str.strip, row)) and not row[0].startswith("#"):
                rows[begin] = row
            begin = reader.line_num + 1
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"cannot read the stations in {where} ({one_line(error)}); {remedy}") from error
    if not rows:
        raise DataError(f"cannot read the stations in {where} (it is empty); {remedy}")
    if between != ",":
        pointed = {line: [DECIMAL_COMMA.sub(r"\1.\2", value) for value in row] for line, row in rows.items()}
        if pointed != rows:
            warnings.warn("the columns of the stations lie between semicolons or tabs; commas in their numbers are "
                          "read as decimal points", stacklevel=2)  # fmt: skip
        rows = pointed
    names = [name.strip() for name in rows.pop(min(rows))]
    for line, row in rows.items():
        if len(row) != len(names):
            raise DataError(f"line {line} of {where} has {len(row)} values, its header {len(names)} columns; "
                            "write one for each")
    return pd.DataFrame([*rows.values()], pd.Index([*rows], name="line"), names, str)


def _decoded(content: bytes) -> str:
    """Decode what spreadsheets write: UTF-8 and UTF-16 with their marks, else Latin 1."""
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")
