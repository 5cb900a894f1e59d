"""A trained model on xarray data: the same numbers as by hand, whatever the order, the gaps, or what is missing."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from sparta_core.errors import DataError
from sparta_core.model import Model


@pytest.fixture
def model(tiny):
    return Model.of(tiny(objective="autoencoder", autoencoder_epochs=1), [])


@pytest.fixture
def days(weather):
    return xr.load_dataset(weather).isel(time=slice(10, 14))


def by_hand(model, days):
    """Embeddings of days whose NaN are the training mean."""
    known = model.sparta.normaliser
    values = np.stack([(days[name].values - float(known.mean[c])) / float(known.std[c])
                       for c, name in enumerate(known.variables)], axis=1)  # fmt: skip
    with torch.no_grad():
        z = model.sparta.encoder(torch.from_numpy(np.nan_to_num(values)).float())
        return z.numpy(), model.sparta.decoder(z).numpy()


def test_embeddings_and_reconstructions_are_those_by_hand(model, days):
    z, fields = by_hand(model, days)
    embedded = model.embed(days)["embedding"]
    np.testing.assert_allclose(embedded, z, atol=1e-5)
    assert embedded.attrs["units"] == "1" and "autoencoder" in embedded.attrs["long_name"]
    made = model.reconstruct(days)
    known = model.sparta.normaliser
    for c, name in enumerate(known.variables):
        expected = fields[:, c] * float(known.std[c]) + float(known.mean[c])
        np.testing.assert_allclose(made[name], expected, rtol=1e-4, atol=1e-7)
        assert made[name].attrs["units"] == days[name].attrs["units"]
    xr.testing.assert_equal(made["time"], days["time"])
    np.testing.assert_array_equal(made["latitude"], days["latitude"])


CHANGES = {
    "dimensions": lambda d: d.transpose("longitude", "time", "latitude"),
    "north first": lambda d: d.isel(latitude=slice(None, None, -1)),
    "from the date line": lambda d: d.assign_coords(longitude=(d.longitude + 180) % 360 - 180).sortby("longitude"),
    "more variables": lambda d: d.assign(rain=d["geopotential"].drop_attrs()),
    "short names": lambda d: d.rename({"time": "valid_time", "2m_temperature": "t2m", "geopotential": "z"}),
    "float64": lambda d: d.astype(np.float64, keep_attrs=True),
    "units": lambda d: d.assign(geopotential=d["geopotential"].assign_attrs(units="m**2 s**-2")),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_spelling_of_the_same_days_changes_nothing(model, days, change):
    xr.testing.assert_allclose(model.embed(CHANGES[change](days)), model.embed(days), rtol=1e-4)
    xr.testing.assert_allclose(model.reconstruct(CHANGES[change](days)), model.reconstruct(days), rtol=1e-4)


def test_what_is_not_observed_is_nan(model, days):
    gaps = days.copy(deep=True)
    gaps["geopotential"][1] = np.nan
    gaps["2m_temperature"][:, 3:5] = np.nan
    np.testing.assert_allclose(model.embed(gaps)["embedding"], by_hand(model, gaps)[0], atol=1e-5)
    without = days.drop_vars("specific_humidity")
    blank = days.assign(specific_humidity=days["specific_humidity"] * np.nan)
    np.testing.assert_allclose(model.embed(without)["embedding"], by_hand(model, blank)[0], atol=1e-5)
    assert all(field.notnull().all() for field in model.reconstruct(without).data_vars.values())


def test_one_day_needs_no_time(model, days):
    one = days.isel(time=2)
    xr.testing.assert_allclose(model.embed(one), model.embed(days).isel(time=2), rtol=1e-4)
    assert model.reconstruct(one)["geopotential"].dims == ("latitude", "longitude")
    assert "time" not in model.reconstruct(one.drop_vars("time")).coords


BAD = {
    "grid": (lambda d: d.isel(latitude=slice(1, None)), "the grid of the dataset has 15 x 32 from -73.*; give regrid="),
    "place": (lambda d: d.assign_coords(longitude=d.longitude + 2), "grid of the dataset has .* and 2 to 350.75 ea"),
    "names": (lambda d: d.rename({n: n.upper() for n in d.data_vars}), "no days of any of 2m_temperature, .*; rename"),
    "units": (lambda d: d.assign(geopotential=d.geopotential.assign_attrs(units="Pa")), "is in 'Pa'; convert it to"),
    "infinite": (lambda d: d.where(d < 1e9, 0) / 0, "infinite|no units"),
    "dims": (lambda d: d.rename(latitude="y"), "dimensions .*y"),
    "no days": (lambda d: d.isel(time=slice(0)), "no days of any of 2m_temperature"),
    "level": (lambda d: d.assign_attrs(level=500), "holds level 500 hPa, not 850"),
    "misspelt": (lambda d: d.rename(specific_humidity="specific_humidty"),
                 "has no specific_humidity, but 'specific_humidty', which nothing uses; rename it"),
    "height": (lambda d: d.assign(geopotential=(d.geopotential / 9.80665).assign_attrs(units="m2 s-2")),
               "geopotential of the dataset is .* on 2001-01-11 at -84.* north, 0 east, where .*height in m: multiply"),
    "surface": (lambda d: d.assign(geopotential=d.geopotential * 0), "geopotential of .* is 0 on 2001-01-11 at"),
    "a code": (lambda d: d.assign(u_component_of_wind=d.u_component_of_wind.where(d.longitude > 0, -99.9)),
               "u_component_of_wind of the dataset is -99.9 in 64 places, first on 2001-01-11 at -84.* 'missing'"),
    "an empty day": (lambda d: d.where(d.time != d.time[2]), "the dataset has nothing but NaN on 2001-01-13; leave"),
    "empty days": (lambda d: d * np.nan, "has nothing but NaN on 2001-01-11 and 3 more days; leave such days out"),
    "an empty moment": (lambda d: d.isel(time=0).drop_vars("time") * np.nan, "the dataset has nothing but NaN; leave"),
    "words": (lambda d: d.astype(str), "is of the type <U|says no units"),
    "a time": (lambda d: d.assign_coords(time=list("abcd")), "time of the dataset is 'a' at the place 1; write it as"),
    "no time": (lambda d: d.assign_coords(time=d.time.where(d.time != d.time[1])), "time of the dataset is 'NaT' at"),
}


def keep_units(days, change):
    """Changed days whose variables still say the units that arithmetic drops."""
    with xr.set_options(keep_attrs=True):
        return change(days)


@pytest.mark.parametrize("case", BAD)
def test_other_data_is_one_sentence(model, days, case):
    change, message = BAD[case]
    days = keep_units(days, change)
    with pytest.raises(DataError, match=message) as error:
        model.reconstruct(days)
    assert "\n" not in str(error.value)


def same(model, given, days, without=()):
    """Whether `given` is embedded and rebuilt as the days are."""
    for make in (model.embed, model.reconstruct):
        made, expected = (make(each).drop_vars(without) for each in (given, days))
        xr.testing.assert_allclose(made, expected, rtol=1e-4)


def test_files_stores_and_arrays_are_taken_as_they_are(model, days, tmp_path):
    days.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    days.to_zarr(tmp_path / "days.zarr")
    for path in (tmp_path / "days.nc", str(tmp_path / "days.nc"), tmp_path / "days.zarr"):
        same(model, path, days)
    same(model, days["geopotential"], days[["geopotential"]])
    same(model, days["geopotential"].rename("z").isel(time=0), days[["geopotential"]].isel(time=0))


@pytest.mark.parametrize("given, message", [
    (np.zeros((1, 16, 32)), r"^give an xarray Dataset with its coordinates, no ndarray: xarray.Dataset\({'geop"),
    (None, "no NoneType: xarray.Dataset"), (pd.DataFrame({"lat": [1]}), r"give model.observations\(table\)"),
    (xr.DataArray(np.zeros((16, 32))), r"has no name, which says what it is; give array.rename\('geopotential'\)"),
    ("stations.csv", r"stations.csv is a table; read it with model.observations\(path\)"),
    ("none.nc", "there is no data at none.nc")])
def test_what_is_no_dataset_is_one_sentence(model, given, message):
    for entry in (model.embed, model.reconstruct):
        with pytest.raises(DataError, match=message):
            entry(given)


def test_a_damaged_file_is_one_sentence(model, tmp_path):
    (tmp_path / "days.nc").write_text("no file")
    with pytest.raises(DataError, match="is neither a Zarr store nor a NetCDF file"):
        model.embed(tmp_path / "days.nc")
    with pytest.raises(DataError, match="observations takes a pandas DataFrame or the path of a CSV, no ndarray"):
        model.observations(np.zeros(3))


def dates(days, values):
    return days.assign_coords(time=("time", np.array(values, object)))


def stamps(days, zone=""):
    return [f"{moment}{zone}" for moment in days.time.values.astype("M8[s]")]


TIMES = {
    "with a zone": lambda d: dates(d, stamps(d, "Z")),
    "words": lambda d: d.assign_coords(time=stamps(d)),
    "of pandas": lambda d: dates(d, list(pd.DatetimeIndex(d.time.values, tz="UTC"))),
    "noleap": lambda d: d.convert_calendar("noleap", use_cftime=True),
    "ends": lambda d: d.assign_coords(time=("time", d.time.values + np.timedelta64(1, "D"), {"bounds": "time_bnds"}))
    .assign(time_bnds=(("time", "nv"), d.time.values[:, None] + np.arange(2) * np.timedelta64(1, "D"))),
}


@pytest.mark.parametrize("anomalies", ["mean", "climatology"])
@pytest.mark.parametrize("change", TIMES)
def test_however_times_are_written_the_days_are_the_same(tiny, days, change, anomalies):
    model = Model.of(tiny(objective="autoencoder", autoencoder_epochs=1, anomalies=anomalies), [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = TIMES[change](days)
        if given.time.dtype == object and hasattr(given.time.values[0], "calendar"):  # they come back as they were
            assert (model.embed(given).time.values == given.time.values).all()
            same(model, given, days, without=["time"])
            return
        same(model, given, days)
        same(model, given.isel(time=1), days.isel(time=1))


def test_moments_of_a_date_are_averaged_and_said(model, days):
    """Each day as four moments whose mean it is, one of them without a part."""
    shift = np.array([-3.0, 1, 1, 1])
    with xr.set_options(keep_attrs=True):
        moments = xr.concat([(days + k * 1e-5).assign_coords(time=days.time + np.timedelta64(6 * i, "h"))
                             for i, k in enumerate(shift)], "time").sortby("time")  # fmt: skip
    holed = moments.copy(deep=True)
    holed["2m_temperature"][0, :3] = np.nan
    with pytest.warns(UserWarning, match="the dataset has 4 moments a date, 16 on 4 dates; their mean is taken for"):
        made = model.embed(holed)
    np.testing.assert_array_equal(made["time"], days["time"])
    np.testing.assert_allclose(made["embedding"], model.embed(days)["embedding"], atol=1e-4)


def test_a_code_in_one_moment_is_told_before_it_is_averaged(model, days):
    moments = days.assign_coords(time=days.time.values[0] + np.arange(4) * np.timedelta64(6, "h"))
    moments["geopotential"][2, 3, 4] = -9999
    with pytest.warns(UserWarning), pytest.raises(DataError, match=r"is -9999 on 2001-01-11 at -50.* looks like"):
        model.embed(moments)


def test_a_moment_that_stands_for_its_day_is_said_and_keeps_its_time(model, days):
    given = days.assign_coords(time=days.time + np.timedelta64(6, "h"))
    with pytest.warns(UserWarning, match="each date of the dataset has one moment, at 06:00 UTC"):
        made = model.embed(given)
    np.testing.assert_array_equal(made["time"], given["time"])


def test_variables_that_nothing_uses_are_named(model, days):
    more = days.assign(ua=days["geopotential"], rain=days["geopotential"], crs=0, time_bnds=days["time"])
    more["time"].attrs["bounds"] = "time_bnds"
    with pytest.warns(UserWarning, match="^nothing uses the variables 'rain', 'ua' of the dataset; what is used is 2m"):
        model.embed(more.drop_vars("time_bnds"))


def test_units_are_those_of_the_training_days_for_every_variable(tiny, weather, tmp_path):
    """A variable that has no prescribed units was trained in Pa, and comes in hPa."""
    days = xr.load_dataset(weather)
    own = days[["geopotential"]].rename(geopotential="another_pressure")
    own["another_pressure"].attrs["units"] = "Pa"
    own.to_netcdf(tmp_path / "own.nc", engine="h5netcdf")
    model = Model.of(tiny(data=str(tmp_path / "own.nc"), variables=("another_pressure",),
                          objective="autoencoder", autoencoder_epochs=1), [])  # fmt: skip
    given = own.isel(time=slice(3))
    there = model.embed(given)["embedding"]
    pressure = given["another_pressure"]
    with pytest.warns(UserWarning, match="is in 'hPa'; it is converted to 'Pa', times 100"):
        made = model.embed((pressure / 100).assign_attrs(units="hPa").to_dataset())["embedding"]
    np.testing.assert_allclose(made, there, rtol=1e-3, atol=1e-4)
    with pytest.raises(DataError, match="another_pressure in the dataset is in 'K'; convert it to 'Pa'"):
        model.embed(pressure.assign_attrs(units="K").to_dataset())


def test_stations_of_pandas_and_of_a_csv_are_embedded_alike(model, days, tmp_path):
    places = pd.DataFrame({"time": "2001-01-11T12:00:00Z", "lat": [48.0, -20], "lon": [8, 200],
                           "2m_temperature": [275.0, 281], "geopotential": [12900.0, 13100]})  # fmt: skip
    places.to_csv(tmp_path / "stations.csv", index=False)
    made = model.observations(places)
    assert made.identical(model.observations(tmp_path / "stations.csv"))
    assert made["geopotential"].notnull().sum() == 2 and made["time"].values == np.datetime64("2001-01-11")
    assert np.isfinite(model.embed(made)["embedding"]).all()
    with pytest.raises(DataError, match=r"is 1315.* in row 1, where .*geopotential height in m: multiply it by 9.8"):
        model.observations(places.assign(geopotential=places["geopotential"] / 9.80665))
