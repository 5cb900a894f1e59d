"""The domain of fields: where on the sphere their cells lie, whether longitude closes, and their clock."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy  # whose parts load when they are asked for
import torch
from torch import Tensor
from torch.nn import functional as F

from sparta_core.data.clock import DAILY, Clock
from sparta_core.data.sphere import corners, degrees, edges, on_sphere, quadrilaterals, resized, resized_points

TINY = 1e-4  # degrees: what rounding makes of a pole or of Greenwich


@dataclass(frozen=True, eq=False)
class Domain:
    """A grid of cells and a clock; what else code needs to know of them is found here.

    Args:
        latitude: (H,) degrees north, ascending; of a projection (H, W).
        longitude: (W,) degrees east, ascending, of a globe or of a region; of a projection (H, W).
        clock: The time between two fields, and the calendar.

    Others ask it for areas, positions and neighbours and compute none of them.

    Example:
        >>> globe = Domain(np.array([-45.0, 45]), np.array([0.0, 90, 180, 270]))
        >>> globe.shape, globe.periodic_x, globe.clock.unit
        ((2, 4), True, 'days')
    """

    latitude: np.ndarray
    longitude: np.ndarray
    clock: Clock = DAILY

    @property
    def projected(self) -> bool:
        """Whether every cell has a latitude and a longitude of its own."""
        return self.latitude.ndim == 2

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        rows, columns = self.latitude.shape if self.projected else (self.latitude.size, self.longitude.size)
        return rows, columns

    @property
    def dims(self) -> tuple[str, str]:
        """What files call the rows and the columns."""
        return ("y", "x") if self.projected else ("latitude", "longitude")

    @cached_property
    def periodic_x(self) -> bool:
        """Whether the first column is the last one's neighbour."""
        if not self.projected:
            return closes(self.longitude)
        places = self.positions().numpy()
        apart, across = (np.linalg.norm(places[:, k] - places[:, k - 1], axis=-1) for k in (1, 0))
        return bool(np.allclose(apart, across, rtol=0.1))

    @cached_property
    def spans_poles(self) -> bool:
        """Whether the rows reach from pole to pole in nearly equal steps."""
        if self.projected:
            return False
        steps = np.diff(self.latitude)
        # Gaussian rows are unequal by a hundredth, and the outer ones lie 0.77 steps from the poles.
        step = float(np.median(steps)) if steps.size else 0.0
        whole = np.ptp(self.latitude) + 1.6 * step >= 180
        return bool(whole and np.allclose(steps, step, rtol=1e-2, atol=20 * TINY))

    def area(self) -> Tensor:
        """Find the areas of the cells on the sphere.

        Between the sines of their southern and northern edges; of a projection between their corners, which lie half
        way between four centres.

        Returns:
            (H, W) float64 with mean 1. A row on a pole is half a cell.
        """
        if self.projected:
            sizes = quadrilaterals(corners(self.positions().numpy()))
            return torch.from_numpy(sizes * (sizes.size / sizes.sum()))
        heights = np.diff(np.sin(np.deg2rad(edges(self.latitude).clip(-90, 90))))
        widths = np.ones(self.longitude.size) if self.periodic_x else np.diff(edges(self.longitude))
        rows, columns = (sizes * (sizes.size / sizes.sum()) for sizes in (heights, widths))
        return torch.from_numpy(rows[:, None] * columns)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Find the latitudes and longitudes (H, W) of the cells' centres, degrees."""
        if self.projected:
            return self.latitude, self.longitude
        north, east = np.meshgrid(self.latitude, self.longitude, indexing="ij")
        return north, east

    def positions(self) -> Tensor:
        """Find the centres of the cells as points on the unit sphere: (H, W, 3) float64."""
        return torch.from_numpy(on_sphere(*self.places()))

    @property
    def size(self) -> float:
        """The longest distance between two cells, in radii of the Earth, as the chord; of a globe 2."""
        places = self.positions().flatten(0, 1)
        middle = places.mean(0)
        return 2.0 if middle.norm() < 0.1 else min(2.0, 2 * float((places - middle).norm(dim=1).max()))

    def pad(self, x: Tensor, width: int) -> Tensor:
        """Add `width` cells on every side of maps (B, C, H, W), as `pad_globe` does."""
        return pad_globe(x, width, self.periodic_x)

    def resized(self, shape: tuple[int, int]) -> "Domain":
        """The domain of fields that are enlarged to a shape: equal steps through the cells, evenly beyond the ends."""
        if self.projected:
            north, east = degrees(resized_points(self.positions().numpy(), shape))
            return Domain(north, east, self.clock)
        latitude, longitude = (resized(axis, size) for axis, size in
                               zip((self.latitude, self.longitude), shape, strict=True))  # fmt: skip
        return Domain(latitude, longitude, self.clock)

    def contains(self, latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
        """Say which places (N,), in degrees, lie in the cells; an axis of one point holds all."""
        if self.projected:
            centres = self.positions().numpy()
            reach = np.linalg.norm(corners(centres)[:-1, :-1] - centres, axis=-1).ravel()
            distance, cell = scipy.spatial.cKDTree(centres.reshape(-1, 3)).query(on_sphere(latitude, longitude))
            inside: np.ndarray = distance <= reach[cell] * (1 + TINY)
            return inside
        inside = np.ones(latitude.shape, bool)
        if self.latitude.size > 1:
            south, north = latitude_edges(self)[[0, -1]]
            inside &= (latitude >= south) & (latitude <= north)
        if self.longitude.size > 1 and not self.periodic_x:
            ends = longitude_edges(self)
            inside &= (longitude - ends[0]) % 360 <= ends[-1] - ends[0] + TINY
        return inside

    def alike(self, other: "Domain", tolerance: float) -> bool:
        """Whether the cells are another's, to `tolerance` degrees."""
        if self.projected != other.projected or self.shape != other.shape:
            return False
        east = (self.longitude - other.longitude + 180) % 360 - 180
        return bool(np.abs(self.latitude - other.latitude).max() <= tolerance and np.abs(east).max() <= tolerance)

    def text(self) -> str:
        """Say how many cells there are, and where."""
        north, east = self.places()
        size = " x ".join(map(str, self.shape))
        return (f"{size} from {north.min():g} to {north.max():g} north and {east.min():g} to {east.max():g} east"
                f"{' of a projection' if self.projected else ''}")


def latitude_edges(domain: Domain) -> np.ndarray:
    """Find the H + 1 edges of rows in degrees north; a row beside which no other fits reaches to the pole.

    Example:
        >>> latitude_edges(Domain(np.array([0.0, 40, 80]), np.array([0.0, 90, 180, 270])))
        array([-20.,  20.,  60.,  90.])
    """
    y = domain.latitude.astype(np.float64)
    rows: np.ndarray = edges(y).clip(-90, 90)
    if y.size > 1:
        rows[0] = -90.0 if 2 * y[0] - y[1] < -90 else rows[0]
        rows[-1] = 90.0 if 2 * y[-1] - y[-2] > 90 else rows[-1]
    return rows


def longitude_edges(domain: Domain) -> np.ndarray:
    """Find the W + 1 edges of columns in degrees east; of a domain that closes, 360 from first to last.

    Example:
        >>> longitude_edges(Domain(np.array([-45.0, 45]), np.array([0.0, 90, 180, 270])))
        array([-45.,  45., 135., 225., 315.])
    """
    x = domain.longitude.astype(np.float64)
    if domain.periodic_x:
        around = np.concatenate([[x[-1] - 360.0], x, [x[0] + 360.0]])
        return (around[1:] + around[:-1]) / 2
    return edges(x) if x.size > 1 else x + [-180.0, 180.0]


def closes(longitude: np.ndarray) -> bool:
    """Whether columns (W,), ascending degrees, go around the globe in equal steps: after the last comes the first."""
    steps = np.diff(longitude, append=longitude[0] + 360)
    return bool(longitude.size > 1 and np.allclose(steps, 360 / longitude.size, rtol=1e-3, atol=20 * TINY))


def pad_globe(x: Tensor, width: int, periodic: bool) -> Tensor:
    """Add `width` cells on every side of maps (B, C, H, W).

    Columns go on around the globe where longitude is `periodic`; else, and beyond the first and last row, the outer
    cells are repeated.

    Example:
        >>> pad_globe(torch.tensor([[[[1.0, 2, 3]]]]), 1, periodic=True)[0, 0, 0].tolist()
        [3.0, 1.0, 2.0, 3.0, 1.0]
    """
    if periodic:  # torch's circular padding would lose the memory layout: a training step takes half as long again
        x = torch.cat([x[..., -width:], x, x[..., :width]], -1)
    return F.pad(x, (0 if periodic else width,) * 2 + (width,) * 2, mode="replicate")
