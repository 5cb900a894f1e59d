"""The bundled climate: the facts that the documentation states about it, and that it looks like a climate."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sparta_core.data import bundled
from sparta_core.data.days import WEATHERBENCH2_VARIABLES
from sparta_core.errors import DataError


@pytest.fixture(scope="module")
def climate() -> xr.Dataset:
    return bundled.open_bundled()


def global_mean(field: xr.DataArray) -> xr.DataArray:
    # The cosine of the latitude: another formula for the area than the package's own.
    weights = xr.DataArray(np.cos(np.deg2rad(field["latitude"].values)), dims="latitude")
    return field.weighted(weights).mean(("latitude", "longitude"))


def test_it_says_that_it_is_simulated(climate):
    assert "simulated" in climate.attrs["source"] and "not observed" in climate.attrs["source"]
    assert "JCM 3.0.0" in climate.attrs["source"]
    assert climate.attrs["institution"] == "simulated, not observed"


def test_its_days_are_the_documented_ones(climate):
    expected = pd.date_range("2001-01-01", "2011-12-28", freq="D")
    assert len(expected) == 4014
    assert (climate["time"].values == expected.values).all()


def test_its_grid_is_the_equiangular_one_of_5_625_degrees(climate):
    np.testing.assert_allclose(climate["latitude"], -90 + 5.625 * (np.arange(32) + 0.5))
    np.testing.assert_allclose(climate["longitude"], 5.625 * np.arange(64))


def test_it_has_the_papers_variables_at_850_hpa(climate):
    assert set(WEATHERBENCH2_VARIABLES) <= set(climate.data_vars)
    assert climate.attrs["level"] == 850
    assert all(climate[name].dims == ("time", "latitude", "longitude") for name in WEATHERBENCH2_VARIABLES)


def test_the_globe_is_as_warm_as_a_globe(climate):
    warmth = global_mean(climate["2m_temperature"].isel(time=slice(0, 3650))).mean().item()
    assert warmth == pytest.approx(287, abs=1)


def test_its_july_is_warm_in_the_north_and_cold_in_the_south(climate):
    zonal = climate["2m_temperature"].isel(time=slice(0, 365)).mean("longitude")
    january, july = (zonal.sel(time=month).mean("time") for month in ("2001-01", "2001-07"))
    assert (july - january).sel(latitude=slice(40, 70)).min() > 5
    assert (july - january).sel(latitude=slice(-90, -70)).max() < -5


def test_geopotential_at_850_hpa_is_about_1500_metres(climate):
    height = global_mean(climate["geopotential"].isel(time=slice(0, 365))).mean().item() / 9.81
    assert height == pytest.approx(1450, abs=150)


def test_a_missing_file_is_one_clear_sentence(monkeypatch):
    monkeypatch.setattr(bundled, "FILE", "gone.nc")
    with pytest.raises(DataError, match=r"simulated climate is missing at .*gone\.nc; install"):
        bundled.open_bundled()
