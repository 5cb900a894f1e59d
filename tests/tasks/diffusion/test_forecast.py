"""Diffusion of forecast errors: which errors, on which conditions, and an ensemble as wrong as forecasts were."""

import pytest
import torch

from sparta_core.errors import DataError, ExperimentError
from sparta_core.evaluation.scorecard import rows_of
from sparta_core.experiment import Experiment
from sparta_core.tasks import task_of
from sparta_core.tasks.diffusion import forecast
from sparta_core.tasks.diffusion.day import diffusion_scores
from sparta_core.tasks.diffusion.forecast import (
    ForecastError,
    conditions_on,
    diffusion_ensemble_scores,
    forecast_members,
    scaled_errors,
)
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.forecast import calibration, trained_forecaster
from sparta_core.tasks.forecast import ensembles as forecast_ensembles
from sparta_core.tasks.forecast.ensembles import forecast_ensemble_scores
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation


@pytest.fixture
def experiment(globe, monkeypatch):
    monkeypatch.setattr(calibration, "STARTS", 30)
    for where in (forecast, forecast_ensembles):
        monkeypatch.setattr(where, "LEADS", 3)
    return globe(calibration_horizon=4, leads=3, draws=6, downstream_split=(0.2, 0.2), diffusion_of="forecast",
                 diffusion_widths=(16, 8), diffusion_epochs=2, noise_skip=True, sampler="dpm-solver++",
                 quick_steps=5)  # fmt: skip


def test_errors_are_those_of_every_second_days_forecasts_in_units_of_their_std(experiment):
    """Written out for two forecasts: what came, embedded whole, less what was forecast from sparse days."""
    record, model = open_record(experiment), representation(experiment)
    scaled, conditions = scaled_errors(record, model, "validation")
    first, days = record.splits["validation"].start, record.split("validation")
    assert scaled.shape == (58 * 3, 24) and conditions.shape == (58 * 3, 51)  # 58 look-backs of 3 days and 3 leads
    torch.testing.assert_close(scaled.view(58, 3, 24).square().mean(0), torch.ones(3, 24))
    g = torch.Generator().manual_seed(experiment.seed)
    sparse, whole = embed(model, days, 0.7, g), embed(model, days)
    ratios = []
    for k in (0, 20):
        start = 2 * k
        past, last = sparse[None, start : start + 3], torch.tensor([first + start + 2])
        made = trained_forecaster(experiment, 0).forecasts(past, record.dates(last), 3, 0.7)[0]
        wrong = whole[start + 3 : start + 6] - made
        ratios.append(wrong / scaled.view(58, 3, 24)[k])
        one = conditions.view(58, 3, 51)[k]
        torch.testing.assert_close(one[:, :24], sparse[start + 2].expand(3, 24))
        torch.testing.assert_close(one[:, 24:48], made)
        assert torch.equal(one[:, 48:], torch.eye(3))
    torch.testing.assert_close(*ratios, rtol=1e-3, atol=1e-5)  # one std for all days


def test_every_epoch_learns_from_the_same_forecasts(experiment, monkeypatch):
    parts = []
    monkeypatch.setattr(forecast, "scaled_errors", lambda record, model, part: parts.append(part) or (part, part))
    pairs = ForecastError().pairs(open_record(experiment), representation(experiment))
    for part in ("train", "validation", "train", "validation"):
        assert pairs(part, torch.Generator()) == (part, part)
    assert parts == ["train", "validation"]


def test_conditions_say_day_forecast_and_lead_in_the_order_of_the_errors(monkeypatch):
    monkeypatch.setattr(forecast, "LEADS", 3)
    seen, made = torch.tensor([[1.0], [2.0]]), torch.tensor([[[10.0], [11.0]], [[20.0], [21.0]]])
    expected = [[1, 10, 1, 0, 0], [1, 11, 0, 1, 0], [2, 20, 1, 0, 0], [2, 21, 0, 1, 0]]
    assert conditions_on(seen, made).tolist() == expected


def test_members_are_drawn_as_far_apart_as_forecasts_were_wrong(experiment, monkeypatch):
    """With draws of std 1 they are the forecast and the validation days' root mean square errors times these."""
    trusted = torch.randn(2, 3, 24)
    draws = torch.ones(6, 6, 24) * torch.arange(1.0, 7)[:, None, None]
    monkeypatch.setattr(forecast, "sample", lambda *_: draws)
    made = forecast_members(experiment, torch.zeros(2, 24), trusted, 0.7, torch.Generator())
    errors = trained_forecaster(experiment, 0).calibration(0.7)["errors"][:, :3]
    expected = torch.stack([trusted[k] + (errors**2).mean(0).sqrt() * torch.arange(3.0 * k + 1, 3 * k + 4)[:, None]
                            for k in range(2)])  # fmt: skip
    assert made.shape == (2, 6, 3, 24)
    torch.testing.assert_close(made, expected[:, None].expand_as(made))


def test_it_is_planned_after_the_forecast_trained_and_scored(experiment):
    assert experiment.ancestry("diffusion") == ["autoencoder", "forecast", "diffusion"]
    assert experiment.replace(diffusion_of="day").ancestry("diffusion") == ["autoencoder", "diffusion"]
    made = task_of(experiment, "diffusion").score(experiment)
    assert made.equals(diffusion_ensemble_scores(experiment))
    assert dict(made.sizes) == {"lead": 3, "variable": 5} and bool((made.spread_skill > 0.3).all())
    rows = rows_of(run_of(experiment, "diffusion"), "ensemble forecast")
    assert set(rows.setup) == {"LB3_S1_mask0.7_diffusion"}


def test_another_forecast_is_another_diffusion(experiment):
    """Its errors are those of the forecasts: their settings count as its own, the same day's do not."""
    slower = {"forecast_rate": 1e-4}
    assert experiment.digest("diffusion") != experiment.replace(**slower).digest("diffusion")
    day = experiment.replace(diffusion_of="day")
    assert day.digest("diffusion") == day.replace(**slower).digest("diffusion")


def test_what_cannot_be_is_one_sentence(experiment, monkeypatch):
    with pytest.raises(ExperimentError, match="diffusion_of is 'forecast', that of the dynamics; set forecaster="):
        Experiment(diffusion_of="forecast")
    other = experiment.replace(diffusion_of="day")
    with pytest.raises(ExperimentError, match="diffusion_of is 'day', and asked for are draws of a forecast; set diff"):
        diffusion_ensemble_scores(other)
    with pytest.raises(ExperimentError, match="diffusion_of is 'forecast', and asked for are draws of a day; set diff"):
        diffusion_scores(experiment)
    with pytest.raises(ExperimentError, match="forecaster is 'lstm', of which no ensemble is known; set forecaster='d"):
        forecast_ensemble_scores(other.replace(forecaster="lstm", forecast_epochs=1))
    monkeypatch.setattr(forecast, "LEADS", 116)
    with pytest.raises(DataError, match="the validation days are 120, too few for two look-backs of 3 days and 116 le"):
        scaled_errors(open_record(experiment), representation(experiment), "validation")
