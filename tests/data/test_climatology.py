"""Departures from the climatology: against least squares in float64, exact both ways, and nobody's scores changed."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from sparta_core.apply import reconstruct, trained
from sparta_core.baselines import fit_baselines
from sparta_core.data.climatology import climatology_at, days_of_year, fit_climatology
from sparta_core.data.fields import load_fields
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.tasks.season.labels import full_fields
from sparta_core.training.workbench import Workbench


def by_hand(values, dates, train):
    """numpy's least squares of a constant and three harmonics on the first `train` days, at all dates, float64."""
    phase = 2 * np.pi * pd.DatetimeIndex(dates).day_of_year.values / 365.25
    basis = np.stack([np.ones_like(phase), *(f(k * phase) for k in (1, 2, 3) for f in (np.sin, np.cos))], axis=1)
    flat = values.reshape(len(values), -1).astype(np.float64)
    solution = np.linalg.lstsq(basis[:train], flat[:train], rcond=None)[0]
    return (basis @ solution).reshape(values.shape)


@pytest.fixture
def both(tiny):
    return [load_fields(tiny(departures=kind)) for kind in ("mean", "climatology")]


def test_day_of_year_is_pandas():
    dates = pd.date_range("1999-12-30", "2004-03-02").values
    np.testing.assert_array_equal(days_of_year(dates), pd.DatetimeIndex(dates).day_of_year)
    assert days_of_year(dates[:6].reshape(2, 3)).shape == (2, 3)


def test_departures_are_what_least_squares_on_the_training_days_leaves(both):
    mean, departures = both
    train = mean.splits["train"].stop
    expected = by_hand(mean.values.numpy(), mean.time, train)
    np.testing.assert_allclose(departures.usual(departures.time), expected, atol=2e-5)
    np.testing.assert_allclose(departures.values, mean.values.numpy() - expected, atol=2e-5)
    assert departures.values[:train].square().mean() < 0.7 * mean.values[:train].square().mean()


def test_they_are_undone_exactly(both):
    mean, departures = both
    days = torch.tensor([3, 599, 140])
    torch.testing.assert_close(departures.whole(days), mean.take(days), atol=4e-6, rtol=0)
    torch.testing.assert_close(departures.whole(slice(5, 9)), mean.whole(slice(5, 9)), atol=4e-6, rtol=0)
    physical = mean.physical(mean.values)
    torch.testing.assert_close(departures.physical(departures.values, departures.time), physical, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(departures.standardise(physical, departures.time), departures.values, atol=1e-4, rtol=0)
    members = departures.values[:6].unflatten(0, (2, 3))
    made = departures.physical(members, departures.time[:2, None])  # dates that broadcast
    torch.testing.assert_close(made[1, 2], departures.physical(members[1, 2], departures.time[1:2])[0])


def test_without_dates_there_is_no_way_back(both):
    with pytest.raises(DataError, match="departures from the climatology of their dates; say the dates"):
        both[1].physical(both[1].values[:2])


def test_days_with_gaps_have_no_climatology():
    days = torch.randn(400, 2, 3, 4)
    days[7, 1, 2, 3] = torch.nan
    with pytest.raises(DataError, match=r"the training days of here have gaps.*set departures='mean'"):
        fit_climatology(days, np.arange(400) % 365 + 1, "here")
    assert climatology_at(torch.zeros(7, 2, 3, 4), np.ones((5, 2), int)).shape == (5, 2, 2, 3, 4)


def test_the_baselines_forecast_the_same_weather(both):
    last, leads = torch.tensor([500, 520, 585]), 4
    forecasts = []
    for fields in both:
        dates = fields.dates(last)[:, None] + np.arange(1, leads + 1)
        forecasts.append({name: model.forecast(fields, last, leads) + fields.usual(dates)
                          for name, model in fit_baselines(Experiment(), fields, leads).items()})
    for name, expected in forecasts[0].items():
        torch.testing.assert_close(forecasts[1][name], expected, rtol=0, atol=1e-4)


def test_seasons_are_told_from_days_that_keep_what_is_usual(tiny):
    """Where the date's climatology is taken off, the date must be known, and with it the season."""
    mean, departures = (full_fields(Workbench.of(tiny(departures=kind)), "downstream_test")
                        for kind in ("mean", "climatology"))
    torch.testing.assert_close(departures, mean, atol=4e-6, rtol=0)


def test_reconstructions_of_departures_need_the_date(tiny, weather):
    model = trained(tiny(objective="autoencoder", autoencoder_epochs=1, departures="climatology"))
    days = xr.load_dataset(weather).isel(time=slice(10, 14))
    fields = model.bench.fields
    with torch.no_grad():
        made = model.sparta(model.bench.views.full(fields.values[10:14]))
    expected = fields.physical(made, fields.time[10:14])
    np.testing.assert_allclose(reconstruct(model, days)["geopotential"], expected[:, 3], rtol=1e-4)
    one = reconstruct(model, days.isel(time=2))
    np.testing.assert_allclose(one["geopotential"], expected[2, 3], rtol=1e-4)
    with pytest.raises(DataError, match="no coordinate time of dates"):
        reconstruct(model, days.drop_vars("time"))
