"""Daily means of small stores in the layouts of WeatherBench 2's, against means taken by hand in numpy."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sparta_core.data.days import WEATHERBENCH2_VARIABLES
from sparta_core.errors import DataError
from tests.data.weatherbench import (
    CF_UNITS,
    COARSE,
    FINE,
    LATITUDE,
    LONGITUDE,
    means_by_hand,
    open_days,
    raw,
    remote,
    six_hourly,
    write,
)


@pytest.fixture
def source(tmp_path) -> str:
    return write(remote(six_hourly()), tmp_path / "remote.zarr")


@pytest.mark.parametrize("layout", [COARSE, FINE], ids=["coarse", "fine"])
@pytest.mark.parametrize("zarr_format, consolidated", [(2, True), (2, False), (3, True), (3, False)])
def test_daily_means_are_those_by_hand(tmp_path, layout, zarr_format, consolidated):
    times = six_hourly()
    where = write(remote(times, layout), tmp_path / "remote.zarr", zarr_format, consolidated)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        days = open_days(where, WEATHERBENCH2_VARIABLES, 850)
    for name, expected in means_by_hand(times, 850, 0, 7).items():
        assert days[name].dims == ("time", "latitude", "longitude")
        assert days[name].dtype == np.float32
        assert days[name].attrs["units"] == CF_UNITS[name]
        np.testing.assert_allclose(days[name].values, expected, rtol=1e-6)
    np.testing.assert_array_equal(days["latitude"], LATITUDE)
    np.testing.assert_array_equal(days["time"], np.arange("1999-12-29", "2000-01-05", dtype="M8[D]"))
    np.testing.assert_allclose(days["land_sea_mask"], np.linspace(0, 1, 32).reshape(4, 8), rtol=1e-6)
    assert days["geopotential_at_surface"].attrs["units"] == "m2 s-2"
    assert "total_precipitation_6hr" not in days and "level" not in days.coords


def test_another_level_gives_other_values(source):
    days = open_days(source, ("2m_temperature", "geopotential"), 500)
    expected = means_by_hand(six_hourly(), 500, 0, 7)
    np.testing.assert_allclose(days["geopotential"], expected["geopotential"], rtol=1e-6)
    np.testing.assert_allclose(days["2m_temperature"], expected["2m_temperature"], rtol=1e-6)
    assert days.attrs["level"] == 500 and list(days.data_vars)[:2] == ["2m_temperature", "geopotential"]


def test_opening_reads_no_field(source):
    days = open_days(source, WEATHERBENCH2_VARIABLES, 850)
    assert all(days[name].chunks is not None for name in WEATHERBENCH2_VARIABLES)


def test_western_longitudes_are_counted_from_0_to_360(tmp_path):
    dataset = remote(six_hourly())
    west = dataset.assign_coords(longitude=LONGITUDE - 180)
    days = open_days(write(west, tmp_path / "west.zarr"), ("2m_temperature",), 850)
    np.testing.assert_array_equal(days["longitude"], LONGITUDE)
    expected = np.roll(means_by_hand(six_hourly(), 850, 0, 7)["2m_temperature"], 4, axis=-1)
    np.testing.assert_allclose(days["2m_temperature"], expected, rtol=1e-6)


def test_days_cut_off_at_the_ends_are_left_out_and_said(tmp_path):
    times = six_hourly("1999-12-29T12", steps=2 + 3 * 4 + 3)
    where = write(remote(times), tmp_path / "cut.zarr")
    with pytest.warns(UserWarning) as said:
        days = open_days(where, ("geopotential",), 850)
    assert [str(w.message).split(" in ")[0] for w in said] == ["1999-12-29 has 2 fields", "2000-01-02 has 3 fields"]
    assert all(w.filename == __file__ for w in said)
    np.testing.assert_array_equal(days["time"], np.arange("1999-12-30", "2000-01-02", dtype="M8[D]"))
    np.testing.assert_allclose(
        days["geopotential"], means_by_hand(times, 850, 2, 3)["geopotential"], rtol=1e-6)


def test_a_store_of_daily_fields_stays_as_it_is(tmp_path):
    times = np.arange("2000-01-01", "2000-01-05", dtype="M8[D]").astype("M8[h]") + 12
    days = open_days(write(remote(times), tmp_path / "daily.zarr"), ("2m_temperature",), 850)
    np.testing.assert_array_equal(days["2m_temperature"], raw(times)["2m_temperature"])
    np.testing.assert_array_equal(days["time"], times.astype("M8[D]"))


def test_a_nan_in_one_field_spoils_its_day_instead_of_hiding(tmp_path):
    dataset = remote(six_hourly())
    dataset["2m_temperature"][5, 0, 0] = np.nan
    where = write(dataset, tmp_path / "nan.zarr")
    days = open_days(where, ("2m_temperature",), 850)["2m_temperature"]
    assert np.isnan(days[1]).sum() == 1


def without(dataset: xr.Dataset, steps: list[int]) -> xr.Dataset:
    return dataset.isel(time=np.setdiff1d(np.arange(dataset.sizes["time"]), steps))


@pytest.mark.parametrize("steps, counts", [
    ([9, 10, 15], {"1999-12-31": 2, "2000-01-01": 3}), ([12], {"2000-01-01": 3})])
def test_days_that_lack_a_field_are_left_out_wherever_they_are(tmp_path, steps, counts):
    times = six_hourly()
    where = write(without(remote(times), steps), tmp_path / "gap.zarr")
    with pytest.warns(UserWarning) as said:
        days = open_days(where, ("geopotential",), 850)["geopotential"]
    assert {str(w.message).split()[0]: int(str(w.message).split()[2]) for w in said} == counts
    whole = [day for day in range(7) if not any(4 * day <= step < 4 * day + 4 for step in steps)]
    np.testing.assert_allclose(days, means_by_hand(times, 850, 0, 7)["geopotential"][whole], rtol=1e-6)
    np.testing.assert_array_equal(days["time"], np.datetime64("1999-12-29") + np.array(whole))


def test_a_day_of_four_fields_at_odd_hours_is_left_out(tmp_path):
    times = six_hourly()
    times[9] += np.timedelta64(2, "h")
    where = write(remote(times), tmp_path / "odd.zarr")
    with pytest.warns(UserWarning, match="1999-12-31 has 4 fields in .*odd.zarr, not 4 in equal steps"):
        days = open_days(where, ("2m_temperature",), 850)
    assert days.sizes["time"] == 6 and np.datetime64("1999-12-31") not in days["time"].values


def test_years_are_chosen_before_anything_is_read(tmp_path):
    where = write(remote(six_hourly()), tmp_path / "remote.zarr")
    days = open_days(where, ("2m_temperature",), 850, (2000, 2000))
    np.testing.assert_array_equal(days["time"], np.arange("2000-01-01", "2000-01-05", dtype="M8[D]"))
    for years in ((1998, 2000), (2000, 1999), (2000, 2001)):
        with pytest.raises(DataError, match=f"has the years 1999 to 2000, not {years[0]} to {years[1]}"):
            open_days(where, ("2m_temperature",), 850, years)


def with_units(dataset: xr.Dataset, name: str, units: str | None) -> xr.Dataset:
    dataset[name].attrs = {} if units is None else {"units": units}
    return dataset


BAD = {
    "twice": (lambda d: d.isel(time=np.sort([*range(28), 7])),
              "goes from 1999-12-30T18:00:00 to 1999-12-30T18:00:00; sort"),
    "backwards": (lambda d: d.isel(time=slice(None, None, -1)), "goes from 2000-01-04T18:00:00 to 2000-01-04T12"),
    "step": (lambda d: d.assign_coords(time=pd.date_range("2000", periods=28, freq="5h")),
             "time step of .* does not divide a day"),
    "short": (lambda d: d.isel(time=slice(3)), "no whole day of 4 fields"),
    "one": (lambda d: d.isel(time=[0]), "no time axis with two dates"),
    "units": (lambda d: with_units(d, "2m_temperature", "m"), "2m_temperature in .* is in 'm'; .* 'K'"),
    "no units": (lambda d: with_units(d, "geopotential", None), "geopotential in .* no units; .* 'm2 s-2'"),
    "no variable": (lambda d: d.drop_vars("geopotential"), "has no geopotential; .* 2m_temperature, .*wind"),
    "no level": (lambda d: d.sel(level=[500, 1000]), "no level 850 hPa; .* levels: 500, 1000$"),
    "dims": (lambda d: d.rename(latitude="y"), r"dimensions .*y.*; rename .* time, latitude, longitude"),
    "grid": (lambda d: d.assign_coords(longitude=[0, 45, 90, 135, 180, 225, 270, 360]),
             "longitude 0 more than once"),
    "latitude": (lambda d: d.assign_coords(latitude=LATITUDE * 2), "latitude in .* exceeds 90"),
    "no latitude": (lambda d: d.drop_vars("latitude"), "no coordinate latitude"),
}


@pytest.mark.filterwarnings("ignore:.*it is left out")
@pytest.mark.parametrize("case", BAD)
def test_a_source_that_does_not_fit_is_one_clear_sentence(tmp_path, case):
    change, message = BAD[case]
    where = write(change(remote(six_hourly())), tmp_path / "bad.zarr")
    with pytest.raises(DataError, match=message) as error:
        open_days(where, WEATHERBENCH2_VARIABLES, 850)
    assert "bad.zarr" in str(error.value) and "\n" not in str(error.value)


def test_a_source_that_cannot_be_opened_names_it_and_the_reason(tmp_path):
    with pytest.raises(DataError, match=r"cannot open .*nothing\.zarr as a Zarr store \(.+\)"):
        open_days(tmp_path / "nothing.zarr", WEATHERBENCH2_VARIABLES, 850)
    with pytest.raises(DataError, match=r"cannot open nonsense://x as a Zarr store \(.*nonsense"):
        open_days("nonsense://x", WEATHERBENCH2_VARIABLES, 850)


def test_a_url_of_any_fsspec_protocol_opens():
    times = six_hourly()
    remote(times).to_zarr("memory://weather.zarr", mode="w", zarr_format=2)
    days = open_days("memory://weather.zarr", ("2m_temperature",), 850)
    np.testing.assert_allclose(
        days["2m_temperature"], means_by_hand(times, 850, 0, 7)["2m_temperature"], rtol=1e-6)


def test_dates_before_1678_are_not_wrapped(tmp_path):
    times = six_hourly("1600-02-27T00")
    days = open_days(write(remote(times), tmp_path / "old.zarr"), ("geopotential",), 850, (1600, 1600))
    np.testing.assert_array_equal(days["time"], np.arange("1600-02-27", "1600-03-05", dtype="M8[D]"))
    np.testing.assert_allclose(days["geopotential"], means_by_hand(times, 850, 0, 7)["geopotential"], rtol=1e-6)
