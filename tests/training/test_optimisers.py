"""Several optimisers: a generator and a critic train as written out by hand, and killed they go on bit for bit."""

import math
import signal

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sparta_core.errors import RunError
from sparta_core.training import fit as fitting
from sparta_core.training.fit import CHECKPOINT, Job, Objective, fabric_of, fit, seeded
from sparta_core.training.records import run_of
from sparta_core.training.schedules import Plateau, Schedule, WarmupCosine
from tests.faults.children import die, start

RATE, DECAY, BATCHES, WEIGHT = 0.01, 0.02, 2, 0.3


class Finer(Objective):
    """Fields (B, 1, 4, 8) from their means over two by two points, by a generator whose critic learns twice a batch."""

    trains = ("generator", "critic")
    monitored = printed = "mse"

    def __init__(self):
        with seeded(0, "finer"):
            self.modules = {"generator": nn.ConvTranspose2d(1, 1, 2, stride=2).double(),
                            "critic": nn.Sequential(nn.Flatten(), nn.Linear(32, 1)).double()}  # fmt: skip

    def batches(self, part, generator):
        return list(torch.rand(BATCHES, 6, 1, 4, 8, generator=generator, dtype=torch.float64))

    def optimisers(self, rate, weight_decay):
        generator, critic = (self.modules[part].parameters() for part in self.trains)
        return {"generator": torch.optim.Adam(generator, rate, weight_decay=weight_decay, fused=True),
                "critic": torch.optim.SGD(critic, 5 * rate, momentum=0.9)}  # fmt: skip

    def losses(self, batch, epoch, generator):
        return {"mse": (self.modules["generator"](F.avg_pool2d(batch, 2)) - batch).square().mean()}

    def steps(self, batch, epoch, generator):
        critic, coarse = self.modules["critic"], F.avg_pool2d(batch, 2)
        fine = self.modules["generator"](coarse)
        for _ in range(2):
            yield "critic", {"loss": critic(fine.detach()).mean() - critic(batch).mean()}
        mse = (fine - batch).square().mean()
        yield "generator", {"loss": mse - WEIGHT * critic(fine).mean(), "mse": mse}


def trained(experiment, epochs, follows=Plateau, kind=Finer):
    """The parameters and the history after a training."""
    objective, run = kind(), run_of(experiment, "autoencoder")
    fit(Job(objective, Schedule(epochs, RATE, DECAY, follows), experiment, run, fabric_of(experiment, run), 0))
    weights = {f"{part}.{key}": value for part, module in objective.modules.items()
               for key, value in module.state_dict().items()}  # fmt: skip
    return weights, run.history()


def by_hand():
    """The same parameters, means of losses and last validation after one epoch, without a module or an optimiser."""
    weights = {f"{part}.{key}": value.clone().requires_grad_()
               for part, module in Finer().modules.items() for key, value in module.state_dict().items()}  # fmt: skip
    kernel, offset, slope, shift = weights.values()
    losses = {"critic_loss": [], "generator_loss": [], "mse": []}
    speed, first, second = [0, 0], [0, 0], [0, 0]

    def finer(batch):
        return F.conv_transpose2d(batch.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2)), kernel, offset, stride=2)

    def judged(fields):
        return (fields.flatten(1) @ slope.T + shift).mean()

    with seeded(0, "autoencoder", "fit") as start:
        training, validation = (Finer().batches("", torch.Generator().manual_seed(seed)) for seed in (start, start + 1))
    for number, batch in enumerate(training, 1):
        for _ in range(2):
            loss = judged(finer(batch).detach()) - judged(batch)
            losses["critic_loss"].append(loss.item())
            for k, (parameter, slant) in enumerate(zip((slope, shift), torch.autograd.grad(loss, (slope, shift)),
                                                       strict=True)):  # fmt: skip
                speed[k] = 0.9 * speed[k] + slant
                parameter.data -= 5 * RATE * speed[k]
        mse = (finer(batch) - batch).square().mean()
        loss = mse - WEIGHT * judged(finer(batch))
        losses["mse"].append(mse.item())
        losses["generator_loss"].append(loss.item())
        for k, (parameter, slant) in enumerate(zip((kernel, offset), torch.autograd.grad(loss, (kernel, offset)),
                                                   strict=True)):  # fmt: skip
            slant = slant + DECAY * parameter.data
            first[k] = 0.9 * first[k] + 0.1 * slant
            second[k] = 0.999 * second[k] + 0.001 * slant**2
            length = (second[k] / (1 - 0.999**number)).sqrt() + 1e-8
            parameter.data -= RATE * first[k] / (1 - 0.9**number) / length
    held_out = [(finer(batch) - batch).square().mean().item() for batch in validation]
    means = {f"training_{name}": sum(values) / len(values) for name, values in losses.items()}
    return weights, means | {"validation_mse": sum(held_out) / len(held_out)}


