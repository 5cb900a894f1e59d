"""Scores of filters on the made-up climate, against means by hand; and the networks that they see."""

import json

import numpy as np
import pytest
import torch

from sparta_core import open_record
from sparta_core.data.domain import Domain
from sparta_core.tasks import task_of
from sparta_core.tasks.assimilation.fitted import trained_system
from sparta_core.tasks.assimilation.networks import NETWORKS, points
from sparta_core.tasks.assimilation.scores import assimilation_scores, baseline_assimilation

GLOBE = Domain(-87.5 + 5.0 * np.arange(36), 5.0 * np.arange(72))
SIZE = 36 * 72


@pytest.fixture(scope="module")
def experiment(globe):
    return globe(backbone="none", autoencoder_epochs=0, assimilation_members=6)


def by_hand(experiment, system):
    """Of every test day the most likely scores given the points, in float64, and what these have left of themselves."""
    record = open_record(experiment)
    days = record.split("downstream_test").values.flatten(1).double()
    places = points(record.domain, 5, np.random.default_rng(0))
    h, prior = system.patterns[:, places].double(), torch.diag(system.variance.double())
    gain = prior @ h @ torch.linalg.inv(h.T @ prior @ h + torch.diag(system.error[places].double()))
    fields = days[:, places] @ gain.T @ system.patterns.double()
    weights = system.residuals.weights(places, torch.zeros(len(places)))
    fields += weights.increments((days - fields)[:, places].float())
    error = (fields - days).square()
    area = record.cell_area.flatten().double()
    return ((error.view(len(days), 5, -1) * area).mean((0, 2)).numpy(),
            (days.square().view(len(days), 5, -1) * area).mean((0, 2)).numpy())  # fmt: skip


def test_single_days_are_optimal_interpolation_and_the_climatology_is_the_variance(experiment):
    made = baseline_assimilation(experiment)
    single, climate = by_hand(experiment, trained_system(experiment))
    points_only = made.sel(network="points")
    np.testing.assert_allclose(points_only.mse.sel(model="single-day optimal interpolation"), single, rtol=1e-4)
    np.testing.assert_allclose(points_only.mse.sel(model="climatology"), climate, rtol=1e-5)
    assert list(made.model.values) == ["climatology", "single-day optimal interpolation",
                                       "Kalman filter of the linear inverse model", "constant covariance"]  # fmt: skip


def test_the_cycle_beats_single_days_and_is_kept(experiment, monkeypatch):
    made = assimilation_scores(experiment)
    single = baseline_assimilation(experiment).mse.sel(model="single-day optimal interpolation")
    assert float(made.mse.mean()) < float(single.mean())
    assert (made.mse < made.background_mse).all() and (made.seconds > 0).all()
    monkeypatch.setattr("sparta_core.tasks.assimilation.scores.cycled", lambda *_: pytest.fail("scored twice"))
    task = task_of(experiment, "assimilation")
    assert task.score(experiment).equals(made)
    ((model, setup, metric, value),) = json.loads(made.attrs["rows"])
    assert (model, setup, metric) == ("", "ensemble, points", "mse") and value == pytest.approx(float(made.mse.mean()))
    (measure,) = task.measures(experiment)
    assert measure.setup == setup and measure.whole == "points"


@pytest.mark.parametrize("name, share", [("3 % of the values", 0.03), ("30 % of the values", 0.3), ("swaths", 0.4)])
def test_networks_see_the_share_that_they_are_called_by(name, share):
    days = list(NETWORKS[name](GLOBE, 3, 40, np.random.default_rng(0)))
    assert len(days) == 40 and len({tuple(day.tolist()) for day in days}) == 40
    assert np.mean([len(day) for day in days]) / (3 * SIZE) == pytest.approx(share, rel=0.03)


def test_swaths_are_seen_of_all_variables_alike():
    day = next(NETWORKS["swaths"](GLOBE, 3, 1, np.random.default_rng(0)))
    first, second, third = (day[day // SIZE == channel] % SIZE for channel in range(3))
    assert torch.equal(first, second) and torch.equal(first, third)


def test_points_stay_and_are_as_dense_as_the_area():
    days = list(NETWORKS["points"](GLOBE, 3, 2, np.random.default_rng(0)))
    assert torch.equal(*days) and len(days[0]) == 3 * 150
    (one,) = NETWORKS["points, one variable"](GLOBE, 3, 1, np.random.default_rng(0))
    assert torch.equal(one, days[0][:150])
    rows = torch.cat([points(GLOBE, 1, np.random.default_rng(seed)) // 72 for seed in range(50)])
    near = float((rows < 6).float().mean())
    assert near == pytest.approx((1 - np.cos(np.deg2rad(30))) / 2, rel=0.1)  # south of 60 degrees
    small = Domain(np.arange(6.0), np.arange(8.0))
    assert len(points(small, 2, np.random.default_rng(0))) == 2 * 4
