"""Weather stations: a CSV of places, with or without what was measured there, on a model's grid."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy.spatial import cKDTree

from sparta_core.errors import DataError

PLACE = {"lat": 90, "lon": 360}  # columns in degrees, and the most that they may be


def read_stations(path: str) -> pd.DataFrame:
    """The CSV at `path`, with the columns lat and lon (degrees) at least; DataError for another."""
    try:
        table = pd.read_csv(path, index_col=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"cannot read the stations in {path} ({reason}); "
                        "give a CSV with the columns lat and lon") from error
    missing = [name for name in PLACE if name not in table.columns]
    if missing or table.empty:
        raise DataError(f"{path} has no {' and '.join(missing) or 'stations'}; it needs the columns lat and lon")
    for name, most in PLACE.items():
        table[name] = _numbers(table, name, path, most)
    return table


def nearest_points(stations: pd.DataFrame, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """(N,) the flat index in the grid (H, W) of the point that is nearest to each station, on the sphere."""
    grid = _unit_vectors(*(axis.ravel() for axis in np.meshgrid(latitude, longitude, indexing="ij")))
    nearest: np.ndarray = cKDTree(grid).query(_unit_vectors(*(stations[name].to_numpy() for name in PLACE)))[1]
    return nearest


def gridded_stations(path: str, latitude: np.ndarray, longitude: np.ndarray, variables: Sequence[str],
                     units: Sequence[str]) -> xr.Dataset:  # fmt: skip
    """What the stations in a CSV measured: the mean of those nearest to each grid point, NaN where there is none.

    Its columns are lat, lon, any of the variables, in `units`, and time where there are several. Returns
    (time, latitude, longitude), without time (latitude, longitude). DataError for another CSV.
    """
    table = read_stations(path)
    measured = [name for name in variables if name in table.columns]
    if not measured:
        raise DataError(f"{path} has none of the columns {', '.join(variables)}; name what was measured so")
    for name in measured:
        table[name] = _numbers(table, name, path)
    dated, times = "time" in table.columns, _times(table, path)
    points = np.unravel_index(nearest_points(table, latitude, longitude), (latitude.size, longitude.size))
    table = table.assign(time=times, row=points[0], column=points[1])
    made = table.groupby(["time", "row", "column"])[measured].mean().to_xarray()
    made = made.reindex(row=np.arange(latitude.size), column=np.arange(longitude.size))
    made = made.rename(row="latitude", column="longitude").assign_coords(latitude=latitude, longitude=longitude)
    for name in measured:
        made[name].attrs["units"] = units[variables.index(name)]
    return made if dated else made.isel(time=0, drop=True)


def _times(table: pd.DataFrame, path: str) -> pd.Series:
    if "time" not in table.columns:
        return pd.Series(pd.Timestamp(0), table.index)
    times = pd.to_datetime(table["time"], errors="coerce", format="ISO8601")
    bad = np.flatnonzero(times.isna())
    if bad.size:
        raise DataError(f"time in line {bad[0] + 2} of {path} is {table['time'][bad[0]]!r}; write it as 2001-12-31")
    return times


def _numbers(table: pd.DataFrame, name: str, path: str, most: float | None = None) -> pd.Series:
    """A column as numbers; without `most` it may have empty places. DataError for anything else."""
    numbers = pd.to_numeric(table[name], errors="coerce")
    wrong = numbers.isna() & table[name].notna() | np.isinf(numbers) if most is None else ~(numbers.abs() <= most)
    bad = np.flatnonzero(wrong)
    if bad.size:
        wanted = "as a number" if most is None else "in degrees"
        raise DataError(f"{name} in line {bad[0] + 2} of {path} is {table[name][bad[0]]!r}; write it {wanted}")
    return numbers.astype(float)


def _unit_vectors(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Places (N,) in degrees as points on the unit sphere (N, 3)."""
    lat, lon = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
