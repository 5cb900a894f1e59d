"""A trained model on xarray data: the same numbers as by hand, whatever the order, the gaps, or what is missing."""

import numpy as np
import pytest
import torch
import xarray as xr

from sparta_core.apply import embed, reconstruct, trained
from sparta_core.errors import DataError


@pytest.fixture
def model(tiny):
    return trained(tiny(objective="autoencoder", autoencoder_epochs=1))


@pytest.fixture
def days(weather):
    return xr.load_dataset(weather).isel(time=slice(10, 14))


def by_hand(model, days):
    """Embeddings of days whose NaN are the training mean."""
    fields = model.bench.fields
    values = np.stack([(days[name].values - float(fields.mean[c])) / float(fields.std[c])
                       for c, name in enumerate(fields.variables)], axis=1)  # fmt: skip
    with torch.no_grad():
        z = model.sparta.encoder(torch.from_numpy(np.nan_to_num(values)).float())
        return z.numpy(), model.sparta.decoder(z).numpy()


def test_embeddings_and_reconstructions_are_those_by_hand(model, days):
    z, fields = by_hand(model, days)
    embedded = embed(model, days)["embedding"]
    np.testing.assert_allclose(embedded, z, atol=1e-5)
    assert embedded.attrs["units"] == "1" and "autoencoder" in embedded.attrs["long_name"]
    made = reconstruct(model, days)
    for c, name in enumerate(model.bench.fields.variables):
        expected = fields[:, c] * float(model.bench.fields.std[c]) + float(model.bench.fields.mean[c])
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
    xr.testing.assert_allclose(embed(model, CHANGES[change](days)), embed(model, days), rtol=1e-4)
    xr.testing.assert_allclose(reconstruct(model, CHANGES[change](days)), reconstruct(model, days), rtol=1e-4)


def test_what_is_not_observed_is_nan(model, days):
    gaps = days.copy(deep=True)
    gaps["geopotential"][1] = np.nan
    gaps["2m_temperature"][:, 3:5] = np.nan
    np.testing.assert_allclose(embed(model, gaps)["embedding"], by_hand(model, gaps)[0], atol=1e-5)
    without = days.drop_vars("specific_humidity")
    blank = days.assign(specific_humidity=days["specific_humidity"] * np.nan)
    np.testing.assert_allclose(embed(model, without)["embedding"], by_hand(model, blank)[0], atol=1e-5)
    assert all(field.notnull().all() for field in reconstruct(model, without).data_vars.values())


def test_one_day_needs_no_time(model, days):
    one = days.isel(time=2)
    xr.testing.assert_allclose(embed(model, one), embed(model, days).isel(time=2), rtol=1e-4)
    assert reconstruct(model, one)["geopotential"].dims == ("latitude", "longitude")
    assert "time" not in reconstruct(model, one.drop_vars("time")).coords


BAD = {
    "grid": (lambda d: d.isel(latitude=slice(1, None)), "latitude of the dataset is 15 from -73.* regrid it"),
    "place": (lambda d: d.assign_coords(longitude=d.longitude + 2), "longitude of the dataset is 32 from 2 to"),
    "names": (lambda d: d.rename({n: n.upper() for n in d.data_vars}), "no days of any of 2m_temperature, .*; rename"),
    "units": (lambda d: d.assign(geopotential=d.geopotential.assign_attrs(units="m")), "is in 'm'; convert it to"),
    "infinite": (lambda d: d.where(d < 1e9, 0) / 0, "infinite|no units"),
    "dims": (lambda d: d.rename(latitude="y"), "dimensions .*y"),
    "no days": (lambda d: d.isel(time=slice(0)), "no days of any of 2m_temperature"),
    "level": (lambda d: d.assign_attrs(level=500), "holds level 500 hPa, not 850"),
}


@pytest.mark.parametrize("case", BAD)
def test_other_data_is_one_sentence(model, days, case):
    change, message = BAD[case]
    with pytest.raises(DataError, match=message) as error:
        reconstruct(model, change(days))
    assert "\n" not in str(error.value)
