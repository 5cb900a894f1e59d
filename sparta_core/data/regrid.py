"""Conservative regridding: between regular and Gaussian grids by two small matrices, one per axis; else by binning."""

from collections.abc import Callable

import numpy as np
import scipy  # whose parts load when they are asked for
import xarray as xr

from sparta_core.data.clock import DAILY
from sparta_core.data.conventions import AXES
from sparta_core.data.domain import Domain, latitude_edges, longitude_edges
from sparta_core.data.grid import check_globe, domain_of, named, ordered
from sparta_core.data.labelled import coordinates
from sparta_core.errors import DataError

SHARED = 1e-3  # of a cell, that must have been observed
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
    rows, columns = _shares(*(domain_of(grid, DAILY) for grid in (days, target)))
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


def onto(days: xr.Dataset, old: Domain, new: Domain, where: str) -> xr.Dataset:
    """Move fields to the cells of another domain, NaN where nothing was observed.

    A cell takes the mean, by area, of what lies in it: on grids along latitude and longitude in proportion to what the
    cells share; to or from a projection of the cells whose centres it holds. Coarser fields stay as coarse as they are.

    Args:
        days: Ordered fields (..., time, latitude, longitude) or (..., time, y, x).
        old: Their domain.
        new: That to move them to.
        where: What errors call the source.

    Raises:
        DataError: Where the old cells do not cover the new ones.
    """
    inside = old.contains(*(axis.ravel() for axis in new.places()))
    if not inside.all():
        north, east = (axis.ravel()[~inside][0] for axis in new.places())
        raise DataError(f"{where} does not reach {north:g} north, {east:g} east, and {(~inside).sum() - 1} more of the "
                        f"model's points; it has {old.text()}")
    sums_of = _sums_over(old, new)
    fields = {name: ((*field.dims[:-2], *new.dims), _moved(field.values, sums_of), field.attrs)
              for name, field in days.data_vars.items()}  # fmt: skip
    coords = {name: days[name] for name in days.coords if not {*days[name].dims} & {*old.dims}}
    return xr.Dataset(fields, {**coords, **coordinates(new)}, days.attrs)


def _moved(values: np.ndarray, sums_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Values (..., H, W) of old cells as means over the new ones (..., h, w), of what is observed."""
    flat = values.reshape(-1, *values.shape[-2:]).astype(np.float64)
    there = np.isfinite(flat)
    sums, weights = sums_of(np.where(there, flat, 0)), sums_of(there.astype(np.float64))
    means = np.where(weights > SHARED, sums / np.where(weights > SHARED, weights, 1), np.nan)
    return means.reshape(*values.shape[:-2], *means.shape[-2:])


def _sums_over(old: Domain, new: Domain) -> Callable[[np.ndarray], np.ndarray]:
    """What makes of sheets (T, H, W) on old cells their sums (T, h, w), by area, over the new ones."""
    if old.projected or new.projected:
        matrix = _binned(old, new)
        return lambda sheets: (matrix @ sheets.reshape(len(sheets), -1).T).T.reshape(len(sheets), *new.shape)
    rows, columns = _shares(old, new)
    return lambda sheets: rows @ sheets @ columns.T


def _shares(old: Domain, new: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Of each new row and column the shares (h, H), (w, W) that lie in each old one; rows in sines, with areas."""
    new_rows, old_rows = (np.sin(np.deg2rad(latitude_edges(domain))) for domain in (new, old))
    return overlaps(new_rows, old_rows), overlaps(longitude_edges(new), longitude_edges(old), 360)


def _binned(old: Domain, new: Domain) -> "scipy.sparse.csr_array":
    """The areas (h w, H W) of the old cells whose centres lie nearest to each new one, the largest sum being 1.

    A new cell without any takes the old one nearest to it.
    """
    (sources, targets), area = (domain.positions().numpy().reshape(-1, 3) for domain in (old, new)), old.area().numpy()
    cell = scipy.spatial.cKDTree(targets).query(sources)[1]
    cell[~new.contains(*(axis.ravel() for axis in old.places()))] = len(targets)
    shape, places = (len(targets) + 1, len(sources)), (cell, np.arange(len(sources)))
    share = scipy.sparse.coo_array((area.ravel(), places), shape).tolil()[:-1]
    empty = np.flatnonzero(np.bincount(cell, minlength=len(targets) + 1)[:-1] == 0)
    share[empty, scipy.spatial.cKDTree(sources).query(targets[empty])[1]] = 1.0
    matrix: scipy.sparse.csr_array = share.tocsr()
    return matrix / float(matrix.sum(1).max())


def overlaps(new: np.ndarray, old: np.ndarray, period: float | None = None) -> np.ndarray:
    """Shares (n, m) of each cell between `new` edges (n + 1,) in each between `old` ones (m + 1,); rows sum to 1."""
    shared = np.zeros((new.size - 1, old.size - 1))
    for shift in (0.0,) if period is None else (-period, 0.0, period):
        lower = np.maximum(new[:-1, None], old[None, :-1] + shift)
        upper = np.minimum(new[1:, None], old[None, 1:] + shift)
        shared += np.maximum(upper - lower, 0)
    return shared / shared.sum(1, keepdims=True)
