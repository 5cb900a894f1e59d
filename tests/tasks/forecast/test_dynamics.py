"""The dynamics: they start as the linear inverse model, learn on what they should, and stay within bounds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sparta_core.baselines.climatology import Climatology
from sparta_core.baselines.damped_persistence import DampedPersistence
from sparta_core.errors import DataError
from sparta_core.modes import inverse_step
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.forecast import trained_forecaster
from sparta_core.tasks.forecast.dynamics import Rollout, error_weight
from sparta_core.tasks.forecast.latent_dynamics import LAGS, LatentDynamics
from sparta_core.training.modes import modes_of
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation
from tests.linear import GLOBE


@pytest.fixture
def experiment(tiny):
    return tiny(**GLOBE)


def fresh(lags=3, size=6, grid=(4, 8)):
    torch.manual_seed(0)
    patterns = torch.linalg.qr(torch.randn(2 * grid[0] * grid[1], size)).Q.T.contiguous()
    return LatentDynamics(patterns, torch.randn(2, *grid), 2, lags, 8, 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_fresh_ones_are_the_linear_step_repeated():
    model, past = fresh(), torch.randn(3, 3, 6)
    model.step.copy_(torch.randn(6, 6) / 3)
    made = model(past, torch.randn(3, 4, 2, 4, 8))
    for lead in range(4):
        torch.testing.assert_close(made[:, lead], past[:, -1] @ torch.linalg.matrix_power(model.step, lead + 1))


@pytest.mark.parametrize("grid", [(4, 8), (5, 9)])
def test_what_is_added_sees_the_last_days_the_linear_step_and_the_climatology(grid):
    """Written out for two leads, the layers being a sum of their inputs: the second lead sees the first."""
    model = fresh(lags=2, grid=grid)

    class Sums(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x.sum(1), 2 * x.sum(1)], 1)

    model.layers = Sums()
    past, climatology = torch.randn(3, 2, 6), torch.randn(3, 2, 2, *grid)
    days = [past[:, 0], past[:, 1]]
    for lead in range(2):
        linear = days[-1] @ model.step
        shown = sum((day @ model.patterns).view(3, 2, *grid).sum(1) for day in (*days[-2:], linear))
        total = shown + climatology[:, lead].sum(1) + model.static.sum(0)
        days.append(linear + torch.stack([total, 2 * total], 1).flatten(1) @ model.patterns.T)
    torch.testing.assert_close(model(past, climatology), torch.stack(days[2:], 1), rtol=1e-4, atol=1e-4)


def test_a_forecast_that_runs_away_is_held():
    model = fresh()
    model.step.copy_(3 * torch.eye(6))
    model.limit.fill_(5.0)
    made = model(torch.randn(2, 3, 6), torch.zeros(2, 50, 2, 4, 8))
    assert made.norm(dim=2).max().item() == pytest.approx(5, rel=1e-5)


def test_the_inverse_model_is_ridge_regression():
    days = torch.randn(200, 5) @ torch.randn(5, 5)
    x, y = days[:-1].double().numpy(), days[1:].double().numpy()
    ridge = 0.3 * np.trace(x.T @ x) / 5
    stacked = np.vstack([x, np.sqrt(ridge) * np.eye(5)])
    expected = np.linalg.lstsq(stacked, np.vstack([y, np.zeros((5, 5))]), rcond=None)[0]
    np.testing.assert_allclose(inverse_step(days, 0.3), expected, atol=1e-5)


def test_the_weight_is_the_error_of_the_fields(experiment):
    record = open_record(experiment)
    patterns, error = modes_of(experiment, record).patterns, torch.randn(7, 24)
    area = record.cell_area.double().numpy()
    train = record.split("train").values.double().numpy()
    variance = (train**2 * area).mean((0, 2, 3), keepdims=True)
    made = (error @ patterns).view(7, 5, 16, 32).double().numpy()
    expected = (made**2 * area / variance).mean((1, 2, 3))
    weight = error_weight(record, patterns)
    np.testing.assert_allclose((error @ weight * error).sum(1), expected, rtol=1e-4)


def test_the_loss_is_that_of_whole_days_forecast_from_observed_ones(experiment):
    """By hand, day by day; as many leads as the epoch has, all of them in validation."""
    experiment = experiment.replace(forecast_steps=3, forecast_epochs=6)
    record, model = open_record(experiment), representation(experiment)
    made = LatentDynamics(modes_of(experiment, record).patterns, record.static_fields(), 5, LAGS, 8, 1)
    made.step.copy_(0.5 * torch.eye(24))
    objective = Rollout(record, model, made)
    batch = objective.batches("validation", generator(1))[0]
    first = record.splits["validation"].start
    whole = embed(model, record.split("validation"))

    def by_hand(steps):
        errors = []
        for start in batch.tolist():
            past, ahead = objective.observed[start : start + LAGS][None], start + LAGS
            climatology = record.climatology_of(record.time[first + ahead : first + ahead + steps])[None]
            errors.append(made(past, climatology)[0] - whole[ahead : ahead + steps])
        error = torch.stack(errors)
        return ((error @ objective.weight) * error).sum(-1).mean().item()

    with torch.no_grad():
        assert objective.losses(batch, 0, generator())["loss"].item() == pytest.approx(by_hand(3), rel=1e-4)
    for epoch, steps in ((0, 1), (1, 1), (2, 2), (5, 3)):
        losses = objective.losses(batch, epoch, generator())
        assert losses["loss"].item() == pytest.approx(by_hand(steps), rel=1e-4)
        assert losses["next_day"].item() == pytest.approx(by_hand(1), rel=1e-4)  # whatever the epoch, as is printed


def test_half_of_the_days_that_are_observed_are_sparse_others_every_epoch(experiment):
    record, model = open_record(experiment), representation(experiment)
    made = fresh(lags=LAGS, size=24, grid=(16, 32))
    made.patterns = modes_of(experiment, record).patterns
    objective, draw = Rollout(record, model, made), generator(2)
    whole = embed(model, record.split("train"))
    sparse = []
    for _ in range(2):
        batches = objective.batches("train", draw)
        sparse.append(~torch.isclose(objective.observed, whole, atol=1e-3).all(1))
        assert sorted(torch.cat(batches).tolist()) == list(range(len(whole) - LAGS - experiment.forecast_steps + 1))
    assert 0.4 < sparse[0].float().mean() < 0.6 and not torch.equal(*sparse)


def test_the_climatology_ahead_is_that_of_the_dates(experiment):
    record = open_record(experiment)
    last = record.dates(torch.tensor([2, 499]))
    made = record.climatology_ahead(last, 2)
    torch.testing.assert_close(made[1, 0], record.climatology_of(record.time[500:501])[0])
    none = open_record(experiment.replace(anomalies="mean")).climatology_ahead(last, 2)
    assert made.shape == none.shape == (2, 2, 5, 16, 32) and not none.any()


def test_trained_ones_forecast_waves_better_than_what_needs_no_model(experiment):
    """The made-up weather is waves that travel, and noise."""
    experiment = experiment.replace(forecast_epochs=8, forecast_rate=3e-3, embedding=16)
    record, model = open_record(experiment), representation(experiment)
    made, days = trained_forecaster(experiment, 0).network, record.splits["downstream_test"]
    starts = torch.arange(days.start, days.stop - LAGS - 2)
    z = embed(model, record.split("downstream_test"))
    past = z[(starts - days.start)[:, None] + torch.arange(LAGS)]
    last, climatology = starts + LAGS - 1, Climatology.fit(record)
    forecast = made(past, record.climatology_ahead(record.dates(last), 2))
    damped = DampedPersistence.fit(record, climatology, 2).forecast(record, last, 2)
    for lead in range(2):
        truth = record.take(last + 1 + lead).values
        mine = (made.fields(forecast[:, lead], truth) - truth).square().mean()
        assert mine < 0.98 * (damped[:, lead] - truth).square().mean()


def test_too_few_days_are_said_before_anything_is_trained(experiment):
    experiment = experiment.replace(forecast_steps=200)
    with pytest.raises(DataError, match="the validation days are 120, too few for 3 days and forecast_steps=200"):
        trained_forecaster(experiment, 0)
    assert not Path(experiment.runs).exists()
