"""From the circulation model's output to the bundled variables, and the model itself where it is installed."""

import sys

import numpy as np
import pytest
import xarray as xr
from safetensors.numpy import load, save

from sparta_core.data import bundled, circulation
from sparta_core.data.circulation import at_pressure, day_fields
from sparta_core.data.regrid import regrid
from sparta_core.data.variables import STATIC, variable
from sparta_core.errors import DataError

SIGMA = np.array([0.025, 0.095, 0.2, 0.34, 0.51, 0.685, 0.835, 0.95])


def columns(values):
    return xr.DataArray(values, dims=("level", "column"))


@pytest.fixture
def pressure():
    """Levels (8, 5) over ground at 1030 to 560 hPa, of which the last three have their lowest level above 850 hPa."""
    return columns(SIGMA[:, None] * np.array([1030.0, 960.0, 880.0, 700.0, 560.0]))


def test_a_field_linear_in_the_logarithm_of_the_pressure_is_reproduced_and_extrapolated(pressure):
    field = columns(3.0 - 40.0 * np.log(pressure.values))
    np.testing.assert_allclose(at_pressure(field, pressure, 850, True), 3 - 40 * np.log(850), rtol=1e-12)


def test_below_the_lowest_level_its_values_hold(pressure):
    """Against numpy's interpolation of each column, which holds them, too."""
    field = columns(np.random.default_rng(0).normal(size=pressure.shape))
    expected = [np.interp(np.log(850), np.log(p), f) for p, f in zip(pressure.values.T, field.values.T, strict=True)]
    result = at_pressure(field, pressure, 850, False)
    np.testing.assert_allclose(result, expected, rtol=1e-12)
    np.testing.assert_array_equal(result[2:], field[-1, 2:])


def test_geopotential_below_the_ground_goes_on_along_the_two_lowest_levels(pressure):
    field = columns(np.random.default_rng(0).normal(size=pressure.shape))
    for column in range(2, 5):
        line = np.polyfit(np.log(pressure.values[-2:, column]), field.values[-2:, column], 1)
        expected = np.polyval(line, np.log(850))
        assert at_pressure(field, pressure, 850, True).values[column] == pytest.approx(expected, rel=1e-9)


def gaussian(rows=48, lon=96):
    """Latitudes (degrees) and quadrature weights of a Gaussian grid, and longitudes."""
    sines, weights = np.polynomial.legendre.leggauss(rows)
    return np.rad2deg(np.arcsin(sines)), weights, 360 / lon * np.arange(lon)


@pytest.mark.parametrize("rows", [32, 48, 160])
def test_regridding_from_a_gaussian_grid_keeps_the_mean_over_the_globe(rows):
    """By the areas of its rows, from half way to half way and from pole to pole, exactly; by the weights of its
    quadrature, which differ from them a little, to second order."""
    latitude, weights, longitude = gaussian(rows)
    values = 240 + 60 * np.cos(np.deg2rad(latitude))[:, None] ** 2 + 5 * np.sin(np.deg2rad(3 * longitude))
    field = xr.DataArray(values, {"latitude": latitude, "longitude": longitude}, ("latitude", "longitude"))
    moved = regrid(xr.Dataset({"t": field}), 5.625, "here")["t"]
    edges = np.concatenate([[-90], (latitude[1:] + latitude[:-1]) / 2, [90]])
    areas = np.diff(np.sin(np.deg2rad(edges)))
    new = np.average(moved.mean("longitude"), weights=np.diff(np.sin(np.deg2rad(np.linspace(-90, 90, 33)))))
    assert new == pytest.approx(np.average(values.mean(1), weights=areas), rel=1e-12)
    assert new == pytest.approx(np.average(values.mean(1), weights=weights), rel=0.06 / rows**2)


@pytest.fixture
def output():
    """JCM's day, lowest level first: the logarithm of pressure in every field, over a plateau and a plain."""
    latitude, _, longitude = gaussian()
    ground = xr.DataArray(np.where(longitude < 180, 0.56, 1.0), {"lon": longitude}, ("lon",)).expand_dims(lat=latitude)
    level = xr.DataArray(SIGMA[::-1], {"level": SIGMA[::-1]}, ("level",))
    log_p = xr.ufuncs.log(1000 * level * ground).astype(np.float32)
    names = set(circulation.NAMES.values()) - {"surface_flux.t0"}
    fields = xr.Dataset({name: log_p.transpose("level", "lon", "lat") for name in names})
    fields["surface_flux.t0"] = 287 + 0 * ground.transpose("lon", "lat")
    fields[circulation.PRESSURE] = ground.transpose("lon", "lat")
    return fields.assign_coords(time=np.datetime64("2001-01-01T12:00"))


