"""What all sources share: longitudes of regions stay together, and units are compared and converted."""

import numpy as np
import pytest
import xarray as xr

from sparta_core.data import grid
from sparta_core.errors import DataError


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
    def units(*field_and_more):
        return grid.in_units(*field_and_more).attrs["units"]

    assert units(field("Pa"), "mean_sea_level_pressure", "here", "Pa") == "Pa"
    assert units(field("kg/kg"), "specific_humidity", "here") == "kg kg-1"
    assert units(field("m**3 s**-1"), "discharge", "here") == "m3 s-1"
    with pytest.raises(DataError, match="mean_sea_level_pressure in here is in 'hPa'; convert it to 'Pa'"):
        grid.in_units(field("hPa").astype(str), "mean_sea_level_pressure", "here", "Pa")


def test_units_of_training_are_converted_to_where_they_can_be():
    values = np.full((1, 1, 2), 1013.25, "f4")
    days = xr.Dataset({"mean_sea_level_pressure": (grid.DIMENSIONS, values, {"units": "mb"})})
    with pytest.warns(UserWarning, match="pressure in here is in 'mb'; it is converted to 'Pa', times 100$"):
        chosen = grid.select(days, ["mean_sea_level_pressure"], 850, "here", {"mean_sea_level_pressure": "Pa"})
    np.testing.assert_allclose(chosen["mean_sea_level_pressure"], 101325, rtol=1e-7)
    with pytest.raises(DataError, match="mean_sea_level_pressure in here is in 'mb'; convert it to 'K'"):
        grid.select(days, ["mean_sea_level_pressure"], 850, "here", {"mean_sea_level_pressure": "K"})
