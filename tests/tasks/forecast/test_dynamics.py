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
from sparta_core.tasks.forecast.dynamics import Rollout, error_weight, still_fields
from sparta_core.tasks.forecast.latent_dynamics import LAGS, LatentDynamics, usual_ahead
from sparta_core.training.modes import modes_of
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
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
def test_what_is_added_sees_the_last_days_the_linear_step_and_what_is_usual(grid):
    """Written out for two leads, the layers being a sum of their inputs: the second lead sees the first."""
    model = fresh(lags=2, grid=grid)

    class Sums(torch.nn.Module):
        def forward(self, x):
            return torch.stack([x.sum(1), 2 * x.sum(1)], 1)

    model.layers = Sums()
    past, usual = torch.randn(3, 2, 6), torch.randn(3, 2, 2, *grid)
    days = [past[:, 0], past[:, 1]]
    for lead in range(2):
        linear = days[-1] @ model.step
        shown = sum((day @ model.patterns).view(3, 2, *grid).sum(1) for day in (*days[-2:], linear))
        total = shown + usual[:, lead].sum(1) + model.still.sum(0)
        days.append(linear + torch.stack([total, 2 * total], 1).flatten(1) @ model.patterns.T)
    torch.testing.assert_close(model(past, usual), torch.stack(days[2:], 1), rtol=1e-4, atol=1e-4)


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
    bench = Workbench.of(experiment)
    fields, patterns = bench.fields, modes_of(experiment, bench.fields).patterns
    error = torch.randn(7, 24)
    area = fields.cell_area.double().numpy()[:, None]
    train = fields.split("train").double().numpy()
    variance = (train**2 * area).mean((0, 2, 3), keepdims=True)
    made = (error @ patterns).view(7, 5, 16, 32).double().numpy()
    expected = (made**2 * area / variance).mean((1, 2, 3))
    weight = error_weight(fields, patterns)
    np.testing.assert_allclose((error @ weight * error).sum(1), expected, rtol=1e-4)


def test_the_loss_is_that_of_whole_days_forecast_from_seen_ones(experiment):
    """By hand, day by day; as many leads as the epoch has, all of them in validation."""
    experiment = experiment.replace(forecast_steps=3, forecast_epochs=6)
    bench, model = Workbench.of(experiment), representation(experiment)
    fields, modes = bench.fields, modes_of(experiment, bench.fields)
    made = LatentDynamics(modes.patterns, still_fields(fields), 5, LAGS, 8, 1)
    made.step.copy_(0.5 * torch.eye(24))
    objective = Rollout(bench, model, made)
    batch = objective.batches("validation", generator(1))[0]
    first = fields.splits["validation"].start
    whole = embed(model, bench.views, fields.split("validation"), 0.0, generator())

    def by_hand(steps):
        errors = []
        for start in batch.tolist():
            past = objective.seen[start : start + LAGS][None]
            usual = fields.usual(fields.time[first + start + LAGS : first + start + LAGS + steps])[None]
            errors.append(made(past, usual)[0] - whole[start + LAGS : start + LAGS + steps])
        error = torch.stack(errors)
        return ((error @ objective.weight) * error).sum(-1).mean().item()

    with torch.no_grad():
        assert objective.losses(batch, 0, generator())["loss"].item() == pytest.approx(by_hand(3), rel=1e-4)
    for epoch, steps in ((0, 1), (1, 1), (2, 2), (5, 3)):
        losses = objective.losses(batch, epoch, generator())
        assert losses["loss"].item() == pytest.approx(by_hand(steps), rel=1e-4)
        assert losses["next_day"].item() == pytest.approx(by_hand(1), rel=1e-4)  # whatever the epoch, as is printed


def test_half_of_the_days_that_are_seen_are_sparse_others_every_epoch(experiment):
    bench, model = Workbench.of(experiment), representation(experiment)
    made = fresh(lags=LAGS, size=24, grid=(16, 32))
    made.patterns = modes_of(experiment, bench.fields).patterns
    objective, draw = Rollout(bench, model, made), generator(2)
    whole = embed(model, bench.views, bench.fields.split("train"), 0.0, generator())
    sparse = []
    for _ in range(2):
        batches = objective.batches("train", draw)
        sparse.append(~torch.isclose(objective.seen, whole, atol=1e-3).all(1))
        assert sorted(torch.cat(batches).tolist()) == list(range(len(whole) - LAGS - experiment.forecast_steps + 1))
    assert 0.4 < sparse[0].float().mean() < 0.6 and not torch.equal(*sparse)


def test_what_is_usual_ahead_is_that_of_the_dates(experiment):
    fields = Workbench.of(experiment).fields
    last = torch.tensor([2, 499])
    torch.testing.assert_close(usual_ahead(fields, last, 2)[1, 0], fields.usual(fields.time[500:501])[0])
    mean = Workbench.of(experiment.replace(departures="mean")).fields
    assert usual_ahead(mean, last, 2).shape == (2, 2, 5, 16, 32) and not usual_ahead(mean, last, 2).any()


def test_trained_ones_forecast_waves_better_than_what_needs_no_model(experiment):
    """The made-up weather is waves that travel, and noise."""
    experiment = experiment.replace(forecast_epochs=8, forecast_rate=3e-3, embedding=16)
    bench, model = Workbench.of(experiment), representation(experiment)
    fields, made = bench.fields, trained_forecaster(experiment, 0)
    days = fields.splits["downstream_test"]
    starts = torch.arange(days.start, days.stop - LAGS - 2)
    z = embed(model, bench.views, fields.split("downstream_test"), 0.0, generator())
    past = z[(starts - days.start)[:, None] + torch.arange(LAGS)]
    forecast = made(past, usual_ahead(fields, starts + LAGS - 1, 2))
    last, climatology = starts + LAGS - 1, Climatology.fit(fields)
    damped = DampedPersistence.fit(fields, climatology, 2).forecast(fields, last, 2)
    for lead in range(2):
        truth = fields.take(last + 1 + lead)
        mine = (made.fields(forecast[:, lead], truth) - truth).square().mean()
        assert mine < 0.98 * (damped[:, lead] - truth).square().mean()


def test_too_few_days_are_said_before_anything_is_trained(experiment):
    experiment = experiment.replace(forecast_steps=200)
    with pytest.raises(DataError, match="the validation days are 120, too few for 3 days and forecast_steps=200"):
        trained_forecaster(experiment, 0)
    assert not Path(experiment.runs).exists()
