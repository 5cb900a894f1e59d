"""Where the cells of a latitude-longitude grid lie on a map."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def longitude_edges(longitude: ArrayLike) -> NDArray[np.float64]:
    """The W + 1 cell edges of a cyclic axis in degrees east, 360 from first to last.

    >>> longitude_edges([0, 90, 180, 270])
    array([-45.,  45., 135., 225., 315.])
    """
    x = np.asarray(longitude, dtype=np.float64)
    around = np.concatenate([[x[-1] - 360.0], x, [x[0] + 360.0]])
    return (around[1:] + around[:-1]) / 2


def latitude_edges(latitude: ArrayLike) -> NDArray[np.float64]:
    """The H + 1 cell edges from pole to pole in degrees north, in the order of `latitude`.

    >>> latitude_edges([60, 0, -60])
    array([ 90.,  30., -30., -90.])
    """
    y = np.asarray(latitude, dtype=np.float64)
    pole = np.copysign(90.0, y[-1] - y[0])
    return np.concatenate([[-pole], (y[1:] + y[:-1]) / 2, [pole]])


def refined(edges: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The edges of `size` equal steps through the same cells, as in resizing without aligned corners.

    >>> refined(latitude_edges([45, -45]), 4)
    array([ 90.,  45.,   0., -45., -90.])
    """
    cells = len(edges) - 1
    return np.interp(np.linspace(0, cells, size + 1), np.arange(cells + 1), edges)


def from_seam(edges: NDArray[np.float64], seam: float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Edges from `seam` once around the globe, and the cell between each pair.

    The cell on the map's own edge is cut in two, so that no cell is drawn across the whole map.
    """
    starts = np.round((edges[:-1] - seam) % 360.0, 6) % 360.0
    order = np.argsort(starts)
    starts = starts[order]
    if starts[0] > 0:
        starts, order = np.insert(starts, 0, 0.0), np.insert(order, 0, order[-1])
    # A hair inside the map's edge, where rounding cannot throw a corner to the other side.
    return seam + np.clip(np.append(starts, 360.0), 1e-4, 360.0 - 1e-4), order


def cells_at(latitude: ArrayLike, longitude: ArrayLike, shape: tuple[int, int], y: ArrayLike, x: ArrayLike
             ) -> NDArray[np.intp]:  # fmt: skip
    """Flat index of the cell that holds each point.

    Args:
        latitude: the grid's own (H,), degrees north.
        longitude: (W,), degrees east.
        shape: rows and columns of the grid that is meant: (H, W), or finer over the same cells.
        y: latitudes of the points.
        x: longitudes of the points, from any meridian.

    Example:
        >>> cells_at([45, -45], [0, 90, 180, 270], (2, 4), [50, -50], [-90, 100])
        array([3, 5])
    """
    south_north = refined(latitude_edges(latitude), shape[0])
    descending = south_north[0] > south_north[-1]
    row = np.searchsorted(np.sort(south_north)[1:-1], y)
    row = shape[0] - 1 - row if descending else row
    west_east = refined(longitude_edges(longitude), shape[1])
    column = np.searchsorted(west_east[1:-1], (np.asarray(x) - west_east[0]) % 360 + west_east[0], side="right")
    return row * shape[1] + column