def test_a_day_is_on_the_bundled_grid_at_850_hpa(output):
    day = day_fields(output)
    assert set(day.data_vars) == set(circulation.NAMES) and list(day.coords) == ["latitude", "longitude"]
    np.testing.assert_allclose(day["latitude"], -90 + 5.625 * (np.arange(32) + 0.5))
    np.testing.assert_allclose(day["longitude"], 5.625 * np.arange(64))
    assert all(day[name].dims == ("latitude", "longitude") and day[name].dtype == np.float32 for name in day)
    np.testing.assert_allclose(day["2m_temperature"], 287)
    plateau, plain = day.sel(longitude=slice(10, 170)), day.sel(longitude=slice(190, 350))
    for name in ("u_component_of_wind", "specific_humidity"):
        np.testing.assert_allclose(plain[name], np.log(850), rtol=1e-6)
        np.testing.assert_allclose(plateau[name], np.log(0.95 * 560), rtol=1e-6)  # its lowest level's
    np.testing.assert_allclose(day["geopotential"], np.log(850), rtol=1e-6)


def test_without_jcm_one_sentence_says_what_to_install(monkeypatch):
    for name in ("jcm", "jcm.forcing"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=r"needs the package jcm, .*; pip install 'sparta-core\[simulate\]'"):
        circulation.Circulation()


@pytest.fixture(scope="module")
def model():
    pytest.importorskip("jcm", reason="jcm is not installed: pip install 'sparta-core[simulate]'")
    return circulation.Circulation()


@pytest.fixture(scope="module")
def begun(model):
    """The first two days, and the state after each."""
    days, states = [], []
    for _ in range(2):
        days.append(model.advance())
        states.append(model.state)
    return days, states


def test_the_models_land_and_mountains_are_the_bundled_ones_bit_for_bit(model):
    climate = bundled.open_bundled()
    for name in STATIC:
        np.testing.assert_array_equal(model.static[name], climate[name])
        assert model.static[name].attrs["units"] == climate[name].attrs["units"]


def test_its_days_lie_within_physical_bounds_and_near_its_rest(begun):
    """Two days from 288 K and no wind are no weather that the bundled climate lacks. The geopotential is so far from
    mountains only: at rest, the pressure over them is not yet what the air above weighs."""
    climate = bundled.open_bundled().isel(time=slice(0, 365)).load()
    pacific = {"latitude": slice(-30, 30), "longitude": slice(160, 220)}
    for day in begun[0]:
        for name in circulation.NAMES:
            least, most = (-2e4, 6e5) if name == "geopotential" else variable(name).bounds
            assert least < day[name].min() and day[name].max() < most
            usual = climate[name]
            field, room = day[name].sel(pacific if name == "geopotential" else {}), 0.1 * np.ptp(usual.values)
            assert usual.min() - room < field.min() and field.max() < usual.max() + room


def test_a_day_in_two_halves_through_its_saved_state_is_the_same_day(begun):
    """Another model, run step by step: its states bit for bit, and the mean over its steps."""
    days, states = begun
    other, steps = circulation.Circulation(), []
    for _ in range(2):
        other.state = load(save(other.state))
        half = other._model.resume(other._forcing, save_interval="36 minutes", total_time="12 hours")
        steps.append(half.to_xarray()[[*circulation.NAMES.values(), circulation.PRESSURE]].as_numpy())
    assert other.day == 1
    for name, expected in states[0].items():
        np.testing.assert_array_equal(other.state[name], expected)
    mean = day_fields(xr.concat(steps, "time").mean("time"))
    for name in mean:
        np.testing.assert_allclose(mean[name], days[0][name], rtol=1e-4, atol=1e-4 * float(abs(days[0][name]).max()))
    other.state = load(save(other.state))
    xr.testing.assert_identical(other.advance(), days[1])
    for name, expected in states[1].items():
        np.testing.assert_array_equal(other.state[name], expected)
