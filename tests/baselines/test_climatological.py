"""The reference of ensembles against closed forms on a season that moves linearly, and against itself as a forecast."""

from math import erf, exp, pi, sqrt

import numpy as np
import pytest
import torch
import xarray as xr

from sparta_core.baselines import climatological
from sparta_core.baselines.climatological import (
    KINDS,
    ClimatologicalEnsemble,
    climatological_ensemble,
    days_near,
    validation_crps,
)
from sparta_core.baselines.climatology import Climatology
from sparta_core.data.domain import Domain
from sparta_core.data.record import Record
from sparta_core.errors import DataError
from sparta_core.metrics.ensembles import crps
from sparta_core.training.records import open_record

SLOPE, NOISE, WINDOW, MEMBERS = 0.2, 1.0, 10, 20  # of what the season moves a day; std of the weather; days


def season(day_of_year):
    """Within 40 days of the year's turn it rises by SLOPE a day, to a thousandth; of the climatology's harmonics."""
    x = 2 * np.pi * day_of_year / 365.25
    return SLOPE * 365.25 / (2 * np.pi) * (45 * np.sin(x) - 9 * np.sin(2 * x) + np.sin(3 * x)) / 30


def moving_season(anomalies="mean", years=12, seed=0):
    """Two variables of white noise on an 8 x 16 grid: around a season that moves linearly, and around none."""
    time = np.arange("2001-01-01", f"{2001 + years}-01-01", dtype="datetime64[D]")
    doy = (time - time.astype("datetime64[Y]")).astype(int) + 1
    values = NOISE * torch.randn(len(time), 2, 8, 16, generator=torch.Generator().manual_seed(seed))
    values[:, 0] += torch.from_numpy(season(doy)).float()[:, None, None]
    third = len(time) // 3
    splits = {"train": range(third), "validation": range(third, 2 * third), "downstream": range(2 * third, len(time)),
              "downstream_test": range(2 * third, len(time))}  # fmt: skip
    mean, std = torch.tensor([3.0, -2.0]), torch.tensor([2.0, 0.5])  # of the units, as if the values were standardised
    record = Record(
        domain=Domain(-78.75 + 22.5 * np.arange(8), 22.5 * np.arange(16)), variables=("a", "b"), units=("K", "K"),
        level=850, mean=mean, std=std, source="made up", values=values, time=time, splits=splits)
    return record.anomalies if anomalies == "climatology" else record


def where_it_is_linear(record, split):
    """Days within 25 days of the year's turn, whose windows end within 40."""
    days = np.array(record.splits[split])
    doy = record.day_of_year[days]
    return torch.from_numpy(days[np.minimum(doy, 365.25 - doy) < 25])


def of_kind(record, kind, days, seed=0):
    ensemble = ClimatologicalEnsemble(record, Climatology.fit(record), WINDOW, torch.tensor([False, False]))
    return ensemble.of_kind(kind, days, days_near(record, days, MEMBERS, WINDOW, seed))


def expected_difference(mean, sigma):
    """E|X| of a normal X."""
    return sigma * sqrt(2 / pi) * exp(-(mean**2) / (2 * sigma**2)) + mean * erf(mean / (sigma * sqrt(2)))


def closed_form(slope):
    """CRPS of members whose season is off by -WINDOW to WINDOW days, all as likely: E|X - y| - E|X - X'| / 2."""
    shifts = slope * np.arange(-WINDOW, WINDOW + 1)
    error = np.mean([expected_difference(m, NOISE * sqrt(2)) for m in shifts])
    spread = np.mean([expected_difference(m - n, NOISE * sqrt(2)) for m in shifts for n in shifts])
    return error - spread / 2


@pytest.mark.parametrize("anomalies", ["mean", "climatology"])
def test_both_kinds_have_the_crps_of_their_closed_form(anomalies):
    """Days of the date keep what the season moves in the window, anomalies do not: NOISE / sqrt(pi), in units."""
    record = moving_season(anomalies)
    days = where_it_is_linear(record, "downstream")
    truth = record.physical(record.take(days).values, record.dates(days))
    made = {kind: crps(of_kind(record, kind, days), truth, record.cell_area) / record.std for kind in KINDS}
    still = NOISE / sqrt(pi)
    assert closed_form(0.0) == pytest.approx(still) and closed_form(SLOPE) > 1.02 * still
    assert made["training days"].tolist() == pytest.approx([closed_form(SLOPE), still], rel=0.015)
    # The fit to some 1,460 days takes a little of the noise with it.
    assert made["climatology + anomalies"].tolist() == pytest.approx([still, still], rel=0.015)


