"""The one training loop: epochs, schedules, history, and checkpoints to resume from, bit for bit."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from sparta_core.errors import RunError
from sparta_core.experiment import Experiment
from sparta_core.processes import agreed
from sparta_core.progress import Progress
from sparta_core.settings import Amount, Section, setting
from sparta_core.training.checkpoint import State
from sparta_core.training.device import make_fabric
from sparta_core.training.epoch import Losses, Means, ahead, named
from sparta_core.training.runs import Run
from sparta_core.training.schedules import Schedule

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class Checkpoints(Section):
    checkpoint_every: Amount = setting(10.0, "of training between two checkpoints, at least", "seconds", trains=False)


CHECKPOINT, MODEL = "checkpoint.safetensors", "model.safetensors"


class Objective(Protocol):
    """What a stage trains, on which batches, towards which losses, with which optimisers."""

    modules: Mapping[str, nn.Module]
    """All parts, by the name under which they are saved."""
    trains: tuple[str, ...]
    """The parts that train; the others stay frozen, in evaluation mode."""
    monitored: str = "loss"
    """The loss whose validation mean drives the learning rate."""
    printed: str = "loss"
    """The loss that an epoch's line gives of both parts: one that means the same in training and validation."""
    loads_ahead: bool = False
    """Whether the next batch is loaded while one is worked on."""

    def batches(self, part: str, generator: torch.Generator) -> Sequence[Tensor]:
        """Return one epoch of the "train" or "validation" part."""

    def load(self, batch: Tensor) -> Any:
        """Return what `losses` and `steps` take of a batch; draws nothing."""
        return batch

    def losses(self, batch: Any, epoch: int, generator: torch.Generator) -> Losses:
        """Return the named scalar losses of a batch: all that validation takes, and that one optimiser needs."""

    def optimisers(self, rate: float, weight_decay: float) -> dict[str, Optimizer]:
        """Return the optimisers by name: one Adam of all that trains, unless an objective says otherwise."""
        parameters = [p for part in self.trains for p in self.modules[part].parameters()]
        return {"adam": Adam(parameters, lr=rate, weight_decay=weight_decay, fused=True)}

    def steps(self, batch: Any, epoch: int, generator: torch.Generator) -> Iterator[tuple[str, Losses]]:
        """Yield which optimiser steps on a training batch, and its losses: it steps down the gradient of "loss".

        The step is taken before the next item is asked for, so that a generator's losses are those of a critic that
        has just learned. The history holds the means of all of them, with the optimiser's name before those that
        several optimisers have.

        Args:
            batch: What `load` returned.
            epoch: Epochs that are done.
            generator: Draws what the losses need, on the device.
        """
        yield "adam", self.losses(batch, epoch, generator)


@dataclass(frozen=True)
class Job:
    """One training: what trains and how long, where it computes and where it is kept.

    Beside the weights it keeps the tensors that are `attached` to them, and what is to be said `about` them.
    """

    objective: Objective
    schedule: Schedule
    experiment: Experiment
    run: Run
    fabric: "Fabric"
    seed: int
    attached: Mapping[str, Tensor] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def seeded(seed: int, *purpose: str) -> Iterator[int]:
    """Seed torch's global generator, of which modules and dropout are drawn, and restore it after.

    Yields:
        The seed that `seed` and `purpose` make.
    """
    value = crc32(json.dumps([seed, *purpose]).encode())
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(value)
        yield value


def fabric_of(experiment: Experiment, run: Run) -> "Fabric":
    """What places and runs the modules of a training; unfinished work goes on in the precision it began with."""
    return make_fabric(experiment, run.record(CHECKPOINT).get("precision"))


def finish(run: Run, job: Callable[[], Job]) -> None:
    """Do the training that `job` makes, unless it is done; one that another process is at is waited for."""
    if not agreed(run.finished):
        with run.alone():
            if not agreed(run.finished):
                fit(job())
    run.drop(CHECKPOINT)  # not with the training: who is killed between the two finishes it here


def fit(job: Job) -> None:
    """Train to the end, from the run's last checkpoint if there is one, and save the modules.

    Raises:
        RunError: a checkpoint does not belong here, a loss is no longer a number, or a disk takes no more; what was
            saved before is kept in each case.
    """
    if job.fabric.is_global_zero:
        job.run.open()
    with torch.enable_grad(), seeded(job.seed, job.run.stage, "fit") as start:
        loop = _Loop(job, start)
        if job.run.has(CHECKPOINT):
            loop.resume()
        loop.train()
    if job.fabric.is_global_zero:
        about = {"epochs": job.schedule.epochs, "precision": loop.state.precision, **job.about}
        job.run.save(MODEL, {**loop.state.weights(), **job.attached}, about)
    job.fabric.barrier()  # the others read it next


def timed_epoch(job: Job) -> tuple[int, float]:
    """Time the first steps of an epoch, which the job's modules train; nothing is written.

    Returns:
        The steps of an epoch, and the seconds that it will take with its validation.
    """
    with torch.enable_grad(), seeded(job.seed, job.run.stage, "fit") as start:
        return _Loop(job, start).timed_epoch()


