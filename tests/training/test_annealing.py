"""The annealed rate: a warm-up and a cosine in closed form, whatever the losses do, and the same after a stop."""

import json
import math

import pytest
import torch
from torch import nn

from sparta_core.training import fit as fitting
from sparta_core.training.fit import Job, Objective, fabric_of, fit, seeded
from sparta_core.training.records import run_of
from sparta_core.training.schedules import Plateau, Schedule, WarmupCosine

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


def trained(experiment, epochs, follows=WarmupCosine):
    """The parameters and the history of a training whose rate follows a schedule."""
    objective, run = Bent(), run_of(experiment, "autoencoder")
    fit(Job(objective, Schedule(epochs, RATE, follows=follows), experiment, run, fabric_of(experiment, run), 0))
    return objective.modules["line"].state_dict(), run.history()


def closed_form(step, epochs, batches=BATCHES):
    """Of a step, counted from 0: up to the full rate at the fiftieth, down to nothing after the last."""
    return RATE * min(1.0, (step + 1) / 50) * math.cos(math.pi / 2 * step / (batches * epochs)) ** 2


@pytest.fixture
def steps(monkeypatch):
    """The rate of every step that is taken, and what it moved."""
    taken, plain = [], fitting._Loop._step

    def watch(loop, batch, means):
        parameter = loop.objective.modules["line"][0].weight
        before, rate = parameter.detach().clone(), loop.state.optimisers["adam"].param_groups[0]["lr"]
        plain(loop, batch, means)
        taken.append((rate, (parameter.detach() - before).abs().max().item()))

    monkeypatch.setattr(fitting._Loop, "_step", watch)
    return taken


@pytest.mark.parametrize("epochs", [2, 9])
def test_the_rate_warms_up_and_falls_along_a_cosine(tiny, steps, epochs):
    _, history = trained(tiny(), epochs)
    expected = [closed_form(step, epochs) for step in range(BATCHES * epochs)]
    assert [rate for rate, _ in steps] == pytest.approx(expected)
    assert history["learning_rate"] == pytest.approx(expected[BATCHES - 1 :: BATCHES])
    assert expected[-1] < RATE / 100


def test_a_long_descent_is_as_exact_handed_on_as_json(tiny):
    """Each rate is made of the one before: 30,000 times, and half-way by a fresh schedule that knows but its state."""
    epochs, batches = 10, 3000

    def fresh():
        adam = torch.optim.Adam([torch.ones(1, requires_grad=True)], RATE)
        schedule = WarmupCosine(adam, tiny(), epochs)
        adam.step()  # without a gradient: torch warns of a schedule that moves first
        return adam.param_groups[0], schedule

    group, schedule = fresh()
    for step in range(epochs * batches):
        assert group["lr"] == pytest.approx(closed_form(step, epochs, batches), rel=1e-6)
        schedule.each_step(batches)
        schedule.each_epoch(float(step))  # says nothing to it
        if step == epochs * batches // 2:
            state, rate = json.dumps(schedule.scheduler.state_dict()), json.dumps(group["lr"])
            group, schedule = fresh()
            schedule.scheduler.load_state_dict(json.loads(state))
            group["lr"] = json.loads(rate)
    assert group["lr"] == 0


def test_adam_moves_by_the_rate(tiny, steps):
    """Its first step is the rate long: a fiftieth."""
    trained(tiny(), 2)
    assert steps[0][1] == pytest.approx(RATE / 50, rel=1e-3)


def test_losses_that_rise_do_not_lower_it(tiny):
    """On plateaus it would have fallen by ten after the twelfth epoch."""
    _, annealed = trained(tiny(plateau_patience=0, seed=1), 8)
    assert annealed["learning_rate"] == pytest.approx([closed_form(BATCHES * k + BATCHES - 1, 8) for k in range(8)])
    assert annealed["validation_loss"] == list(range(8))
    _, plateau = trained(tiny(plateau_patience=0, seed=2), 8, Plateau)
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
