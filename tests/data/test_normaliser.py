"""What a model keeps of its days: exact both ways, in a file to the last bit, and right for dates of any year."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import torch as safetensors

from sparta_core.data.clock import DAY, Clock
from sparta_core.data.domain import Domain
from sparta_core.data.normaliser import Normaliser
from sparta_core.errors import DataError
from tests.globe import axes

GRID = (6, 8)
HOURS = np.timedelta64(6, "h")
DATES = np.array(["2001-03-01", "2001-12-31", "2004-12-31"], "M8[D]")
ATTACHED = ("climatology", "land_sea_mask", "low", "high")  # what may be missing


def normaliser(dtype=torch.float64, step=DAY, without=()):
    """Of two variables, with random statistics; `without` some of what may be missing."""
    rng = np.random.default_rng(3)
    climatology, low, high = (torch.from_numpy(rng.normal(size=(count, *GRID))).to(dtype).unflatten(0, shape)
                              for count, shape in ((14, (7, 2)), (2, (2,)), (2, (2,))))  # fmt: skip
    low[1, 2:4] = torch.nan  # never observed
    made = Normaliser(
        domain=Domain(*axes(*GRID), Clock(step)), variables=("2m_temperature", "geopotential"), units=("K", "m2 s-2"),
        level=850, mean=torch.tensor([281.3, 13e3], dtype=dtype), std=torch.tensor([21.7, 1.1e3], dtype=dtype),
        climatology=climatology, land_sea_mask=rng.uniform(size=GRID), source="made up", license="CC0-1.0",
        period="400 days from 2001-01-01 to 2002-02-04", low=low, high=high)  # fmt: skip
    return dataclasses.replace(made, **dict.fromkeys(without))


def by_hand(coefficients, dates):
    """The mean and three harmonics of the year, one date and one term after the other."""
    fields = np.zeros((len(dates), *coefficients.shape[1:]))
    for n, date in enumerate(pd.DatetimeIndex(dates)):
        angle = 2 * np.pi * (date - pd.Timestamp(0)).days / 365.2425
        fields[n] = coefficients[0]
        for k in (1, 2, 3):
            fields[n] += coefficients[k] * np.sin(k * angle) + coefficients[3 + k] * np.cos(k * angle)
    return fields


@pytest.mark.parametrize("without", [(), ("climatology",)])
def test_physical_undoes_standardise(without):
    made = normaliser(without=without)
    physical = torch.randn(3, 2, *GRID, dtype=torch.float64) * 20 + 280
    anomalies = made.standardise(physical, DATES)
    np.testing.assert_allclose(made.physical(anomalies, DATES), physical, rtol=1e-13)
    expected = (physical.numpy() - np.array([281.3, 13e3])[:, None, None]) / np.array([21.7, 1.1e3])[:, None, None]
    np.testing.assert_allclose(made.scaled(physical), expected, rtol=1e-13)
    normal = 0 if without else by_hand(made.climatology.numpy(), DATES)
    np.testing.assert_allclose(anomalies, expected - normal, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("step", [DAY, HOURS])
@pytest.mark.parametrize("without", [(), ATTACHED, ("land_sea_mask",)])
def test_what_a_file_keeps_is_the_same_to_the_last_bit(dtype, step, without):
    made = normaliser(dtype, step, without)
    stored, told = safetensors.save(made.tensors()), json.dumps(made.record())
    back = Normaliser.restored(safetensors.load(stored), json.loads(told))
    for name in ("mean", "std", "climatology", "low", "high", "land_sea_mask"):
        before, after = getattr(made, name), getattr(back, name)
        if name in without:
            assert before is None and after is None
        else:
            assert type(after) is type(before) and after.dtype == before.dtype
            assert np.asarray(after).tobytes() == np.asarray(before).tobytes(), name
    for name in ("variables", "units", "level", "source", "license", "period"):
        assert getattr(back, name) == getattr(made, name)
    for name in ("latitude", "longitude"):
        assert getattr(back.domain, name).tobytes() == getattr(made.domain, name).tobytes()
    assert back.clock == made.clock and back.domain.periodic_x
    assert back.dates_ahead(DATES, 1).dtype == ("M8[D]" if step == DAY else "M8[h]")  # days stay dates


def test_a_file_that_lacks_something_is_told():
    made = normaliser()
    for lacking in ("mean", "std", "latitude", "longitude"):
        tensors = {name: x for name, x in made.tensors().items() if name != lacking}
        with pytest.raises(KeyError):
            Normaliser.restored(tensors, made.record())


def test_dates_beyond_the_records_end_have_the_climatology_of_their_day():
    """Of a leap year's last day, too, and of dates in any shape."""
    made = normaliser()
    dates = pd.to_datetime(["1899-07-01", "2035-02-28", "2096-12-31", "2099-12-31"]).values
    expected = by_hand(made.climatology.numpy(), dates)
    np.testing.assert_allclose(made.climatology_of(dates), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(made.climatology_of(dates.reshape(2, 2))[1, 0], expected[2], rtol=1e-12, atol=1e-12)


def test_leads_go_on_from_each_date_by_the_time_step():
    made, leads = normaliser(), 3
    ahead = np.array([["2001-03-02", "2001-03-03", "2001-03-04"], ["2002-01-01", "2002-01-02", "2002-01-03"],
                      ["2005-01-01", "2005-01-02", "2005-01-03"]], "M8[D]")  # fmt: skip
    np.testing.assert_array_equal(made.dates_ahead(DATES, leads), ahead)
    expected = by_hand(made.climatology.numpy(), ahead.ravel()).reshape(3, 3, 2, *GRID)
    np.testing.assert_allclose(made.climatology_ahead(DATES, leads), expected, rtol=1e-12, atol=1e-12)
    plain = normaliser(without=("climatology",)).climatology_ahead(DATES, leads)
    assert plain.shape == (3, leads, 2, *GRID) and not plain.any()
    hourly = normaliser(step=HOURS).dates_ahead(DATES.astype("M8[h]"), 5)
    assert str(hourly[1, 4]) == "2002-01-01T06"


@pytest.mark.parametrize("dates", [None, np.array(["2001-03-01", "NaT", "2004-12-31"], "M8[D]")])
def test_without_dates_only_anomalies_from_the_mean_come_back(dates):
    fields = torch.randn(3, 2, *GRID, dtype=torch.float64)
    with pytest.raises(DataError, match="anomalies from the climatology of their dates; give the dates, too"):
        normaliser().physical(fields, dates)
    plain = normaliser(without=("climatology",))
    np.testing.assert_allclose(plain.standardise(plain.physical(fields, dates), dates), fields, atol=1e-12)


def test_it_moves_whole():
    moved = normaliser(without=("low",)).to("meta")
    assert {x.device.type for x in (moved.mean, moved.std, moved.climatology, moved.high)} == {"meta"}
    assert moved.low is None and moved.device.type == "meta" and moved.domain.shape == moved.grid == GRID


def test_static_fields_are_latitude_and_land():
    made = normaliser()
    angle = np.deg2rad(made.latitude)[:, None]
    expected = [np.broadcast_to(np.sin(angle), GRID), np.broadcast_to(np.cos(angle), GRID), made.land_sea_mask]
    np.testing.assert_allclose(made.static_fields(), expected, atol=1e-6)
    assert made.static_fields().dtype == torch.float32
    assert len(normaliser(without=("land_sea_mask",)).static_fields()) == 2


def test_what_a_model_makes_is_never_too_dry():
    """Humidity is held at 0, where a model has it below; everything else is as it was."""
    units = normaliser(torch.float32)
    humid = dataclasses.replace(units, variables=("2m_temperature", "specific_humidity"), units=("K", "kg kg-1"),
                                mean=torch.tensor([0.0, 4e-3]), std=torch.tensor([20.0, 3e-3]))  # fmt: skip
    anomalies = torch.randn(3, 2, *GRID, generator=torch.Generator().manual_seed(0))
    fields, made = humid.physical(anomalies, DATES), humid.made(anomalies, DATES)
    assert (fields < 0).flatten(2).any(2).all() and torch.equal(made[:, 0], fields[:, 0])
    assert torch.equal(made[:, 1], fields[:, 1].clamp_min(0))
