"""Conservative regridding between regular and Gaussian grids: two small matrices, one per axis."""

import numpy as np
import xarray as xr

from sparta_core.data.conventions import AXES
from sparta_core.data.grid import check_globe, named, ordered
from sparta_core.errors import DataError

FINEST = 0.05  # degrees: finer than any global reanalysis


def global_grid(spacing: float) -> xr.Dataset:
    """Make the centres of cells `spacing` degrees apart: no row on a pole, the first column at 0 degrees east.

    Raises:
        DataError: the spacing does not divide 180 degrees.

    Example:
        >>> dict(global_grid(45).sizes)
        {'latitude': 4, 'longitude': 8}
    """
    if not (FINEST <= spacing <= 90 and np.isclose(180 % spacing, (0, spacing), rtol=0, atol=1e-9).any()):
        raise DataError(f"a grid of {spacing:g} degrees does not fit between the poles; "
                        f"choose a spacing that divides 180, from {FINEST:g} to 90")
    rows = round(180 / spacing)
    latitude = -90 + spacing * (np.arange(rows) + 0.5)
    return xr.Dataset(coords={"latitude": latitude, "longitude": spacing * np.arange(2 * rows)})


def regrid(days: xr.Dataset, spacing: float, where: str) -> xr.Dataset:
    """Average fields over the area of each cell of a coarser or finer grid, lazily.

    Args:
        days: fields (..., latitude, longitude) in any order, whose axes may be called lat and lon, of a whole globe.
            What lies along neither axis stays as it is.
        spacing: of the cells of `global_grid`, degrees.
        where: what errors call the source.

    Returns:
        The fields (..., latitude, longitude), float64.

    Raises:
        DataError: the days do not go around the globe, or the spacing fits no globe.
    """
    target, days = global_grid(spacing), ordered(named(days, AXES), where)
    check_globe(days, where)
    rows, columns = (overlaps(new, old, period) for new, old, period
                     in zip(_edges(target), _edges(days), (None, 360), strict=True))  # fmt: skip
    matrices = [xr.DataArray(rows, dims=("latitude", "old_latitude")),
                xr.DataArray(columns, dims=("longitude", "old_longitude"))]  # fmt: skip
    fields = {}
    for name, field in days.rename(latitude="old_latitude", longitude="old_longitude").data_vars.items():
        if {"old_latitude", "old_longitude"} <= {*field.dims}:
            moved = xr.dot(field.astype(np.float64), *matrices, dim=["old_latitude", "old_longitude"], optimize=True)
            field = moved.transpose(..., "latitude", "longitude").assign_attrs(field.attrs)
        fields[name] = field
    axes = {name: (name, target[name].values, days[name].attrs) for name in ("latitude", "longitude")}
    return xr.Dataset(fields, axes, days.attrs)


def overlaps(new: np.ndarray, old: np.ndarray, period: float | None = None) -> np.ndarray:
    """Shares (n, m) of each cell between `new` edges (n + 1,) in each between `old` ones (m + 1,); rows sum to 1."""
    shared = np.zeros((new.size - 1, old.size - 1))
    for shift in (0.0,) if period is None else (-period, 0.0, period):
        lower = np.maximum(new[:-1, None], old[None, :-1] + shift)
        upper = np.minimum(new[1:, None], old[None, 1:] + shift)
        shared += np.maximum(upper - lower, 0)
    return shared / shared.sum(1, keepdims=True)


def _edges(grid: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Of rows from pole to pole in sines, with which areas go, and of columns in degrees."""
    latitude, longitude = grid["latitude"].values, grid["longitude"].values
    half = 180 / longitude.size
    rows = np.concatenate([[-90], (latitude[:-1] + latitude[1:]) / 2, [90]])
    return np.sin(np.deg2rad(rows)), np.append(longitude - half, longitude[-1] + half)

