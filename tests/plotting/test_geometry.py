"""Which grid cell holds a point, against a search through all cells."""

import numpy as np
import pytest

from sparta_core.data.domain import Domain, latitude_edges, longitude_edges
from sparta_core.data.sphere import on_sphere
from sparta_core.plotting.geometry import cells_at, corners

LATITUDE = np.linspace(-84.375, 84.375, 16)
LONGITUDE = np.arange(32) * 11.25


@pytest.mark.parametrize("shape", [(16, 32), (48, 96)])
@pytest.mark.parametrize("first", [0.0, -180.0, 90.0])
def test_the_cell_of_a_point_is_the_one_that_is_nearest(first, shape):
    """On an even grid, refined over the same cells, the nearest centre round the globe is the cell's own."""
    rows, columns = (np.arange(n) + 0.5 for n in shape)
    centre_y = LATITUDE[0] + 11.25 * (rows * 16 / shape[0] - 0.5)
    centre_x = first + 11.25 * (columns * 32 / shape[1] - 0.5)
    generator = np.random.default_rng(0)
    y, x = generator.uniform(-89.9, 89.9, 500), generator.uniform(-180, 180, 500)
    around = np.abs((x[:, None] - centre_x + 180) % 360 - 180)
    expected = np.abs(y[:, None] - centre_y).argmin(1) * shape[1] + around.argmin(1)
    assert (cells_at(Domain(LATITUDE, first + LONGITUDE), shape, y, x) == expected).all()


@pytest.mark.parametrize("first", [-20.0, 170.0])
def test_the_cells_of_a_region_and_of_the_same_places_of_a_projection_are_the_same(first):
    """Over Greenwich and over the date line, from whichever meridian points are counted, refined or not."""
    latitude, longitude = np.arange(30.0, 61, 2), first + np.arange(12) * 3.0
    region = Domain(latitude, longitude)
    north, east = np.meshgrid(latitude, longitude, indexing="ij")
    for times in (1, 2):
        shape = 16 * times, 12 * times
        row, column = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
        y, x = 29 + (row + 0.5) * 2 / times, first - 1.5 + (column + 0.5) * 3 / times
        for domain in (region, Domain(north, (east + 180) % 360 - 180)):
            found = cells_at(domain, shape, y, (x + 180) % 360 - 180)
            inner = (row % (shape[0] - 1) > 0) & (column % (shape[1] - 1) > 0)
            assert (found == np.arange(y.size))[inner if domain.projected else ...].all()


def test_outer_rows_reach_the_pole_where_no_other_fits():
    gauss = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(16)[0]))
    assert latitude_edges(Domain(gauss, LONGITUDE))[[0, -1]].tolist() == [-90, 90]
    assert latitude_edges(Domain(np.linspace(-90, 90, 13), LONGITUDE))[[0, 1, -1]].tolist() == [-90, -82.5, 90]
    assert latitude_edges(Domain(np.arange(40.0, 81, 5), LONGITUDE))[[0, -1]].tolist() == [37.5, 82.5]


def test_the_edges_of_columns_close_with_the_domain():
    assert np.ptp(longitude_edges(Domain(LATITUDE, LONGITUDE))) == 360
    assert longitude_edges(Domain(LATITUDE, np.array([170.0, 175, 180, 185]))).tolist() == [
        167.5, 172.5, 177.5, 182.5, 187.5]  # fmt: skip
    assert longitude_edges(Domain(LATITUDE, np.array([10.0]))).tolist() == [-170, 190]


@pytest.mark.parametrize("shape", [(8, 10), (16, 20)])
def test_corners_of_a_projection_are_those_of_its_plane(shape):
    """Cells of 25 km beside the pole: their corners lie half way between centres in the plane."""
    def places(x, y):  # polar stereographic, of a unit sphere
        x, y = np.meshgrid(x, y)
        return 90 - 2 * np.rad2deg(np.arctan(np.hypot(x, y) / 2)), np.rad2deg(np.arctan2(y, x))

    x, y = 0.02 + np.arange(10) * 0.004, -0.01 + np.arange(8) * 0.004
    found = on_sphere(*corners(Domain(*places(x, y)), shape))
    expected = on_sphere(*places(0.018 + np.linspace(0, 10, shape[1] + 1) * 0.004,
                                 -0.012 + np.linspace(0, 8, shape[0] + 1) * 0.004))  # fmt: skip
    assert np.linalg.norm(found - expected, axis=-1).max() < 1e-5