class _Loop:
    """One fit, on this process; the first of several writes what is kept."""

    def __init__(self, job: Job, seed: int) -> None:
        self.objective, self.schedule, self.run, self.fabric = job.objective, job.schedule, job.run, job.fabric
        self.experiment, self.saved, self.validation_seed = job.experiment, time.monotonic(), seed + 1
        plain = job.objective.optimisers(job.schedule.rate, job.schedule.weight_decay)
        self.optimisers: dict[str, Any] = {name: job.fabric.setup_optimizers(each) for name, each in plain.items()}
        schedules = {name: job.schedule.follows(each, job.experiment, job.schedule.epochs)
                     for name, each in plain.items()}  # fmt: skip
        generator = torch.Generator(job.fabric.device).manual_seed(seed)
        self.state = State(self.objective.modules, plain, schedules, generator, job.fabric._precision.precision)

    def train(self) -> None:
        """Train all epochs that are still to do; a checkpoint follows each but those too short to be missed."""
        objective, state, epochs, progress = self.objective, self.state, self.schedule.epochs, None
        while state.epoch < epochs:
            batches = objective.batches("train", state.generator)
            progress = progress or Progress(
                self.run.stage, epochs, state.epoch, len(batches), self.fabric.is_global_zero)  # fmt: skip
            self._set_training(True)
            means = Means()
            for number, batch in enumerate(self._loaded(batches)):
                self._step(batch, means)
                rates = {(name, "learning_rate"): each.param_groups[0]["lr"] for name, each in state.optimisers.items()}
                for schedule in state.schedules.values():
                    schedule.each_step(len(batches))
                progress.step(number)
            training, validation = means.over(self.fabric), self._validation()
            self._close_epoch(named(rates), training, validation)
            name = objective.printed
            progress.epoch_end({f"training {name}": training[name], f"validation {name}": validation[name]})
        if self.fabric.is_global_zero:
            self.run.write_history(state.history)

    def _step(self, batch: Any, means: Means) -> None:
        """Let every optimiser take its steps on a batch."""
        for name, losses in self.objective.steps(batch, self.state.epoch, self.state.generator):
            optimiser = self.optimisers[name]
            optimiser.zero_grad(set_to_none=True)
            self.fabric.backward(losses["loss"])
            optimiser.step()
            means.add(name, losses)

    @torch.no_grad()
    def _validation(self) -> dict[str, float]:
        """The validation losses, on the same views after every epoch: what changes is the model alone."""
        generator = torch.Generator(self.fabric.device).manual_seed(self.validation_seed)
        self._set_training(False)
        means = Means()
        for batch in self._loaded(self.objective.batches("validation", generator)):
            means.add("", self.objective.losses(batch, self.state.epoch, generator))
        return means.over(self.fabric)

    def _close_epoch(self, rates: dict[str, float], training: dict[str, float], validation: dict[str, float]) -> None:
        state = self.state
        row: dict[str, Any] = {"epoch": state.epoch + 1, **rates}
        row |= {f"training_{name}": value for name, value in training.items()}
        row |= {f"validation_{name}": value for name, value in validation.items()}
        bad = next((name for name, value in row.items() if not math.isfinite(value)), None)
        if bad:
            raise RunError(
                f"{self.run.folder}: {bad} is not a number in epoch {state.epoch + 1}; lower the stage's "
                f"learning rate (now {next(iter(rates.values())):g}); the epochs before are kept")
        for schedule in state.schedules.values():
            schedule.each_epoch(validation[self.objective.monitored])
        state.epoch += 1
        state.history.append(row)
        if self.fabric.is_global_zero and time.monotonic() - self.saved >= self.experiment.checkpoint_every:
            self.run.save(CHECKPOINT, state.tensors(), state.record())
            self.run.write_history(state.history)
            self.saved = time.monotonic()

    def resume(self) -> None:
        """Go on from the checkpoint as if there had been no stop."""
        tensors, record = self.run.load(CHECKPOINT)
        try:
            self.state.restore(tensors, record)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise RunError(
                f"{self.run.folder / CHECKPOINT} does not fit this model ({first}); delete it to train "
                f"{self.run.stage} again") from error

    def timed_epoch(self) -> tuple[int, float]:
        """Training steps, and seconds with validation: what is timed runs twice, the first time to warm up."""
        self._set_training(True)
        steps, training = self._timed_part("train", lambda batch: self._step(batch, Means()))
        with torch.no_grad():
            _, validation = self._timed_part(
                "validation", lambda batch: self.objective.losses(batch, self.state.epoch, self.state.generator))
        return steps, training + validation

    def _timed_part(self, part: str, work: Callable[[Any], Any]) -> tuple[int, float]:
        batches, preparing = self._timed(lambda: self.objective.batches(part, self.state.generator))
        _, working = self._timed(lambda: work(self.objective.load(batches[0])))
        return len(batches), preparing + len(batches) * working

    def _timed(self, work: Callable[[], Any]) -> tuple[Any, float]:
        for _ in range(2):
            begun = time.perf_counter()
            result = work()
            if self.fabric.device.type == "cuda":
                torch.cuda.synchronize(self.fabric.device)
        return result, time.perf_counter() - begun

    def _set_training(self, mode: bool) -> None:
        for part in self.objective.trains:
            self.objective.modules[part].train(mode)

    def _loaded(self, batches: Sequence[Tensor]) -> Iterator[Any]:
        objective = self.objective
        return ahead(objective.load, batches) if objective.loads_ahead else map(objective.load, batches)
