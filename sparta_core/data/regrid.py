"""Conservative regridding between regular and Gaussian grids: two small matrices, one per axis."""

import numpy as np
import xarray as xr

from sparta_core.data.conventions import AXES
from sparta_core.data.grid import check_globe, named, ordered
from sparta_core.errors import DataError

FINEST = 0.05  # degrees: finer than any global reanalysis


def global_grid(spacing: float) -> xr.Dataset:
    """Cell centres `spacing` degrees apart: no row on a pole, the first column at 0 degrees east."""
    if not (FINEST <= spacing <= 90 and np.isclose(180 % spacing, (0, spacing), rtol=0, atol=1e-9).any()):
        raise DataError(f"a grid of {spacing:g} degrees does not fit between the poles; "
                        f"choose a spacing that divides 180, from {FINEST:g} to 90")
    rows = round(180 / spacing)
    latitude = -90 + spacing * (np.arange(rows) + 0.5)
    return xr.Dataset(coords={"latitude": latitude, "longitude": spacing * np.arange(2 * rows)})


def regrid(days: xr.Dataset, spacing: float, where: str) -> xr.Dataset:
    """Fields (..., latitude, longitude) on `global_grid(spacing)`, float64, lazily: means over the area of each cell.

    Latitude and longitude may be in any order and be called lat and lon. What lies along neither of them stays as it
    is. DataError unless they go around the globe.
    """
    target, days = global_grid(spacing), ordered(named(days, AXES), where)
    check_globe(days, where)
    (new_rows, new_columns), (old_rows, old_columns) = _edges(target), _edges(days)
    rows, columns = overlaps(new_rows, old_rows), overlaps(new_columns, old_columns, period=360)
    matrices = [xr.DataArray(matrix, {name: days[name]}, (f"new_{name}", name))
                for name, matrix in (("latitude", rows), ("longitude", columns))]  # fmt: skip
    moved = xr.Dataset({name: _moved(field, matrices) if {"latitude", "longitude"} <= {*field.dims} else field
                        for name, field in days.data_vars.items()}, attrs=days.attrs)  # fmt: skip
    moved = moved.rename(new_latitude="latitude", new_longitude="longitude").assign_coords(target.coords)
    for name in ("latitude", "longitude"):
        moved[name].attrs = days[name].attrs
    return moved


def overlaps(new: np.ndarray, old: np.ndarray, period: float | None = None) -> np.ndarray:
    """Shares (n, m) of each cell between `new` edges (n + 1,) in each between `old` ones (m + 1,); rows sum to 1."""
    shared = np.zeros((new.size - 1, old.size - 1))
    for shift in (0.0,) if period is None else (-period, 0.0, period):
        lower = np.maximum(new[:-1, None], old[None, :-1] + shift)
        upper = np.minimum(new[1:, None], old[None, 1:] + shift)
        shared += np.maximum(upper - lower, 0)
    return shared / shared.sum(1, keepdims=True)


def _moved(field: xr.DataArray, matrices: list[xr.DataArray]) -> xr.DataArray:
    moved = xr.dot(field.astype(np.float64), *matrices, dim=["latitude", "longitude"], optimize=True)
    return moved.transpose(..., "new_latitude", "new_longitude").assign_attrs(field.attrs)


def _edges(grid: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Of rows from pole to pole in sines, with which areas go, and of columns in degrees."""
    latitude, longitude = grid["latitude"].values, grid["longitude"].values
    half = 180 / longitude.size
    rows = np.concatenate([[-90], (latitude[:-1] + latitude[1:]) / 2, [90]])
    return np.sin(np.deg2rad(rows)), np.append(longitude - half, longitude[-1] + half)

