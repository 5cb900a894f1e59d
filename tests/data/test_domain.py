"""The domain against closed forms: zones of the sphere, known places, numpy's padding; where a globe closes."""


import numpy as np
import pytest
import torch

from sparta_core.data.domain import Domain, closes, pad_globe
from tests.globe import axes

COLUMNS = 45.0 * np.arange(8)


def globe(latitude):
    return Domain(np.asarray(latitude, float), COLUMNS)


def numerical_area(latitude: np.ndarray) -> np.ndarray:
    """Each thin band of the sphere given to the nearest latitude, in float64: no formula for edges at all."""
    bands = -90 + 180 / 200_000 * (np.arange(200_000) + 0.5)
    nearest = np.abs(bands[:, None] - latitude).argmin(1)
    area = np.bincount(nearest, np.cos(np.deg2rad(bands)), latitude.size)
    return area / area.mean()


@pytest.mark.parametrize("latitude", [
    -90 + 5.625 * (np.arange(32) + 0.5), np.linspace(-90, 90, 13), np.array([-80.0, -31, 0, 40, 80]),
], ids=["cells", "poles", "uneven"])
def test_area_is_the_share_of_the_sphere(latitude):
    area = globe(latitude).area()
    assert area.shape == (latitude.size, 8) and area.dtype == torch.float64
    np.testing.assert_allclose(area, np.repeat(numerical_area(latitude)[:, None], 8, 1), rtol=1e-3)
    assert float(area.mean()) == pytest.approx(1, rel=1e-14)


def test_zones_have_the_area_of_archimedes():
    """A zone between two circles of latitude has an area in proportion to its height."""
    sines = np.sin(np.deg2rad(np.linspace(-90, 90, 33)))
    np.testing.assert_allclose(Domain(*axes(32, 64)).area()[:, 7], 16 * np.diff(sines), rtol=1e-12)


def test_a_row_on_a_pole_is_half_a_cell():
    pole = 1 - np.sin(np.deg2rad(75))  # rows of 30 degrees: the pole's reaches 15
    np.testing.assert_allclose(globe(np.linspace(-90, 90, 7)).area()[[0, -1], 0], 7 * pole / 2)


def test_a_single_row_has_the_weight_1():
    assert globe([40]).area().tolist() == [[1.0] * 8]


def test_area_of_an_uneven_region_is_its_integral():
    """Cells reach half way to their neighbours, and as far beyond the outer ones; cos(lat) is summed over each."""
    region = Domain(np.array([30.0, 40, 44]), np.array([350.0, 353, 355]))
    edges = np.array([25.0, 35, 42, 46]), np.array([348.5, 351.5, 354, 356])
    steps = [lower + (upper - lower) * (np.arange(10_000) + 0.5) / 10_000 for lower, upper in zip(
        edges[0][:-1], edges[0][1:], strict=True)]  # fmt: skip
    rows = np.array([np.cos(np.deg2rad(part)).mean() for part in steps]) * np.diff(edges[0])
    expected = rows[:, None] * np.diff(edges[1])
    np.testing.assert_allclose(region.area(), expected / expected.mean(), rtol=1e-8)


@pytest.mark.parametrize("place, expected", [
    ((0, 0), (0, 0, -1)), ((2, 3), (0, 0, 1)), ((1, 0), (1, 0, 0)), ((1, 1), (0, 1, 0)), ((1, 2), (-1, 0, 0)),
    ((1, 3), (0, -1, 0))])  # fmt: skip
def test_positions_of_known_places(place, expected):
    """The poles, and where the equator meets Greenwich, 90 east, the date line and 90 west."""
    positions = Domain(np.array([-90.0, 0, 90]), np.array([0.0, 90, 180, 270])).positions()
    np.testing.assert_allclose(positions[place], expected, atol=1e-15)


def test_angles_between_positions_are_those_on_the_sphere():
    points = Domain(np.array([0.0, 89.0]), np.array([0.0, 180.0])).positions()
    assert float(torch.arccos(points[1, 0] @ points[1, 1])) == pytest.approx(np.deg2rad(2))
    assert float(points[0, 0] @ points[0, 1]) == pytest.approx(-1)


@pytest.mark.parametrize("longitude, mode", [
    (COLUMNS, "wrap"), (COLUMNS - 180, "wrap"), (COLUMNS + 3.7, "wrap"), (COLUMNS / 2, "edge")])
@pytest.mark.parametrize("width", [1, 3])
def test_padding_is_numpys(longitude, mode, width):
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(0))
    across, along = ((0, 0),) * 3 + ((width, width),), ((0, 0),) * 2 + ((width, width), (0, 0))
    expected = np.pad(np.pad(x.numpy(), across, mode=mode), along, mode="edge")
    np.testing.assert_array_equal(Domain(np.linspace(-60, 60, 5), longitude).pad(x, width), expected)
    np.testing.assert_array_equal(pad_globe(x, width, mode == "wrap"), expected)


