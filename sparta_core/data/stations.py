"""Weather stations: a table of places, and the points of a grid that they belong to."""

import os
import warnings
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import scipy  # whose parts load when they are asked for

from sparta_core.data.cells import at, cleaned, is_text, numbers
from sparta_core.data.columns import DEGREES, PLACES, PROBABLY, TIME, chosen, names_places, way
from sparta_core.data.domain import Domain
from sparta_core.data.sphere import on_sphere
from sparta_core.data.tables import read_table
from sparta_core.errors import DataError

Table: TypeAlias = "str | os.PathLike[str] | pd.DataFrame"
PLACE = {"lat": 90, "lon": 360}  # columns in degrees, and the most that they may be
FULL = {short: name for name, short in PLACES.items()}
OFFERED = {"lat": ("y",), "lon": ("x",)}  # columns that may be meant, and may be in metres


class Stations(NamedTuple):
    """Rows of a table with lat, lon and what was measured as numbers, called as the model does; others as they were."""

    table: pd.DataFrame
    units: dict[str, str]  # that the table says, "" where it says none
    headers: dict[str, str]  # what the table calls the columns that were found
    guessed: list[str]  # of them those whose headers are no names that are known


def called(source: Table) -> str:
    """Say what errors call a table."""
    return "the table" if isinstance(source, pd.DataFrame) else os.fspath(source)


def read_stations(source: Table) -> pd.DataFrame:
    """Read a table of places.

    Args:
        source: the path of a CSV, of another text with columns or of Parquet, or a DataFrame, with the columns lat and
            lon (or latitude and longitude, or alike; degrees) at least. A DataFrame's named index levels count as
            columns.

    Returns:
        A row for each place, with lat and lon as numbers; the other columns of a text as text. Its index is the lines
        of the text that rows begin in, or the rows of the DataFrame from 1 on.

    Raises:
        DataError: the table cannot be read, lacks a column, has one twice, or has a place that is none.

    Example:
        >>> read_stations(pd.DataFrame({"latitude": ["50.5"], "Lon.": [8]}))["lat"].tolist()
        [50.5]
    """
    return stations_of(source, {}).table


def stations_of(source: Table, variables: Mapping[str, str]) -> Stations:
    """Read a table of places, and of what was measured there.

    Args:
        source: as of `read_stations`.
        variables: the units of those that may be in it.

    Raises:
        DataError: as of `read_stations`, and for units that are none of the variable's.
    """
    where = called(source)
    table = _of_pandas(source) if isinstance(source, pd.DataFrame) else _numbered(read_table(source, names_places))
    twice = table.columns[table.columns.duplicated() & (table.columns != "")]
    if twice.size:
        raise DataError(f"{where} has the column {twice[0]!r} more than once; keep one")
    found = chosen(list(table.columns), {**dict.fromkeys(PLACES, ""), **variables}, where)
    headers = {PLACES.get(name, name): header for name, (header, _) in found.items()}
    read = {PLACES.get(name, name): meant for name, (_, meant) in found.items()}
    missing = [name for name in PLACE if name not in headers]
    if missing:
        near = [repr(header) for name in missing for header in table.columns if header.casefold() in OFFERED[name]]
        offer = f"; rename {' and '.join(near)}" if near else "; it needs the columns lat and lon"
        raise DataError(f"{where} has no {' and '.join(missing)}{offer}")
    table = table.rename(columns={header: name for name, header in headers.items()})
    units = {name: meant.units for name, meant in read.items()}
    below = _units_row(table, variables, [*headers])
    if below:
        units |= {name: below.get(name) or text for name, text in units.items()}
        units |= {name: text for name, text in below.items() if name not in units}
        table = table.iloc[1:]
    if table.empty:
        raise DataError(f"{where} has no stations; it needs the columns lat and lon, and a row for each")
    written, table = table, cleaned(table, list(headers), where)
    for name, most in PLACE.items():
        table[name] = numbers(table, name, where, most, written) * _sign(name, units[name], where)
    for name in headers.keys() - PLACE.keys():
        table[name] = numbers(table, name, where, written=written)
        if units[name] and variables[name] and way(units[name], variables[name], name) is None:
            raise DataError(f"{name} of {where} is in {units[name]!r:.60}; convert it to {variables[name]!r}")
    guessed = [name for name, meant in read.items() if meant.rank == PROBABLY]
    return Stations(table, units, headers, guessed)


