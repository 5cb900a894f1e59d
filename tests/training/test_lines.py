"""The line of an epoch: one kind of loss for training and validation, in the units of the tables of errors."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sparta_core.objectives.contrastive import Contrast
from sparta_core.tasks.forecast import trained_forecaster
from sparta_core.tasks.forecast.dynamics import Rollout
from sparta_core.training.fit import Objective
from sparta_core.training.records import open_record, run_of
from tests.stages import OBJECTIVES, STAGES

PRINTED = {"autoencoder": "mse", "pretrain": "loss", "blend": "loss", "decoder": "mse"}
ANCHORS, NEIGHBOURS = torch.arange(100, 130), torch.tensor([0, 2, -2])


@pytest.fixture
def still(monkeypatch):
    """The same days and the same views of them in training and validation, without dropout."""
    plain = nn.Module.train
    monkeypatch.setattr(nn.Module, "train", lambda module, mode=True: plain(module, False))
    for kind in set(OBJECTIVES.values()):
        roles = NEIGHBOURS if issubclass(kind, Contrast) else NEIGHBOURS[:1]
        monkeypatch.setattr(kind, "batches", lambda *_, roles=roles: [ANCHORS + roles[:, None]])
        losses = kind.losses
        monkeypatch.setattr(kind, "losses", lambda objective, batch, epoch, _, losses=losses: losses(
            objective, batch, epoch, torch.Generator().manual_seed(1)))  # fmt: skip


def lines(said, stage):
    return [line.rpartition(", ")[0] for line in said.splitlines() if line.startswith(f"{stage}: epoch")]


@pytest.mark.parametrize("stage", STAGES)
def test_on_the_same_days_training_and_validation_read_the_same(tiny, still, capsys, stage):
    """Nothing learns, so what is printed of both is one number; of a reconstruction the mean squared error."""
    once = {f"{name}_epochs": 1 for name in STAGES} | {f"{name}_rate": 1e-30 for name in STAGES}
    experiment = tiny(**once)
    model, history = STAGES[stage](experiment), run_of(experiment, stage).history()
    name = PRINTED[stage]
    value = history[f"training_{name}"][0]
    assert lines(capsys.readouterr().out, stage) == [
        f"{stage}: epoch 1/1: training {name} {value:.4g}, validation {name} {value:.4g}"]
    if name == "mse":
        days = open_record(experiment).take(ANCHORS)
        view = model.views.sparse(days, torch.Generator().manual_seed(1))
        assert value == pytest.approx(F.mse_loss(model(view), days.values).item(), rel=1e-4)
        assert history["training_loss"] == pytest.approx([5 * value])  # what trains stays the sum over five variables


def test_dynamics_say_the_error_of_the_next_day(globe, capsys):
    """Their loss is of one day in the first epoch and of three in its validation: two things."""
    experiment = globe(forecast_steps=3, forecast_epochs=3, seed=11)
    trained_forecaster(experiment, 0)
    history = run_of(experiment, "forecast", "-seed0").history()
    assert lines(capsys.readouterr().out, "forecast") == [
        f"forecast: epoch {epoch + 1}/3: training next day {history['training_next_day'][epoch]:.4g}, "
        f"validation next day {history['validation_next_day'][epoch]:.4g}" for epoch in range(3)]  # fmt: skip
    assert history["training_loss"][0] == history["training_next_day"][0]
    assert history["validation_loss"][0] > history["validation_next_day"][0]


def test_every_objective_prints_a_loss_that_it_has():
    """The mean over variables where there is one; whatever drives the learning rate is as it was."""
    assert (Objective.printed, Objective.monitored) == ("loss", "loss")
    assert {stage: kind.printed for stage, kind in OBJECTIVES.items()} == PRINTED
    assert {stage: kind.monitored for stage, kind in OBJECTIVES.items()} == {
        "autoencoder": "mse", "pretrain": "loss", "blend": "monitored", "decoder": "mse"}
    assert (Rollout.printed, Rollout.monitored) == ("next_day", "loss")