@pytest.mark.parametrize("longitude, expected", [
    (np.arange(0, 360, 5.625), True), (np.arange(2.8125, 360, 5.625), True), (np.arange(-180, 180, 2.5), True),
    (np.round(np.arange(1024) * 360 / 1024, 3), True), (np.arange(0, 360, 5.625).astype("f4"), True),
    (np.arange(0, 351, 5.625), False), (np.arange(-20, 40, 2.5), False), (np.array([0.0, 90, 180, 300]), False),
    (np.array([0.0]), False)])
def test_columns_close_where_they_go_around_in_equal_steps(longitude, expected):
    assert closes(longitude) == Domain(np.zeros(1), longitude).periodic_x == expected


@pytest.mark.parametrize("latitude, expected", [
    (np.linspace(-90, 90, 13), True), (-90 + 5.625 * (np.arange(32) + 0.5), True),
    (np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(32)[0])), True),
    (np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(4)[0])), True),
    (np.linspace(0, 60, 13), False), (np.linspace(-90, 60, 13), False), (np.linspace(-90, 90, 13) ** 3 / 8100, False),
    (np.array([0.0]), False)])
def test_rows_reach_from_pole_to_pole_in_nearly_equal_steps(latitude, expected):
    assert globe(latitude).spans_poles == expected


def rotated(latitude, longitude, pole=35.0):
    """The places of a grid whose pole lies at `pole` degrees north of the date line: (H, W) each."""
    y, x = np.deg2rad(np.stack(np.meshgrid(latitude, longitude, indexing="ij")))
    points = np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], -1)
    tilt = np.deg2rad(90 - pole)
    turned = points @ np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    return np.rad2deg(np.arcsin(turned[..., 2])), np.rad2deg(np.arctan2(turned[..., 1], turned[..., 0]))


def test_a_rotated_grid_has_the_areas_and_distances_of_the_same_grid_unrotated():
    latitude, longitude = np.linspace(-10, 12, 23), np.linspace(-15, 15, 31)
    plain, turned = Domain(latitude, longitude), Domain(*rotated(latitude, longitude))
    assert turned.projected and turned.shape == plain.shape == (23, 31) and not turned.periodic_x
    np.testing.assert_allclose(turned.area(), plain.area(), rtol=3e-4)  # great circles beside circles of latitude
    np.testing.assert_allclose(turned.positions().flatten(0, 1) @ turned.positions().flatten(0, 1).T,
                               plain.positions().flatten(0, 1) @ plain.positions().flatten(0, 1).T, atol=1e-12)
    assert turned.size == pytest.approx(plain.size)


def test_a_rotated_globe_closes():
    assert Domain(*rotated(np.linspace(-60, 60, 13), COLUMNS)).periodic_x


def test_an_enlarged_rotated_grid_is_the_enlarged_grid_rotated():
    latitude, longitude = np.linspace(-10, 12, 23), np.linspace(-15, 15, 31)
    fine = Domain(latitude, longitude).resized((46, 93))
    made = Domain(*rotated(latitude, longitude)).resized((46, 93))
    np.testing.assert_allclose(made.positions(), Domain(*rotated(fine.latitude, fine.longitude)).positions(), atol=2e-4)


@pytest.mark.parametrize("longitude", [np.linspace(-15, 15, 31), np.linspace(165, 195, 31), np.linspace(345, 375, 31)])
def test_a_place_is_in_a_region_where_it_is_in_a_cell(longitude):
    """Against the cells' edges, also where longitudes are written another way round."""
    latitude = np.linspace(40, 62, 23)
    region, turned = Domain(latitude, longitude), Domain(*rotated(latitude - 51, longitude - longitude.mean()))
    north, east = np.array([39.6, 39.4, 62.4, 62.6, 50, 50, 50, 50]), np.array([0, 0, 0, 0, -15.4, -15.6, 15.4, 15.6])
    inside = [True, False] * 4
    assert region.contains(north, east + longitude.mean()).tolist() == inside
    assert region.contains(north, (east + longitude.mean()) % 360 - 360).tolist() == inside
    # A cell of a projection reaches as far as its corners: a place well inside, and one well outside.
    cell = turned.positions()[5, 7].numpy()
    place = np.rad2deg(np.arcsin(cell[2])), np.rad2deg(np.arctan2(cell[1], cell[0]))
    assert turned.contains(*map(np.atleast_1d, place)).all() and not turned.contains(*np.array([[-80.0], [0.0]])).any()