def inside(stations: pd.DataFrame, domain: Domain, where: str = "the stations") -> pd.DataFrame:
    """Leave out the stations outside the cells of a grid that does not cover the globe; a warning says how many.

    Args:
        stations: N rows with lat and lon, as `read_stations` gives them.
        domain: the grid.
        where: what errors and warnings call the table.

    Returns:
        The rows of those in the grid.

    Raises:
        DataError: no station is in the grid.
    """
    lat, lon = (stations[name].to_numpy() for name in PLACE)
    within = domain.contains(lat, lon)
    if within.all():
        return stations
    first = within.argmin()
    told = (f"the grid, {domain.text()}, the first in "
            f"{at(stations, first)} at {lat[first]:g} north and {lon[first]:g} east")  # fmt: skip
    all_places, outside = (len(set(zip(lat[rows], lon[rows], strict=True))) for rows in (slice(None), ~within))
    if not within.any():
        raise DataError(f"all {all_places} stations of {where} lie outside {told}; give stations of this region")
    warnings.warn(f"{outside} of {all_places} stations of {where} lie outside {told}; they are left out", stacklevel=3)
    return stations[within]


def nearest_points(stations: pd.DataFrame, domain: Domain, where: str = "the stations") -> np.ndarray:
    """Find the point of a grid (H, W) that is nearest on the sphere to each of the N stations in it.

    Args:
        stations: rows with lat and lon, as `read_stations` gives them; those outside the grid are left out, as
            `inside` says.
        domain: the grid.
        where: what errors and warnings call the table.

    Returns:
        (N,) flat indices in the grid.

    Raises:
        DataError: no station is in the grid.

    Example:
        >>> globe = Domain(np.array([-45.0, 45]), np.array([0.0, 90, 180, 270]))
        >>> nearest_points(read_stations(pd.DataFrame({"lat": [50], "lon": [-80]})), globe).tolist()
        [7]
    """
    lat, lon = (inside(stations, domain, where)[name].to_numpy() for name in PLACE)
    points = scipy.spatial.cKDTree(domain.positions().flatten(0, 1).numpy())
    nearest: np.ndarray = points.query(on_sphere(lat, lon))[1]
    return nearest


def _of_pandas(source: pd.DataFrame) -> pd.DataFrame:
    if isinstance(source.index, pd.DatetimeIndex) and source.index.name is None:
        source = source.rename_axis(TIME)
    levels = [name for name in source.index.names if name is not None and name not in source.columns]
    table = source.reset_index(levels) if levels else source
    names = [" ".join(map(str, name if isinstance(name, tuple) else (name,))) for name in table.columns]
    return table.set_axis(names, axis=1).set_index(pd.RangeIndex(1, len(table) + 1, name="row"))


def _numbered(table: pd.DataFrame) -> pd.DataFrame:
    """A table from a file: one of Parquet as one of pandas."""
    return table if table.index.name == "line" else _of_pandas(table)


def _units_row(table: pd.DataFrame, variables: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """What the first row says of each column if it holds units, "deg, deg, degC, UTC"; nothing else."""
    if table.empty or not all(is_text(table[name]) for name in names):
        return {}
    row = {name: str(value).strip(" []()") for name, value in table.iloc[0].items()}
    places = all(not row[name] or DEGREES.fullmatch(row[name]) for name in PLACE)
    measured = [name for name in names if name in variables and row[name]]
    said = any(row[name] for name in names) and all(any(map(str.isalpha, row[name])) or row[name] in "°%1"
                                                    for name in measured)  # fmt: skip
    return {name: text for name, text in row.items() if text} if places and said else {}


def _sign(name: str, units: str, where: str) -> int:
    """-1 for degrees that are counted to the south or the west; DataError for what is not in degrees."""
    match = DEGREES.fullmatch(units)
    if match is None:
        raise DataError(f"{name} of {where} is in {units!r:.60}; write it in degrees")
    return -1 if (match["side"] or "").lower() in ("s", "south", "w", "west") else 1
