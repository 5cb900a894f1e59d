"""Places on the unit sphere, and the edges and corners of cells around them."""

import numpy as np


def on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Places (...) in degrees as points on the unit sphere (..., 3).

    Example:
        >>> on_sphere(np.array(90.0), np.array(0.0)).round(9).tolist()
        [0.0, 0.0, 1.0]
    """
    y, x = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


def degrees(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the latitudes and longitudes (...) towards which points (..., 3) lie.

    Example:
        >>> degrees(np.array([[0.0, -0.9, 0.0]]))
        (array([0.]), array([-90.]))
    """
    x, y, z = np.moveaxis(points, -1, 0)
    return np.rad2deg(np.arctan2(z, np.hypot(x, y))), np.rad2deg(np.arctan2(y, x))


def edges(axis: np.ndarray) -> np.ndarray:
    """Edges (n + 1,) of the cells around an ascending `axis` (n,), half way to the neighbours; one cell is all."""
    if axis.size == 1:
        return np.array([-90.0, 90.0])
    inner = (axis[:-1] + axis[1:]) / 2
    return np.concatenate([[2 * axis[0] - inner[0]], inner, [2 * axis[-1] - inner[-1]]])


def corners(centres: np.ndarray) -> np.ndarray:
    """Corners (H + 1, W + 1, 3) of cells on the unit sphere: means of four centres (H, W, 3), evenly beyond ends."""
    for axis in (0, 1):
        first, second, last, before = (centres.take([k], axis) for k in (0, 1, -1, -2))
        wide = np.concatenate([2 * first - second, centres, 2 * last - before], axis)
        centres = (wide.take(range(1, wide.shape[axis]), axis) + wide.take(range(wide.shape[axis] - 1), axis)) / 2
    corners: np.ndarray = centres / np.linalg.norm(centres, axis=-1, keepdims=True)
    return corners


def quadrilaterals(corners: np.ndarray) -> np.ndarray:
    """Solid angles (H, W) between corners (H + 1, W + 1, 3): two triangles each (Van Oosterom and Strackee, 1983)."""
    a, b, c, d = corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]
    return _triangles(a, b, c) + _triangles(a, c, d)


def _triangles(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    volume = np.abs((a * np.cross(b, c)).sum(-1))
    angle: np.ndarray = 2 * np.arctan2(volume, 1 + (a * b).sum(-1) + (b * c).sum(-1) + (c * a).sum(-1))
    return angle


def resized(axis: np.ndarray, size: int) -> np.ndarray:
    """The centres of `size` equal steps through the cells of `axis`, extended evenly at its ends."""
    count = len(axis)
    place = (np.arange(size) + 0.5) * count / size - 0.5
    ends = 2 * axis[0] - axis[1], 2 * axis[-1] - axis[-2]
    return np.interp(place, np.arange(-1, count + 1), np.concatenate([ends[:1], axis, ends[1:]]))


def resized_points(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Points (h, w, 3) in equal steps through those (H, W, 3) of cells, extended evenly at the ends."""
    for axis, size in enumerate(shape):
        points = np.apply_along_axis(resized, axis, points, size)
    return points
