"""Damping of forecasts: by hand where a forecast is known, and an ensemble that is as wrong as forecasts were."""

import numpy as np
import pytest
import torch

from sparta_core.data.clock import DAILY
from sparta_core.errors import DataError, RunError
from sparta_core.evaluation.plan import costs, train
from sparta_core.tasks.embeddings import decode
from sparta_core.tasks.forecast import calibration, dynamics, forecaster_run, trained_forecaster
from sparta_core.tasks.forecast.scores import model_scores
from sparta_core.tasks.forecast.windows import forecast_embeddings, forecast_starts
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation
from tests.linear import GLOBE

HORIZON = 4  # days


@pytest.fixture
def experiment(tiny, monkeypatch):
    monkeypatch.setattr(calibration, "STARTS", 30)
    return tiny(**GLOBE, leads=6, calibration_horizon=HORIZON)


def calibrated(experiment, ratio):
    return calibration.Calibration(**trained_forecaster(experiment, 0).calibration(ratio))


def known(experiment, monkeypatch, shares):
    """Forecasts whose anomalies are the truth's modes over `shares` (leads,): so much of them comes true."""
    record = open_record(experiment)

    def rollouts(model, normaliser, past, dates, leads):
        last_days = torch.from_numpy(np.searchsorted(record.time, dates))
        truth = torch.stack([record.take(last_days + 1 + lead).values for lead in range(leads)], 1)
        return truth.flatten(2) @ model.patterns.T / torch.tensor(shares[:leads])[:, None]

    monkeypatch.setattr(calibration, "_rollouts", rollouts)


def test_the_share_is_how_much_of_a_forecast_came_true(experiment, monkeypatch):
    known(experiment, monkeypatch, (1.0, 0.5, 0.25, 0.2))
    made = calibrated(experiment, 0.0)
    expected = torch.tensor([1.0, 0.5, 0.25, 0.2])[:, None].expand(4, 5)
    torch.testing.assert_close(made.damping, expected, atol=0.02, rtol=0)


def test_a_share_never_grows_with_the_lead_nor_beyond_one(experiment, monkeypatch):
    known(experiment, monkeypatch, (2.0, 0.5, 1.0, -1.0))
    share = calibrated(experiment, 0.0).damping
    torch.testing.assert_close(share, torch.tensor([1.0, 0.5, 0.5, 0.0])[:, None].expand(4, 5), atol=0.02, rtol=0)


def test_errors_are_as_large_as_those_of_the_fields(experiment):
    """Over the validation days and the globe, every variable and lead: what the modes cannot show is made up for."""
    record, forecaster = open_record(experiment), trained_forecaster(experiment, 0)
    model, area = representation(experiment), record.cell_area
    made = calibrated(experiment, 0.0)
    past, last = calibration._validation_look_backs(record, model, 0.0, HORIZON)
    forecast = forecaster.forecasts(past, record.dates(last), 4, 0.0)
    for lead in range(4):
        wrong = record.take(last + 1 + lead).values - decode(model, forecast[:, lead])
        expected = (wrong.square() * area).mean((0, 2, 3))
        mine = (forecaster.network.fields(made.errors[:, lead], wrong).square() * area).mean((0, 2, 3))
        torch.testing.assert_close(mine, expected, rtol=0.005, atol=0)


def test_products_are_those_of_the_variables_modes_and_areas(experiment):
    """Written out for one forecast's error: what two variables' own modes make of a third's field."""
    record, model = open_record(experiment), trained_forecaster(experiment, 0).network
    error = torch.randn(1, 24, generator=torch.Generator().manual_seed(0))
    field, patterns = model.fields(error, record.values)[0], model.patterns
    made = []
    for variable in range(5):
        alone = torch.zeros_like(field)
        alone[variable] = field[variable]
        made.append(model.fields(alone.flatten() @ patterns.T, record.values)[0])
    products = calibration._products(error, *calibration._grams(model, record))
    for third, one, two in ((0, 0, 0), (3, 1, 2), (4, 4, 0)):
        expected = (made[one][third] * made[two][third] * record.cell_area).sum()
        torch.testing.assert_close(products[0, third, one, two], expected.double(), rtol=1e-3, atol=1e-3)


def test_members_are_the_forecast_and_errors_that_vary_as_past_ones():
    errors = torch.randn(3, HORIZON, 2) @ torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    forecast = torch.randn(2, HORIZON + 3, 2)
    made = calibration.members(forecast, calibration.Calibration(torch.ones(1), errors), 20000,
                               torch.Generator().manual_seed(0))  # fmt: skip
    apart = (made - forecast[:, None]).double()
    torch.testing.assert_close(apart.mean(1), torch.zeros_like(forecast).double(), atol=0.1, rtol=0)
    covariance = torch.einsum("nmle,nmkf->lekf", apart, apart) / 40000
    expected = torch.einsum("sle,skf->lekf", errors, errors).double() / 3
    near = HORIZON
    torch.testing.assert_close(covariance[:near, :, :near], expected, atol=0.5, rtol=0.05)
    held = apart[:, :, near - 1 : near].expand(-1, -1, 3, -1)
    torch.testing.assert_close(apart[:, :, near:], held, atol=1e-5, rtol=0)


def test_beyond_the_horizon_there_is_the_climatology(experiment):
    made = forecast_embeddings(experiment, 0)
    starts = forecast_starts(experiment, open_record(experiment).splits["downstream_test"], DAILY)
    assert made.shape == (len(starts), 6, 24)
    assert made[:, :4].any() and not made[:, 4:].any()


def test_what_was_measured_is_kept_and_damage_is_named(experiment, monkeypatch):
    made = calibrated(experiment, 0.3)
    monkeypatch.setattr(dynamics, "measured", lambda *_: pytest.fail("measured again"))
    again = calibrated(experiment, 0.3)
    assert all(torch.equal(a, b) for a, b in zip(made, again, strict=True))
    path = forecaster_run(experiment, 0).path("calibration-0.3.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RunError, match=r"calibration-0\.3\.safetensors is damaged"):
        calibrated(experiment, 0.3)


def test_too_few_validation_days_are_one_sentence(experiment):
    experiment = experiment.replace(calibration_horizon=117)
    with pytest.raises(DataError, match="the validation days are 120, too few for look-backs of 3 days and 117 leads"):
        calibrated(experiment, 0.0)


def test_the_dynamics_are_planned_trained_and_scored_as_any_forecaster(experiment):
    planned = list(costs(experiment, ["forecast"]))
    assert [cost.name.split("-")[0] for cost in planned] == ["autoencoder", "forecast"]
    assert [cost.days for cost in planned] == [360, 360]  # dynamics learn from all training days
    train(experiment, "forecast")
    assert not list(costs(experiment, ["forecast"]))
    scores = model_scores(experiment)
    assert dict(scores.sizes) == {"seed": 1, "lead": 6, "variable": 5}
    assert abs(scores.skill.sel(lead=6)).max() < 0.02  # the climatology's, but for what its decoder makes of 0
