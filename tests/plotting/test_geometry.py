"""Which grid cell holds a point, against a search through all cells."""

import numpy as np
import pytest

from sparta_core.plotting.geometry import cells_at

LATITUDE = np.linspace(-84.375, 84.375, 16)
LONGITUDE = np.arange(32) * 11.25


@pytest.mark.parametrize("latitude", [LATITUDE, LATITUDE[::-1]], ids=["ascending", "descending"])
@pytest.mark.parametrize("shape", [(16, 32), (48, 96)])
def test_the_cell_of_a_point_is_the_one_that_is_nearest(latitude, shape):
    """On an even grid, refined over the same cells, the nearest centre round the globe is the cell's own."""
    rows, columns = (np.arange(n) + 0.5 for n in shape)
    centre_y = latitude[0] + np.sign(latitude[1] - latitude[0]) * 11.25 * (rows * 16 / shape[0] - 0.5)
    centre_x = LONGITUDE[0] + 11.25 * (columns * 32 / shape[1] - 0.5)
    generator = np.random.default_rng(0)
    y, x = generator.uniform(-89.9, 89.9, 500), generator.uniform(-180, 180, 500)
    around = np.abs((x[:, None] - centre_x + 180) % 360 - 180)
    expected = np.abs(y[:, None] - centre_y).argmin(1) * shape[1] + around.argmin(1)
    assert (cells_at(latitude, LONGITUDE, shape, y, x) == expected).all()
