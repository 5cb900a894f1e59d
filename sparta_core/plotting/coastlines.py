"""Coasts on maps: Natural Earth's where they can be downloaded, else the outline of the land-sea mask."""

import functools
import threading
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from cartopy.crs import PlateCarree
from cartopy.io import DownloadWarning, shapereader
from cartopy.mpl.geoaxes import GeoAxes
from contourpy import contour_generator
from numpy.typing import ArrayLike
from shapely import LineString

from sparta_core.plotting.frames import MapFrame

DOWNLOAD_SECONDS = 5.0
SMALL = 0.7  # radii of the Earth, some 40 degrees: across smaller domains coarse coasts look like polygons


def coastlines(ax: GeoAxes, frame: MapFrame, land_sea_mask: ArrayLike | None) -> None:
    """Draw Natural Earth's coasts, else the outline of `land_sea_mask` (H, W), else nothing; warns once."""
    lines, crs = natural_earth("50m" if frame.domain.size < SMALL else "110m"), PlateCarree()
    if not lines and land_sea_mask is None:
        _warn_once("No coastlines: Natural Earth's cannot be downloaded and there is no land-sea mask.")
    elif not lines:
        _warn_once("Natural Earth's coastlines cannot be downloaded; maps show the data's land-sea mask.")
        lines, crs = outline(frame, land_sea_mask)  # type: ignore[arg-type]
    ax.add_geometries(lines, crs=crs, facecolor="none", edgecolor="0.1", linewidth=0.6)


@functools.cache
def natural_earth(scale: str) -> list[Any]:
    """Natural Earth's coasts as shapely lines, empty if they cannot be had; tried once a process.

    Args:
        scale: "110m" or "50m", of one to so many millions.
    """
    found: list[list[Any]] = []

    def fetch() -> None:
        with suppress(Exception):  # no network, no disk, half a file: in each case there are no coasts
            path = shapereader.natural_earth(scale, "physical", "coastline")
            found.append(list(shapereader.Reader(path).geometries()))

    # cartopy sets no time limit, and a network that drops packets would hold it for minutes.
    thread = threading.Thread(target=fetch, daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DownloadWarning)
        thread.start()
        thread.join(DOWNLOAD_SECONDS)
    return found[0] if found else []


@functools.cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=3)


def outline(frame: MapFrame, land_sea_mask: ArrayLike) -> tuple[list[Any], Any]:
    """The 0.5 contour as shapely lines, and what their coordinates are of.

    Closed across the first and last longitude where the domain closes; a projection's in the plane of the map, where
    no cell has its corners on either side of the date line.
    """
    domain, mask = frame.domain, np.asarray(land_sea_mask, dtype=np.float64)
    x, y, crs = domain.longitude, domain.latitude, PlateCarree()
    if domain.projected:
        crs = frame.crs
        x, y, _ = np.moveaxis(crs.transform_points(PlateCarree(), x, y), -1, 0)
    elif domain.periodic_x:
        x, mask = np.append(x, x[0] + 360.0), np.concatenate([mask, mask[:, :1]], axis=1)
    return [LineString(line) for line in contour_generator(x, y, mask).lines(0.5)], crs