@pytest.mark.parametrize("anomalies", ["mean", "climatology"])
def test_a_forecast_of_climatology_and_its_past_anomalies_has_no_skill(anomalies):
    """Against training days of the date alone it would have some: what the season moves within the window."""
    record = moving_season(anomalies)
    days = where_it_is_linear(record, "downstream")
    truth = record.physical(record.take(days).values, record.dates(days))
    forecast = crps(of_kind(record, "climatology + anomalies", days, seed=1), truth, record.cell_area)
    reference = ClimatologicalEnsemble(record, Climatology.fit(record), WINDOW, torch.tensor([True, False]))
    skill = 1 - forecast / crps(reference.members(days, MEMBERS, 0), truth, record.cell_area)
    assert skill.tolist() == pytest.approx([0, 0], abs=0.01)
    weak = 1 - forecast / crps(of_kind(record, "training days", days), truth, record.cell_area)
    assert weak[0] > 0.05


def test_each_variable_takes_the_kind_that_was_better_on_the_validation_days(tiny, monkeypatch):
    """Chosen by hand, each in turn; the members are those of the kind, variable by variable."""
    experiment = tiny(draws=6)
    record, days = open_record(experiment), torch.tensor([500, 550])
    chosen = days_near(record, days, 6, 10, 0)
    found = xr.Dataset({"crps": (("kind", "variable"), [[1.0, 2, 1, 2, 1], [2.0, 1, 2, 1, 2]])})
    monkeypatch.setattr(climatological, "validation_crps", lambda _: found)
    reference = climatological_ensemble(experiment)
    made = reference.members(days, 6, 0)
    for variable, kind in enumerate([0, 1, 0, 1, 0]):
        own = reference.of_kind(KINDS[kind], days, chosen)[:, :, variable]
        assert torch.equal(made[:, :, variable], own)
        assert not torch.equal(own, reference.of_kind(KINDS[1 - kind], days, chosen)[:, :, variable])


def test_the_validation_days_are_scored_once_and_again_for_another_window(tiny, monkeypatch):
    """Their CRPS written out for all of them at once."""
    experiment = tiny(draws=6, anomalies="climatology")
    made, record = validation_crps(experiment), open_record(experiment)
    days = torch.arange(record.splits["validation"].start, record.splits["validation"].stop)
    truth = record.physical(record.take(days).values, record.dates(days))
    assert len(days) <= climatological.VALIDATION_DAYS
    anomalies = ClimatologicalEnsemble(record, Climatology.fit(record), 10, torch.ones(5, dtype=torch.bool))
    for kind in KINDS:
        own = anomalies.of_kind(kind, days, days_near(record, days, 6, 10, experiment.seed))
        once = crps(own, truth, record.cell_area).numpy()
        assert made.crps.sel(kind=kind).values == pytest.approx(once, rel=1e-4)
    monkeypatch.setattr(climatological, "crps", lambda *_: pytest.fail("scored again"))
    assert validation_crps(experiment).equals(made)
    with pytest.raises(pytest.fail.Exception, match="scored again"):
        validation_crps(experiment.replace(climatology_window=12))


def test_members_are_training_days_near_the_date_in_every_year():
    record = moving_season()
    days = torch.from_numpy(np.flatnonzero(np.isin(record.time, np.array(["2010-01-03", "2011-07-04", "2012-12-31"],
                                                                         "datetime64[D]"))))  # fmt: skip
    members = days_near(record, days, 60, WINDOW, 0)
    assert members.shape == (3, 60) and members.max() < record.splits["train"].stop
    for date, own in zip(record.dates(days), members.tolist(), strict=True):
        years = [np.datetime64(f"{year}-{str(date)[5:]}", "D") for year in range(2000, 2007)]
        apart = np.abs(record.dates(torch.tensor(own))[:, None] - np.array(years)).astype(int).min(1)
        assert apart.max() <= WINDOW + 1 and len(set(own)) == 60  # a leap year's dates are a day later
        assert np.bincount(apart, minlength=WINDOW + 1)[:10].min() > 0  # near and far days alike
    assert not torch.equal(members, days_near(record, days, 60, WINDOW, 1))


def test_too_few_days_near_a_date_are_an_error(tiny):
    record = open_record(tiny())
    with pytest.raises(DataError, match=r"^21 training days lie within 10 days of 06-20, too few for 50 members; use "
                                        r"more days, fewer draws, or a larger climatology_window$"):  # fmt: skip
        days_near(record, torch.from_numpy(np.flatnonzero(record.time == np.datetime64("2002-06-20"))), 50, 10, 0)
