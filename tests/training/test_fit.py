"""The training loop: stopped and started again it ends with the bits of a run that was never stopped."""

import csv
import itertools
import shutil
import threading
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sparta_core.errors import RunError
from sparta_core.evaluation.plan import costs
from sparta_core.training import fit as fitting
from sparta_core.training.epoch import ahead
from sparta_core.training.fit import CHECKPOINT, MODEL, Job, Objective, Schedule, fabric_of, fit, seeded
from sparta_core.training.records import run_of
from sparta_core.training.stages import fresh, stage_of
from tests.stages import STAGES


class Line(Objective):
    """Least squares of y = 3 x."""

    trains = ("line",)
    monitored = "loss"

    def __init__(self, validation=None):
        with seeded(0, "line"):
            self.modules = {"line": nn.Linear(1, 1)}
        self.validation = validation
        self.evaluations = 0

    def batches(self, part, generator):
        return list(torch.rand(4, 8, 1, generator=generator))

    def losses(self, batch, epoch, generator):
        loss = (self.modules["line"](batch) - 3 * batch).square().mean()
        if not self.modules["line"].training and self.validation is not None:
            loss = loss * 0 + self.validation[epoch]
        return {"loss": loss}


def run_and_fabric(experiment):
    run = run_of(experiment, "autoencoder")
    return run, fabric_of(experiment, run)


def fit_line(experiment, objective, epochs=5, rate=0.1):
    run, fabric = run_and_fabric(experiment)
    fit(Job(objective, Schedule(epochs, rate), experiment, run, fabric, 0))
    return run


def test_it_learns_and_keeps_a_history_for_people(tiny):
    objective = Line()
    run = fit_line(tiny(), objective, epochs=100)
    assert objective.modules["line"].weight.item() == pytest.approx(3, abs=0.05)
    history = run.history()
    assert history["epoch"] == list(range(1, 101))
    assert history["validation_loss"][-1] < history["validation_loss"][0] / 20
    rows = list(csv.DictReader(line for line in (run.folder / "history.csv").open() if not line.startswith("#")))
    assert {name: [float(row[name]) for row in rows] for name in rows[0]} == history  # for a spreadsheet, too
    assert run.has(MODEL)


def test_history_holds_the_mean_over_batches(tiny):
    """With rate 0 nothing moves, so an epoch's loss is the plain mean of its batches' losses."""
    objective = Line()
    run = fit_line(tiny(), objective, epochs=1, rate=1e-30)
    with seeded(0, "autoencoder", "fit") as start:
        generator = torch.Generator().manual_seed(start + 1)
        objective.modules["line"].eval()
        losses = [objective.losses(b, 0, generator)["loss"] for b in objective.batches("validation", generator)]
    assert run.history()["validation_loss"] == pytest.approx([torch.stack(losses).mean().item()], rel=1e-6)


def test_no_epochs_leave_it_as_it_starts(tiny):
    objective, untouched = Line(), Line()
    run = fit_line(tiny(), objective, epochs=0)
    assert objective.modules["line"].weight.item() == untouched.modules["line"].weight.item()
    assert run.finished and run.history() == {"epoch": []}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_of_no_epochs_hands_on_what_it_got(tiny, stage):
    """Fresh modules, or those of the stage before."""
    experiment = tiny(**{f"{stage}_epochs": 0})
    assert f"{stage}-" not in " ".join(map(str, costs(experiment, [stage])))
    model, before = STAGES[stage](experiment), fresh(experiment, stage).parts
    if earlier := stage_of(experiment, stage).before(experiment):
        before |= STAGES[earlier](experiment).parts
    for name, part in model.parts.items():
        expected = before[name].state_dict()
        assert all(torch.equal(weights, expected[key]) for key, weights in part.state_dict().items())


def test_the_rate_falls_by_ten_after_more_than_patience_epochs_without_improvement(tiny):
    """Improvements below one part in 10,000 do not count (PyTorch's relative threshold)."""
    losses = [1.0, 0.5] + [0.5 - 1e-6 * k for k in range(12)]
    run = fit_line(tiny(), Line(losses), epochs=14)
    rates = run.history()["learning_rate"]
    assert rates[:13] == pytest.approx([0.1] * 13) and rates[13] == pytest.approx(0.01)


class Stop(Exception):
    pass


