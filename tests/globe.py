"""Regular grids around the globe."""

import numpy as np


def axes(rows, columns):
    """Latitudes (rows,) and longitudes (columns,) of cell centres, in degrees."""
    return -90 + 180 / rows * (np.arange(rows) + 0.5), 360 / columns * np.arange(columns)
