"""Anomalies from the climatology: against least squares in float64, exact both ways, and nobody's scores changed."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from sparta_core.baselines import fit_baselines
from sparta_core.data.climatology import climatology_at, days_of_year, fit_climatology
from sparta_core.data.clock import DAILY, Clock
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.model import Model
from sparta_core.training.records import open_record


def by_hand(values, dates, train):
    """numpy's least squares of a constant and three harmonics on the first `train` days, at all dates, float64."""
    phase = 2 * np.pi * ((dates - np.datetime64(0, "D")) / np.timedelta64(31556952, "s"))
    basis = np.stack([np.ones_like(phase), *(f(k * phase) for k in (1, 2, 3) for f in (np.sin, np.cos))], axis=1)
    flat = values.reshape(len(values), -1).astype(np.float64)
    solution = np.linalg.lstsq(basis[:train], flat[:train], rcond=None)[0]
    return (basis @ solution).reshape(values.shape)


@pytest.fixture
def both(tiny):
    return [open_record(tiny(anomalies=kind)) for kind in ("mean", "climatology")]


def test_day_of_year_is_pandas():
    dates = pd.date_range("1999-12-30", "2004-03-02").values
    np.testing.assert_array_equal(days_of_year(dates), pd.DatetimeIndex(dates).day_of_year)
    assert days_of_year(dates[:6].reshape(2, 3)).shape == (2, 3)


def test_anomalies_are_what_least_squares_on_the_training_days_leaves(both):
    mean, climatology = both
    train = mean.splits["train"].stop
    expected = by_hand(mean.values.numpy(), mean.time, train)
    np.testing.assert_allclose(climatology.climatology_of(climatology.time), expected, atol=2e-5)
    anomalies = climatology.take(slice(None)).values
    np.testing.assert_allclose(anomalies, mean.values.numpy() - expected, atol=2e-5)
    assert anomalies[:train].square().mean() < 0.7 * mean.take(slice(None)).values[:train].square().mean()


def test_they_are_undone_exactly(both):
    mean, climatology = both
    for days in (torch.tensor([3, 599, 140]), slice(5, 9)):
        taken, full = climatology.take(days), mean.take(days).values
        assert torch.equal(climatology.full(days).values, full) and torch.equal(mean.full(days).values, full)
        made = taken.values + climatology.climatology_of(taken.dates)
        torch.testing.assert_close(made, full, atol=4e-6, rtol=0)
    physical, anomalies = mean.physical(mean.values), climatology.take(slice(None)).values
    torch.testing.assert_close(climatology.physical(anomalies, climatology.time), physical, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(climatology.standardise(physical, climatology.time), anomalies, atol=1e-4, rtol=0)
    members = anomalies[:6].unflatten(0, (2, 3))
    made = climatology.physical(members, climatology.time[:2, None])  # dates that broadcast
    torch.testing.assert_close(made[1, 2], climatology.physical(members[1, 2], climatology.time[1:2])[0])


def test_without_dates_there_is_no_way_back(both):
    with pytest.raises(DataError, match="anomalies from the climatology of their dates; give the dates"):
        both[1].physical(both[1].values[:2])


def test_days_with_gaps_have_no_climatology():
    days = torch.randn(400, 2, 3, 4)
    days[7, 1, 2, 3] = torch.nan
    with pytest.raises(DataError, match=r"the training days of here have gaps.*set anomalies='mean'"):
        fit_climatology(days, np.datetime64("2001-01-01") + np.arange(400), DAILY, "here")
    assert climatology_at(torch.zeros(7, 2, 3, 4), np.zeros((5, 2), "M8[D]"), DAILY).shape == (5, 2, 2, 3, 4)


@pytest.mark.parametrize(("count", "year"), [(60, False), (800, True)])
def test_a_cycle_that_the_record_does_not_cover_is_not_fitted(count, year):
    """12-hourly fields of a month have a mean and a day, of more than a year a season, too; beyond them no nonsense."""
    clock = Clock(np.timedelta64(12, "h"))
    times = np.datetime64("2001-01-01T00") + 12 * np.arange(3 * count)
    hours, season = times.astype(int) % 24, np.cos(2 * np.pi * times.astype(int) / 24 / 365.2425)
    fields = 5.0 + 3 * (hours == 12) + 2 * season * year
    fitted = fit_climatology(torch.tensor(fields[:count]).float().view(-1, 1, 1, 1), times[:count], clock, "here")
    made = climatology_at(fitted, times, clock).flatten().numpy()
    np.testing.assert_allclose(made, fields, atol=1e-3)


def test_the_baselines_forecast_the_same_weather(both):
    last, leads = torch.tensor([500, 520, 585]), 4
    forecasts = []
    for record in both:
        ahead = record.climatology_ahead(record.dates(last), leads)
        forecasts.append({name: model.forecast(record, last, leads) + ahead
                          for name, model in fit_baselines(Experiment(), record, leads).items()})
    np.testing.assert_array_equal(both[1].dates_ahead(both[1].dates(last), leads)[2], both[1].time[586:590])
    for name, expected in forecasts[0].items():
        torch.testing.assert_close(forecasts[1][name], expected, rtol=0, atol=1e-4)


def test_seasons_are_told_from_days_that_keep_their_climatology(both):
    """Where the date's climatology is taken off, the date must be known, and with it the season."""
    mean, climatology = (record.full(record.splits["downstream_test"]) for record in both)
    torch.testing.assert_close(climatology.values, mean.values, atol=4e-6, rtol=0)
    np.testing.assert_array_equal(climatology.dates, mean.dates)


def test_reconstructions_of_anomalies_need_the_date(tiny, weather):
    experiment = tiny(objective="autoencoder", autoencoder_epochs=1, anomalies="climatology")
    model, record = Model.of(experiment, []), open_record(experiment)
    days = xr.load_dataset(weather).isel(time=slice(10, 14))
    with torch.no_grad():
        made = model.sparta(model.sparta.views.shown(record.take(slice(10, 14))))
    expected = record.physical(made, record.time[10:14])
    np.testing.assert_allclose(model.reconstruct(days)["geopotential"], expected[:, 3], rtol=1e-4)
    one = model.reconstruct(days.isel(time=2))
    np.testing.assert_allclose(one["geopotential"], expected[2, 3], rtol=1e-4)
    with pytest.raises(DataError, match="no coordinate time of dates"):
        model.reconstruct(days.drop_vars("time"))
