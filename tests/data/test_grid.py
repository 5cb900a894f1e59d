"""What all sources share: the area of cells against a count of thin bands, and the spelling of units."""

import numpy as np
import pytest

from sparta_core.data import grid


def numerical_area(latitude: np.ndarray) -> np.ndarray:
    """Each thin band of the sphere given to the nearest latitude: no formula for edges at all."""
    bands = -90 + 180 / 200_000 * (np.arange(200_000) + 0.5)
    nearest = np.abs(bands[:, None] - latitude).argmin(1)
    area = np.bincount(nearest, np.cos(np.deg2rad(bands)), latitude.size)
    return area / area.mean()


@pytest.mark.parametrize("latitude", [
    -90 + 5.625 * (np.arange(32) + 0.5), np.linspace(-90, 90, 13), np.array([-80.0, -31, 0, 40, 80]),
], ids=["cells", "poles", "uneven"])
def test_cell_area_is_the_share_of_the_sphere(latitude):
    area = grid.cell_area(latitude)
    np.testing.assert_allclose(area, numerical_area(latitude), rtol=1e-3)
    assert area.sum() == pytest.approx(latitude.size)


def test_a_row_on_a_pole_is_half_a_cell():
    pole = np.sin(np.deg2rad(90)) - np.sin(np.deg2rad(75))  # rows of 30 degrees: the pole's reaches 15
    area = grid.cell_area(np.linspace(-90, 90, 7))
    np.testing.assert_allclose(area[[0, -1]], 7 * pole / 2)


def test_a_single_row_has_the_weight_1():
    np.testing.assert_array_equal(grid.cell_area(np.array([40.0])), [1.0])


def test_area_of_a_region_stops_half_a_row_beyond_it():
    area = grid.cell_area(np.array([30.0, 40.0]))
    lower, upper = (np.sin(np.deg2rad(top)) - np.sin(np.deg2rad(top - 10)) for top in (35, 45))
    assert area[1] / area[0] == pytest.approx(upper / lower)


@pytest.mark.parametrize("written, expected", [
    ("K", "K"), ("m s**-1", "m s-1"), ("m s-1", "m s-1"), ("m/s", "m s-1"), (" m s^-1 ", "m s-1"),
    ("m**2 s**-2", "m2 s-2"), ("m^2/s^2", "m2 s-2"), ("m2/s2", "m2 s-2"), ("kg/kg", "kg kg-1"),
    ("kg kg**-1", "kg kg-1"), ("(0 - 1)", "(0 - 1)"), ("1", "1"), ("g/kg", "g kg-1"), ("km/h", "km h-1"),
])
def test_units_have_one_spelling(written, expected):
    assert grid.normalised_units(written) == expected
