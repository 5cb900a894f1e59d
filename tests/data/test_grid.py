"""What all sources share: the area of cells against a count of thin bands, where a globe closes, and units."""

import numpy as np
import pytest
import xarray as xr

from sparta_core.data import grid
from sparta_core.errors import DataError


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


@pytest.mark.parametrize("longitude, expected", [
    (np.arange(0, 360, 5.625), True), (np.arange(2.8125, 360, 5.625), True), (np.arange(-180, 180, 2.5), True),
    (np.round(np.arange(1024) * 360 / 1024, 3), True), (np.arange(0, 360, 5.625).astype("f4"), True),
    (np.arange(0, 351, 5.625), False), (np.arange(-20, 40, 2.5), False), (np.array([0.0, 90, 180, 300]), False),
    (np.array([0.0]), False)])
def test_columns_close_where_they_go_around_in_equal_steps(longitude, expected):
    assert grid.closes(longitude) == expected


@pytest.mark.parametrize("latitude, expected", [
    (np.linspace(-90, 90, 13), True), (-90 + 5.625 * (np.arange(32) + 0.5), True),
    (np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(32)[0])), True),
    (np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(4)[0])), True),
    (np.linspace(0, 60, 13), False), (np.linspace(-90, 60, 13), False), (np.linspace(-90, 90, 13) ** 3 / 8100, False),
    (np.array([0.0]), False)])
def test_rows_reach_from_pole_to_pole_in_nearly_equal_steps(latitude, expected):
    assert grid.spans_poles(latitude) == expected


def test_a_region_around_greenwich_is_not_torn():
    longitude = np.arange(-20, 40, 2.5)
    region = xr.Dataset({"x": (("latitude", "longitude"), np.arange(48.0).reshape(2, 24))},
                        {"latitude": [50.0, 40.0], "longitude": longitude})  # fmt: skip
    made = grid.ordered(region, "here")
    assert made["longitude"].values.tolist() == longitude.tolist()
    assert made["x"].values.tolist() == np.arange(48.0).reshape(2, 24)[::-1].tolist()


def field(units: str) -> xr.DataArray:
    return xr.DataArray(np.ones(3), dims="x", attrs={"units": units})


def test_units_of_training_are_compared_for_any_variable():
    assert grid.checked_units(field("Pa"), "mean_sea_level_pressure", "here", "Pa") == "Pa"
    assert grid.checked_units(field("kg/kg"), "specific_humidity", "here") == "kg kg-1"
    assert grid.checked_units(field("m**3 s**-1"), "discharge", "here") == "m3 s-1"
    with pytest.raises(DataError, match="mean_sea_level_pressure in here is in 'hPa'; convert it to 'Pa'"):
        grid.checked_units(field("hPa"), "mean_sea_level_pressure", "here", "Pa")


def test_units_of_training_are_converted_to_where_they_can_be():
    values = np.full((1, 1, 2), 1013.25, "f4")
    days = xr.Dataset({"mean_sea_level_pressure": (grid.DIMENSIONS, values, {"units": "mb"})})
    with pytest.warns(UserWarning, match="pressure in here is in 'mb'; it is converted to 'Pa', times 100$"):
        chosen = grid.select(days, ["mean_sea_level_pressure"], 850, "here", {"mean_sea_level_pressure": "Pa"})
    np.testing.assert_allclose(chosen["mean_sea_level_pressure"], 101325, rtol=1e-7)
    with pytest.raises(DataError, match="mean_sea_level_pressure in here is in 'mb'; convert it to 'K'"):
        grid.select(days, ["mean_sea_level_pressure"], 850, "here", {"mean_sea_level_pressure": "K"})
