"""The model that comes with the package: small, what its card says, better than what needs no model."""

import numpy as np
import pytest
import xarray as xr

from sparta_core import DataError, Experiment, load
from sparta_core.__main__ import main
from sparta_core.card import card
from sparta_core.data import bundled
from sparta_core.tensors import unpacked

MOST_BYTES = 12e6
YEAR = 365.2425  # days


@pytest.fixture(scope="module")
def model():
    return load()


@pytest.fixture(scope="module")
def climate():
    return bundled.open_bundled()


@pytest.fixture(scope="module")
def month(climate, model):
    """Days of the last split."""
    return climate[list(model.sparta.normaliser.variables)].sel(time=slice("2011-08-01", "2011-08-30")).load()


def stations(days, count=150):
    """The same places every day, evenly over the area."""
    area = np.cos(np.deg2rad(days.latitude)).values.repeat(days.sizes["longitude"])
    places = np.random.default_rng(1).choice(area.size, count, replace=False, p=area / area.sum())
    seen = np.isin(np.arange(area.size), places).reshape(days.sizes["latitude"], -1)
    return days.where(xr.DataArray(seen, dims=("latitude", "longitude")))


def squares(made, days):
    """The mean squared error of each variable over the area."""
    weights = np.cos(np.deg2rad(days.latitude))
    return ((made - days) ** 2).weighted(weights).mean(["time", "latitude", "longitude"]).to_array()


def test_it_is_small_and_its_card_is_that_of_the_file():
    path = bundled.model_path()
    assert path.stat().st_size <= MOST_BYTES
    _, about = unpacked(path)
    assert path.with_suffix(".md").read_text() == card(path.name, path.stat().st_size, about)
    assert about["experiment"]["preset"] == "quickstart" and about["scores"] and about["baselines"]


def test_what_it_holds_was_trained_with_its_presets_settings(model):
    preset = Experiment.from_preset("quickstart")
    held = [preset.representation, *model.about["tasks"]]
    assert held == ["autoencoder", "forecast", "classification", "assimilation"]
    assert [model.experiment.digest(each) for each in held] == [preset.digest(each) for each in held]


def test_a_package_without_it_says_so(monkeypatch):
    monkeypatch.setattr(bundled, "MODEL", "gone.safetensors")
    with pytest.raises(DataError, match=r"the bundled model is missing at .*gone\.safetensors; install sparta_core"):
        load()


def test_the_climatology_is_the_regression_of_the_training_days_on_the_year(model, climate):
    """At three places, by numpy in float64 on the days that the file names."""
    first, last = model.sparta.normaliser.period.split(" from ")[1].split(" to ")
    dates = np.array(["2011-08-05", "2012-02-29", "1950-12-31"], "M8[ns]")
    made = model.climatology(dates)
    days = climate.sel(time=slice(first, last))

    def basis(times):
        phase = 2 * np.pi * ((times - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")) / YEAR
        return np.stack([np.ones(len(times)), *(f(k * phase) for k in (1, 2, 3) for f in (np.sin, np.cos))], 1)

    for name, row, column in (("2m_temperature", 27, 3), ("geopotential", 16, 40), ("v_component_of_wind", 5, 60)):
        series = days[name][:, row, column].values.astype(float)
        weights, *_ = np.linalg.lstsq(basis(days.time.values), series, rcond=None)
        assert made[name][:, row, column].values == pytest.approx(basis(dates) @ weights, abs=0.01 * series.std())


@pytest.mark.parametrize("times", ["yesterday", ["2011-13-01"], object()])
def test_what_is_no_date_has_no_climatology(model, times):
    with pytest.raises(DataError, match=r"^times are .*; give dates, such as '2011-07-01'$"):
        model.climatology(times)


def test_its_reconstruction_errs_as_its_card_says(model, climate):
    """70 % masked, on other days of the last part and with other masks."""
    (said,) = [row[3] for row in model.about["scores"] if row[:3] == ["reconstruction", "native_mask0.7", "mse"]]
    normaliser = model.sparta.normaliser
    days = climate[list(normaliser.variables)].sel(time=slice("2011-08-03", "2011-12-20", 9)).load()
    draws = np.random.default_rng(0)
    made = model.reconstruct(days.map(lambda field: field.where(draws.random(field.shape) < 0.3)))
    scaled = squares(made, days).values / normaliser.std.numpy() ** 2
    assert scaled.mean() == pytest.approx(said, rel=0.25)  # as days differ, and masks


def test_a_month_of_stations_is_worth_more_than_each_of_its_days(model, month):
    """And each of these more than climatology, in every variable; a forecast of three days is, too."""
    observed = stations(month)
    analyses = model.assimilate(observed)[list(month)]
    alone, together, usual = (squares(made.isel(time=slice(10, None)), month.isel(time=slice(10, None))) for made in (
        model.reconstruct(observed), analyses, model.climatology(month.time.values)))  # fmt: skip
    assert (together < alone).all() and (alone < 0.6 * usual).all()
    coming = month.isel(time=slice(27, None))
    forecast = model.forecast(analyses.isel(time=slice(27)), leads=3).isel(init_time=0, drop=True)
    made = forecast.rename(lead_time="time").assign_coords(time=coming.time)
    assert (squares(made, coming) < squares(model.climatology(coming.time.values), coming)).all()


def test_a_command_takes_it_where_none_is_named(model, month, tmp_path, capsys):
    observed = stations(month.isel(time=slice(2)))
    observed.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    main(["reconstruct", "--input", str(tmp_path / "days.nc"), "--output", str(tmp_path / "fields.nc")])
    assert "fields.nc is ready" in capsys.readouterr().out
    xr.testing.assert_allclose(xr.load_dataset(tmp_path / "fields.nc"), model.reconstruct(observed), rtol=1e-5)


def test_the_season_of_a_month_of_stations(model, month):
    probability = model.season(stations(month)).probability.mean("time")
    assert str(probability.season.values[int(probability.argmax())]) == "JJA" and float(probability.max()) > 0.8
