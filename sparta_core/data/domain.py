"""The domain of fields: where on the sphere their cells lie, whether longitude closes, and how time goes on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

DAY, YEAR = np.timedelta64(1, "D"), np.timedelta64(8766, "h")
TINY = 1e-4  # degrees: what rounding makes of a pole or of Greenwich


@dataclass(frozen=True, eq=False)
class Domain:
    """A grid of cells and a time step; what else code needs to know of them is found here.

    Args:
        latitude: (H,) degrees north, ascending.
        longitude: (W,) degrees east, ascending, of a globe or of a region.
        step: The time between two fields.

    Others ask it for areas, positions and neighbours and compute none of them: a projection, with latitude and
    longitude (H, W), would bring its own, from the corners of its cells.

    Example:
        >>> globe = Domain(np.array([-45.0, 45]), np.array([0.0, 90, 180, 270]))
        >>> globe.shape, globe.periodic_x, len(globe.cycles)
        ((2, 4), True, 1)
    """

    latitude: np.ndarray
    longitude: np.ndarray
    step: np.timedelta64 = DAY

    @classmethod
    def of(cls, latitude: np.ndarray, longitude: np.ndarray, time: np.ndarray) -> "Domain":
        """The domain of fields at times (T,), datetime64, in equal steps; a single one is of a day."""
        return cls(latitude, longitude, time[1] - time[0] if time.size > 1 else DAY)

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.latitude.size, self.longitude.size

    @property
    def cycles(self) -> tuple[np.timedelta64, ...]:
        """The cycles of the climate that the time step resolves: of daily fields the year."""
        return tuple(cycle for cycle in (YEAR, DAY) if self.step < cycle)

    @cached_property
    def periodic_x(self) -> bool:
        """Whether the first column is the last one's neighbour."""
        return closes(self.longitude)

    @cached_property
    def spans_poles(self) -> bool:
        """Whether the rows reach from pole to pole in nearly equal steps."""
        steps = np.diff(self.latitude)
        # Gaussian rows are unequal by a hundredth, and the outer ones lie 0.77 steps from the poles.
        step = float(np.median(steps)) if steps.size else 0.0
        whole = np.ptp(self.latitude) + 1.6 * step >= 180
        return bool(whole and np.allclose(steps, step, rtol=1e-2, atol=20 * TINY))

    def area(self) -> Tensor:
        """Find the areas of the cells on the sphere, between the sines of their southern and northern edges.

        Returns:
            (H, W) float64 with mean 1. A row on a pole is half a cell.
        """
        heights = np.diff(np.sin(np.deg2rad(_edges(self.latitude).clip(-90, 90))))
        widths = np.ones(self.longitude.size) if self.periodic_x else np.diff(_edges(self.longitude))
        rows, columns = (sizes * (sizes.size / sizes.sum()) for sizes in (heights, widths))
        return torch.from_numpy(rows[:, None] * columns)

    def positions(self) -> Tensor:
        """Find the centres of the cells as points on the unit sphere: (H, W, 3) float64."""
        return torch.from_numpy(on_sphere(*np.meshgrid(self.latitude, self.longitude, indexing="ij")))

    def pad(self, x: Tensor, width: int) -> Tensor:
        """Add `width` cells on every side of maps (B, C, H, W), as `pad_globe` does."""
        return pad_globe(x, width, self.periodic_x)

    def resized(self, shape: tuple[int, int]) -> "Domain":
        """The domain of fields that are enlarged to a shape: equal steps through the cells, evenly beyond the ends."""
        latitude, longitude = (_resized(axis, size) for axis, size in
                               zip((self.latitude, self.longitude), shape, strict=True))  # fmt: skip
        return Domain(latitude, longitude, self.step)

    def contains(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Say which places (N,), in degrees, lie in the cells; an axis of one point holds all."""
        inside = np.ones(latitude.shape, bool)
        if self.latitude.size > 1:
            (first, last), steps = self.latitude[[0, -1]], np.diff(self.latitude)[[0, -1]]
            # No further row fits between an outer one and the pole: what lies there is in its cells.
            inside &= (latitude >= first - steps[0] / 2) | (first - steps[0] < -90)
            inside &= (latitude <= last + steps[1] / 2) | (last + steps[1] > 90)
        if self.longitude.size > 1 and not self.periodic_x:
            east = np.sort(self.longitude % 360)  # a region around Greenwich may be written as 340..20
            gaps = np.diff(east, append=east[0] + 360)
            half, widest = np.median(gaps) / 2, int(gaps.argmax())
            into = (longitude - east[widest]) % 360
            inside &= (into <= half) | (into >= gaps[widest] - half)
        return inside


def closes(longitude: np.ndarray) -> bool:
    """Whether columns (W,), ascending degrees, go around the globe in equal steps: after the last comes the first."""
    steps = np.diff(longitude, append=longitude[0] + 360)
    return bool(longitude.size > 1 and np.allclose(steps, 360 / longitude.size, rtol=1e-3, atol=20 * TINY))


def on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Places (...) in degrees as points on the unit sphere (..., 3).

    Example:
        >>> on_sphere(np.array(90.0), np.array(0.0)).round(9).tolist()
        [0.0, 0.0, 1.0]
    """
    y, x = np.deg2rad(latitude), np.deg2rad(longitude)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


def pad_globe(x: Tensor, width: int, periodic: bool) -> Tensor:
    """Add `width` cells on every side of maps (B, C, H, W).

    Columns go on around the globe where longitude is `periodic`; else, and beyond the first and last row, the outer
    cells are repeated.

    Example:
        >>> pad_globe(torch.tensor([[[[1.0, 2, 3]]]]), 1, periodic=True)[0, 0, 0].tolist()
        [3.0, 1.0, 2.0, 3.0, 1.0]
    """
    x = F.pad(x, (width, width, 0, 0), mode="circular" if periodic else "replicate")
    return F.pad(x, (0, 0, width, width), mode="replicate")


def _edges(axis: np.ndarray) -> np.ndarray:
    """Edges (n + 1,) of the cells around an ascending `axis` (n,), half way to the neighbours; one cell is all."""
    if axis.size == 1:
        return np.array([-90.0, 90.0])
    inner = (axis[:-1] + axis[1:]) / 2
    return np.concatenate([[2 * axis[0] - inner[0]], inner, [2 * axis[-1] - inner[-1]]])


def _resized(axis: np.ndarray, size: int) -> np.ndarray:
    """The centres of `size` equal steps through the cells of `axis`, extended evenly at its ends."""
    count = len(axis)
    place = (np.arange(size) + 0.5) * count / size - 0.5
    ends = 2 * axis[0] - axis[1], 2 * axis[-1] - axis[-2]
    return np.interp(place, np.arange(-1, count + 1), np.concatenate([ends[:1], axis, ends[1:]]))