def test_two_steps_are_those_written_out_by_hand(tiny):
    """The critic learns before the generator sees it; names that both have are told apart, the others not."""
    made, history = trained(tiny(), 1)
    weights, means = by_hand()
    for key, value in weights.items():
        assert torch.allclose(made[key], value, rtol=1e-10, atol=1e-14), key
    assert {name: column[0] for name, column in history.items()} == pytest.approx(
        {"epoch": 1, "generator_learning_rate": RATE, "critic_learning_rate": 5 * RATE, **means}, rel=1e-10)


@pytest.mark.parametrize("follows", [Plateau, WarmupCosine])
def test_every_optimiser_follows_a_schedule_of_its_own(tiny, monkeypatch, follows):
    """The plateaus' is told the monitored loss, which never falls here: a tenth after every epoch but the first."""
    monkeypatch.setattr(Finer, "losses", lambda *_: {"mse": torch.ones(())})
    _, history = trained(tiny(plateau_patience=0), 3, follows)
    last = [step * (1 + math.cos(math.pi * (step - 1) / 6)) / 100 for step in (2, 4, 6)]  # of each epoch, from 1
    shares = {Plateau: [1, 1, 0.1], WarmupCosine: last}[follows]
    assert history["generator_learning_rate"] == pytest.approx([RATE * share for share in shares])
    assert history["critic_learning_rate"] == pytest.approx([5 * RATE * share for share in shares])


@pytest.mark.parametrize("follows", [Plateau, WarmupCosine])
@pytest.mark.parametrize("killed", [3, 10])  # training steps
def test_killed_it_goes_on_bit_for_bit(tiny, tmp_path, monkeypatch, follows, killed):
    whole, stopped = (tiny(runs=str(tmp_path / name), plateau_patience=0) for name in ("whole", "stopped"))
    expected, history = trained(whole, 6, follows)
    plain, steps = fitting.Progress.step, []

    def step(progress, number):
        steps.append(number)
        if len(steps) == killed:
            die()
        plain(progress, number)

    with monkeypatch.context() as patched:
        patched.setattr(fitting.Progress, "step", step)
        child = start(lambda: trained(stopped, 6, follows), tmp_path / "log")
        assert child.wait() == -signal.SIGKILL, child.said
    run = run_of(stopped, "autoencoder")
    assert run.record(CHECKPOINT)["epoch"] == (killed - 1) // BATCHES
    made, again = trained(stopped, 6, follows)
    assert all(torch.equal(made[key], expected[key]) for key in expected) and again == history


class Alone(Finer):
    """The generator without its critic."""

    trains = ("generator",)

    def optimisers(self, rate, weight_decay):
        return Objective.optimisers(self, rate, weight_decay)


def rewritten(experiment, change):
    """The path of a checkpoint after two epochs whose record `change` has changed, as another version may write it."""
    run = run_of(experiment, "autoencoder")
    trained(experiment, 2)
    tensors, record = run.load(CHECKPOINT)
    change(record)
    run.save(CHECKPOINT, tensors, record)
    return run.path(CHECKPOINT)


@pytest.mark.parametrize("kind", [Finer, Alone])
def test_a_checkpoint_of_an_older_version_or_of_other_optimisers(tiny, kind):
    path = rewritten(tiny(), lambda record: record.pop("schedules") if kind is Finer else None)
    names = {Finer: "generator, critic", Alone: "adam"}[kind]
    with pytest.raises(RunError) as error:
        trained(tiny(), 3, kind=kind)
    assert str(error.value) == (
        f"{path} does not fit this model (an older version wrote it, or its optimisers are not {names}); delete it to "
        "train autoencoder again")
