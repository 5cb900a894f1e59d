"""The annealed rate: a warm-up and a cosine in closed form, whatever the losses do, and the same after a stop."""

import math

import pytest
import torch
from torch import nn

from sparta_core.training import fit as fitting
from sparta_core.training.fit import Job, Objective, Schedule, fit, seeded
from sparta_core.training.workbench import Workbench

BATCHES, RATE = 20, 0.01


class Bent(Objective):
    """Least squares of y = 3 x with dropout; on validation the loss rises from epoch to epoch."""

    trains = ("line",)
    monitored = "loss"

    def __init__(self):
        with seeded(0, "bent"):
            self.modules = {"line": nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.2), nn.Linear(8, 1))}

    def batches(self, part, generator):
        return list(torch.rand(BATCHES, 8, 1, generator=generator))

    def losses(self, batch, epoch, generator):
        loss = (self.modules["line"](batch) - 3 * batch).square().mean()
        return {"loss": loss if self.modules["line"].training else loss * 0 + epoch}


def trained(experiment, epochs, annealed=True):
    """The parameters and the history of a training with an annealed rate."""
    bench, objective = Workbench.of(experiment), Bent()
    run = bench.run("autoencoder")
    fit(Job(objective, Schedule(epochs, RATE, annealed=annealed), experiment, run, bench.fabric(run), 0))
    return objective.modules["line"].state_dict(), run.history()


def closed_form(step, epochs):
    """Of a step, counted from 0: up to the full rate at the fiftieth, down to nothing after the last."""
    return RATE * min(1.0, (step + 1) / 50) * math.cos(math.pi / 2 * step / (BATCHES * epochs)) ** 2


@pytest.fixture
def steps(monkeypatch):
    """The rate of every step that is taken, and what it moved."""
    taken, plain = [], fitting._Loop._step

    def watch(loop, batch):
        parameter = loop.training_modules[0][0].weight
        before = parameter.detach().clone()
        losses = plain(loop, batch)
        taken.append((loop.state.adam.param_groups[0]["lr"], (parameter.detach() - before).abs().max().item()))
        return losses

    monkeypatch.setattr(fitting._Loop, "_step", watch)
    return taken


@pytest.mark.parametrize("epochs", [2, 9])
def test_the_rate_warms_up_and_falls_along_a_cosine(tiny, steps, epochs):
    _, history = trained(tiny(), epochs)
    expected = [closed_form(step, epochs) for step in range(BATCHES * epochs)]
    assert [rate for rate, _ in steps] == pytest.approx(expected)
    assert history["learning_rate"] == pytest.approx(expected[BATCHES - 1 :: BATCHES])
    assert expected[-1] < RATE / 100


def test_adam_moves_by_the_rate(tiny, steps):
    """Its first step is the rate long: a fiftieth."""
    trained(tiny(), 2)
    assert steps[0][1] == pytest.approx(RATE / 50, rel=1e-3)


def test_losses_that_rise_do_not_lower_it(tiny):
    """On plateaus it would have fallen by ten after the twelfth epoch."""
    _, annealed = trained(tiny(plateau_patience=0, seed=1), 8)
    assert annealed["learning_rate"] == pytest.approx([closed_form(BATCHES * k + BATCHES - 1, 8) for k in range(8)])
    assert annealed["validation_loss"] == list(range(8))
    _, plateau = trained(tiny(plateau_patience=0, seed=2), 8, annealed=False)
    assert plateau["learning_rate"][2] == pytest.approx(RATE / 10)


class Stop(Exception):
    pass


@pytest.mark.parametrize("stop", [BATCHES + 3, 3 * BATCHES + 11])  # of the warm-up, of the descent
def test_a_stopped_training_resumes_bit_for_bit(tiny, tmp_path, monkeypatch, stop):
    expected, history = trained(tiny(runs=str(tmp_path / "whole")), 5)
    plain, count = fitting.Progress.step, 0

    def step(self, number):
        nonlocal count
        count += 1
        if count == stop:
            raise Stop
        plain(self, number)

    monkeypatch.setattr(fitting.Progress, "step", step)
    stopped = tiny(runs=str(tmp_path / "stopped"))
    with pytest.raises(Stop):
        trained(stopped, 5)
    made, again = trained(stopped, 5)
    assert all(torch.equal(made[key], expected[key]) for key in expected)
    assert again == history and count == stop + (5 - stop // BATCHES) * BATCHES
