"""Frames of maps: the projection that fits a domain, the part of it that holds all cells, and degrees at its sides."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from cartopy.crs import LambertAzimuthalEqualArea, PlateCarree, Projection, Robinson, Stereographic
from cartopy.mpl.geoaxes import GeoAxes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from sparta_core.data.domain import Domain, latitude_edges, longitude_edges
from sparta_core.data.sphere import degrees
from sparta_core.plotting.geometry import HAIR, corners, from_seam, refined

POLAR = 65.0  # degrees: a region whose middle lies beyond is seen from above the pole
STEPS = [1, 1.5, 2, 3, 5, 6, 10]  # of degrees, times a power of ten
SMOOTH = 2000  # places along a side, by which round sides are found


@dataclass(frozen=True, eq=False)
class MapFrame:
    """How a domain is shown on a map.

    A whole globe is in Robinson's projection, a region at a pole stereographic, a projection's cells in an azimuthal
    one around their middle; others keep straight parallels, stretched as they are in their middle.

    Args:
        domain: The cells.
        central_longitude: Degrees east in the middle of a map that closes or looks at a pole; None: 0, or the middle of
            cells that do not close. Other maps show their own middle.
    """

    domain: Domain
    central_longitude: float | None = None

    @property
    def globe(self) -> bool:
        """Whether it is a whole globe, which anybody recognises."""
        return self.domain.spans_poles and self.domain.periodic_x

    @cached_property
    def middle(self) -> tuple[float, float]:
        """Latitude and longitude in the middle."""
        if self.domain.projected:
            north, east = degrees(self.domain.positions().mean((0, 1)).numpy())
            return float(north), float(east)
        rows, columns = latitude_edges(self.domain), longitude_edges(self.domain)
        return float(rows[[0, -1]].mean()), 0.0 if self.domain.periodic_x else float(columns[[0, -1]].mean())

    @cached_property
    def polar(self) -> bool:
        """Whether it is a region at a pole, all on one hemisphere."""
        if self.domain.projected:
            return False
        south, north = latitude_edges(self.domain)[[0, -1]]
        reaches = max(north, -south) == 90 or abs(self.middle[0]) > POLAR
        return bool(reaches and (south >= 0 or north <= 0))

    @property
    def centre(self) -> float:
        """The longitude in the middle of the map."""
        chosen = self.central_longitude
        return self.middle[1] if chosen is None or not (self._closed or self.polar) else chosen

    @cached_property
    def crs(self) -> Projection:
        """The projection of the map."""
        if self.domain.projected:
            return LambertAzimuthalEqualArea(self.centre, self.middle[0])
        if self.polar:
            return Stereographic(np.copysign(90.0, self.middle[0]), self.centre)
        return Robinson(self.centre) if self.globe else PlateCarree(self.centre)

    @cached_property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the map in its own coordinates: as much as holds all cells."""
        if self.globe:
            return *self.crs.x_limits, *self.crs.y_limits
        if self._closed:
            bottom, top = latitude_edges(self.domain)[[0, -1]]
            return -180.0, 180.0, float(bottom), float(top)
        x, y, _ = np.moveaxis(self.crs.transform_points(PlateCarree(), *self._border()[::-1]), -1, 0)
        return float(x.min()), float(x.max()), float(y.min()), float(y.max())

    def _border(self) -> tuple[np.ndarray, np.ndarray]:
        """Latitudes and longitudes of places around the cells, near to each other."""
        if self.domain.projected:
            return corners(self.domain, self.domain.shape)
        (south, north), (west, east) = (edges[[0, -1]] for edges in
                                        (latitude_edges(self.domain), self._within(longitude_edges(self.domain))))
        along, up = np.linspace(west, east, SMOOTH), np.linspace(south, north, SMOOTH)
        sides = [(south, along), (north, along), (up, west), (up, east)]
        lines = [np.broadcast_arrays(*side) for side in sides]
        return np.concatenate([y for y, _ in lines]), np.concatenate([x for _, x in lines])

    @property
    def _closed(self) -> bool:
        """Whether the map is cut open along a meridian that cells cross."""
        return self.domain.periodic_x and not self.domain.projected and not self.polar

    def _within(self, east: np.ndarray) -> np.ndarray:
        """Longitudes of corners, those of a region as wide as the globe on their own side of the map."""
        if self.domain.projected or self.domain.periodic_x:
            return east
        half = 180.0 - HAIR
        return east.clip(self.middle[1] - half, self.middle[1] + half)

    @cached_property
    def stretch(self) -> float:
        """How much longer a step north is drawn than one as long east, in the map's coordinates."""
        straight = isinstance(self.crs, PlateCarree)
        return 1 / float(np.cos(np.deg2rad(self.middle[0]))) if straight else 1.0

    @property
    def aspect(self) -> float:
        """How high the map is, over how wide."""
        if self.globe:
            return 0.5
        left, right, bottom, top = self.extent
        return self.stretch * (top - bottom) / (right - left)

    def set_up(self, ax: GeoAxes) -> None:
        """Give a map its limits, its border, and where it is no globe degrees at its sides."""
        ax.spines["geo"].set(linewidth=0.6, edgecolor="0.3")
        if self.globe:
            ax.set_global()
            return
        left, right, bottom, top = self.extent
        ax.set_xlim(left, right)
        ax.set_ylim(bottom, top)
        ax.set_aspect(self.stretch)
        inside = self.polar and self.domain.periodic_x  # where parallels are circles that meet no side
        sides: tuple[Any, Any] = ("y", "x") if isinstance(self.crs, PlateCarree) else (True, True)
        east, north = self._degrees
        ax.gridlines(draw_labels=dict(zip(("left", "bottom"), sides, strict=True)), xlocs=east, ylocs=north,
                     rotate_labels=False, x_inline=False, y_inline=inside, xlabel_style={"size": 7},
                     ylabel_style={"size": 7}, linewidth=0.4, color="0.4", alpha=0.6)  # fmt: skip

    @cached_property
    def _degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitudes and latitudes at round numbers of degrees, a few of each, that cross the map."""
        left, right, bottom, top = self.extent
        x, y = np.meshgrid(np.linspace(left, right, 50), np.linspace(bottom, top, 50))
        east, north, _ = np.moveaxis(PlateCarree().transform_points(self.crs, x, y), -1, 0)
        east = (east - self.centre + 180) % 360 - 180 + self.centre
        # Of meridians that meet, few cross the sides at which they are named.
        counts = (int(np.clip(5 / self.aspect, 2, 6)) if isinstance(self.crs, PlateCarree) else 12,
                  int(np.clip(6 * self.aspect, 2, 6)))  # fmt: skip
        meridians, parallels = (
            np.array(MaxNLocator(count, steps=STEPS).tick_values(np.nanmin(places), np.nanmax(places)))
            for count, places in zip(counts, (east, north), strict=True))  # fmt: skip
        return np.unique((meridians + 180) % 360 - 180), parallels[np.abs(parallels) < 90]

    def draw(self, ax: GeoAxes, values: ArrayLike, **how: Any) -> QuadMesh:
        """Fill the cells of a map with values (h, w): the domain's, or finer or coarser ones over the same cells."""
        shown = np.asarray(values)
        height, width = shown.shape
        if self._closed:
            x, order = from_seam(refined(longitude_edges(self.domain), width), self.centre - 180.0)
            y, shown = refined(latitude_edges(self.domain), height), shown[:, order]
        else:
            y, x = corners(self.domain, (height, width))
            x = self._within(x)
        return ax.pcolormesh(x, y, shown, transform=PlateCarree(), rasterized=True, **how)
