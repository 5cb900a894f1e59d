"""Where the cells of a domain lie on a map."""

import numpy as np
import scipy  # whose parts load when they are asked for
from numpy.typing import ArrayLike, NDArray

from sparta_core.data.domain import Domain, latitude_edges, longitude_edges
from sparta_core.data.sphere import degrees, edges, on_sphere

HAIR = 1e-4  # degrees inside a map's edge, where rounding cannot throw a corner to the other side


def refined(edges: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """The edges of `size` equal steps through the same cells, as in resizing without aligned corners.

    >>> refined(np.array([-90.0, 0, 90]), 4)
    array([-90., -45.,   0.,  45.,  90.])
    """
    cells = len(edges) - 1
    return np.interp(np.linspace(0, cells, size + 1), np.arange(cells + 1), edges)


def corners(domain: Domain, shape: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The latitudes and longitudes (h + 1, w + 1) of the corners of `shape` cells over the domain's, in degrees."""
    if not domain.projected:
        rows, columns = refined(latitude_edges(domain), shape[0]), refined(longitude_edges(domain), shape[1])
        north, east = np.meshgrid(rows, columns, indexing="ij")
        return north, east
    points = domain.positions().numpy()
    for axis, size in enumerate(shape):
        points = np.apply_along_axis(lambda line, size: refined(edges(line), size), axis, points, size)
    return degrees(points)


def from_seam(edges: NDArray[np.float64], seam: float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Edges from `seam` once around the globe, and the cell between each pair.

    The cell on the map's own edge is cut in two, so that no cell is drawn across the whole map.
    """
    starts = np.round((edges[:-1] - seam) % 360.0, 6) % 360.0
    order = np.argsort(starts)
    starts = starts[order]
    if starts[0] > 0:
        starts, order = np.insert(starts, 0, 0.0), np.insert(order, 0, order[-1])
    return seam + np.clip(np.append(starts, 360.0), HAIR, 360.0 - HAIR), order


def cells_at(domain: Domain, shape: tuple[int, int], y: ArrayLike, x: ArrayLike) -> NDArray[np.intp]:
    """Flat index of the cell that holds each point of a domain; of a projection the one whose centre is nearest.

    Args:
        domain: holds the points.
        shape: rows and columns of the grid that is meant: the domain's, or finer over the same cells.
        y: latitudes of the points.
        x: longitudes of the points, from any meridian.

    Example:
        >>> cells_at(Domain(np.array([-45.0, 45]), np.array([0.0, 90, 180, 270])), (2, 4), [-50, 50], [-90, 100])
        array([3, 5])
    """
    if domain.projected:
        centres = domain.resized(shape).positions().numpy().reshape(-1, 3)
        nearest: NDArray[np.intp] = scipy.spatial.cKDTree(centres).query(on_sphere(np.asarray(y), np.asarray(x)))[1]
        return nearest
    row = np.searchsorted(refined(latitude_edges(domain), shape[0])[1:-1], y)
    west_east = refined(longitude_edges(domain), shape[1])
    column = np.searchsorted(west_east[1:-1], (np.asarray(x) - west_east[0]) % 360 + west_east[0], side="right")
    return row * shape[1] + column
