"""Regular grids around the globe."""

from pathlib import Path

import numpy as np

from sparta_core.data.bundled import open_bundled


def axes(rows, columns):
    """Latitudes (rows,) and longitudes (columns,) of cell centres, in degrees."""
    return -90 + 180 / rows * (np.arange(rows) + 0.5), 360 / columns * np.arange(columns)


def coarse(path: Path, days: int = 800) -> Path:
    """Write the first days of the bundled climate on 16 x 32 cells: a quarter of the work of a test that trains."""
    made = open_bundled().isel(time=slice(days)).coarsen(latitude=2, longitude=2).mean(keep_attrs=True)
    made.to_netcdf(path, engine="h5netcdf")
    return path