@pytest.mark.parametrize("stage", STAGES)
def test_a_stopped_stage_resumes_bit_for_bit(tiny, tmp_path, monkeypatch, stage):
    """Stopped in the middle of the first and of the third epoch, in every stage, and started again."""
    epochs = dict.fromkeys((f"{name}_epochs" for name in STAGES), 1) | {f"{stage}_epochs": 3}
    whole = tiny(runs=str(tmp_path / "whole"), **epochs)
    expected = STAGES[stage](whole).state_dict()
    steps_an_epoch, plain = 9, fitting.Progress.step
    for after in (1, 3):
        stopped = tiny(runs=str(tmp_path / f"stopped{after}"), **epochs)
        shutil.copytree(whole.runs, stopped.runs)  # with the stages before it
        shutil.rmtree(run_of(stopped, stage).folder)
        taken = itertools.count(1)

        def stop(self, step, taken=taken, last=after * steps_an_epoch - 4):
            if self.name == stage and next(taken) == last:
                raise Stop
            plain(self, step)

        monkeypatch.setattr(fitting.Progress, "step", stop)
        with pytest.raises(Stop):
            STAGES[stage](stopped)
        made = STAGES[stage](stopped).state_dict()
        assert all(torch.equal(made[key], expected[key]) for key in expected)
        histories = [run_of(e, stage).history() for e in (whole, stopped)]
        assert histories[0] == histories[1]


def test_a_finished_stage_is_loaded_not_trained(tiny, monkeypatch):
    first = STAGES["pretrain"](tiny()).state_dict()

    def never(*_):
        raise AssertionError("trained twice")

    monkeypatch.setattr(fitting._Loop, "train", never)
    again = STAGES["pretrain"](tiny()).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_a_loss_that_is_no_number_keeps_the_epochs_before(tiny):
    class Breaks(Line):
        def losses(self, batch, epoch, generator):
            losses = super().losses(batch, epoch, generator)
            return {"loss": losses["loss"] * (float("nan") if epoch == 2 else 1)}

    with pytest.raises(RunError, match="training_loss is not a number in epoch 3; lower"):
        fit_line(tiny(), Breaks())
    run = run_of(tiny(), "autoencoder")
    assert run.record(CHECKPOINT)["epoch"] == 2


def test_fit_leaves_the_global_generator_alone(tiny):
    state = torch.get_rng_state()
    fit_line(tiny(), Line(), epochs=1)
    assert torch.equal(state, torch.get_rng_state())


def test_a_checkpoint_of_another_model(tiny):
    experiment = tiny()
    run, fabric = run_and_fabric(experiment)
    run.open()
    run.save(CHECKPOINT, {"model.line.weight": torch.ones(2, 2)}, {"epoch": 1, "precision": "32-true"})
    with pytest.raises(RunError, match=r"checkpoint.safetensors does not fit this model .*; delete it"):
        fit(Job(Line(), Schedule(2, 0.1), experiment, run, fabric, 0))


def test_the_next_batch_is_loaded_while_one_is_worked_on():
    loading, worked = threading.Event(), []

    def load(batch):
        if batch == 2:
            loading.set()
        return 10 * batch

    for value in ahead(load, [1, 2, 3]):
        if value == 10:
            assert loading.wait(timeout=10)
        worked.append(value)
    assert worked == [10, 20, 30]


def test_what_fails_ahead_fails_in_its_place():
    def load(batch):
        if batch == 3:
            raise RunError("no third")
        return batch

    seen = []
    with pytest.raises(RunError, match="no third"):
        seen.extend(ahead(load, [1, 2, 3, 4]))
    before = set(threading.enumerate())
    loaded = ahead(lambda batch: batch, [1, 2, 3])
    assert next(loaded) == 1
    loaded.close()  # who stops early leaves no thread behind
    assert set(threading.enumerate()) <= before


def test_short_epochs_share_a_checkpoint(tiny, monkeypatch):
    """Epochs of three seconds: one after the fourth, when ten have passed, one after the eighth; all in the history."""
    clock, saved = itertools.count(step=3), []
    experiment = tiny(checkpoint_every=10.0)
    plain = type(run_of(experiment, "autoencoder")).save
    monkeypatch.setattr(type(run_of(experiment, "autoencoder")), "save",
                        lambda run, name, tensors, record: (saved.append((name, record.get("epoch"))),
                                                            plain(run, name, tensors, record)))  # fmt: skip
    monkeypatch.setattr(fitting, "time", SimpleNamespace(monotonic=clock.__next__))
    run = fit_line(experiment, Line(), epochs=9)
    assert [name for name, _ in saved] == [CHECKPOINT, CHECKPOINT, MODEL]
    assert [epoch for name, epoch in saved if name == CHECKPOINT] == [4, 8]
    assert run.history()["epoch"] == list(range(1, 10))
