"""The one training loop: epochs, plateau schedule, history, and checkpoints to resume from, bit for bit."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from zlib import crc32

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sparta_core.errors import RunError
from sparta_core.experiment import Experiment
from sparta_core.training.progress import Progress
from sparta_core.training.runs import Run, Tensors

CHECKPOINT, MODEL = "checkpoint.safetensors", "model.safetensors"


class Objective(Protocol):
    """What a stage trains, on which batches, towards which loss."""

    modules: Mapping[str, nn.Module]
    """All parts, by the name under which they are saved."""
    trains: tuple[str, ...]
    """The parts that train; the others stay frozen, in evaluation mode."""
    monitored: str
    """The loss whose validation mean drives the learning rate."""

    def batches(self, part: str, generator: torch.Generator) -> Sequence[Tensor]:
        """One epoch of the "train" or "validation" part."""

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Named scalar losses of a batch; "loss" is the one that trains."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage trains."""

    epochs: int
    rate: float
    weight_decay: float = 0.0


@dataclass(frozen=True)
class Job:
    """One training: what trains and how long, where it computes and where it is kept."""

    objective: Objective
    schedule: Schedule
    experiment: Experiment
    run: Run
    fabric: Fabric
    seed: int


@contextmanager
def seeded(seed: int, *purpose: str) -> Iterator[int]:
    """Global randomness (module initialisation, dropout) from `seed` and `purpose`, restored after."""
    value = crc32(json.dumps([seed, *purpose]).encode())
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(value)
        yield value


def fit(job: Job) -> None:
    """Train to the end, from the run's last checkpoint if there is one, and save the modules.

    Raises RunError for a checkpoint that does not belong here, a loss that is no longer a number,
    or a disk that takes no more; what was saved before is kept in each case.
    """
    job.run.open()
    with torch.enable_grad(), seeded(job.seed, job.run.stage, "fit") as start:
        loop = _Loop(job, start)
        if job.run.has(CHECKPOINT):
            loop.resume()
        loop.train()
    job.run.save(MODEL, loop.weights(), {"epochs": job.schedule.epochs, "precision": loop.precision})
    job.run.drop(CHECKPOINT)


def timed_epoch(job: Job) -> tuple[int, float]:
    """Steps of an epoch, and the seconds that it will take with its validation: its first steps are timed.

    The job's modules train these steps; nothing is written.
    """
    with torch.enable_grad(), seeded(job.seed, job.run.stage, "fit") as start:
        return _Loop(job, start).timed_epoch()


class _Loop:
    """The state of one fit: what a checkpoint keeps."""

    def __init__(self, job: Job, seed: int) -> None:
        self.objective, self.schedule, self.run, self.fabric = job.objective, job.schedule, job.run, job.fabric
        self.precision = job.fabric._precision.precision
        self.training_modules = [self.objective.modules[part] for part in self.objective.trains]
        parameters = [p for module in self.training_modules for p in module.parameters()]
        rate, decay, settings = job.schedule.rate, job.schedule.weight_decay, job.experiment
        self.adam = torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        self.optimiser: Any = job.fabric.setup_optimizers(self.adam)
        self.plateau = ReduceLROnPlateau(self.adam, factor=settings.plateau_factor,
                                         patience=settings.plateau_patience, threshold=settings.plateau_threshold)
        self.generator = torch.Generator(job.fabric.device).manual_seed(seed)
        self.validation_seed = seed + 1
        self.epoch = 0
        self.history: list[dict[str, Any]] = []

    def train(self) -> None:
        """All epochs that are still to do, a checkpoint after each."""
        progress = None
        while self.epoch < self.schedule.epochs:
            batches = self.objective.batches("train", self.generator)
            progress = progress or Progress(self.run.stage, self.schedule.epochs, self.epoch, len(batches))
            training = self._training_epoch(batches, progress)
            validation = self._validation()
            self._close_epoch(training, validation)
            progress.epoch_end({"training": training["loss"], "validation": validation[self.objective.monitored]})

    def _training_epoch(self, batches: Sequence[Tensor], progress: Progress) -> dict[str, float]:
        for module in self.training_modules:
            module.train()
        return _mean(self._steps(batches, progress))

    def _steps(self, batches: Sequence[Tensor], progress: Progress) -> Iterator[dict[str, Tensor]]:
        for step, batch in enumerate(batches):
            yield self._step(batch)
            progress.step(step)

    def _losses(self, batch: Tensor) -> dict[str, Tensor]:
        return self.objective.losses(batch, self.epoch, self.generator)

    def _step(self, batch: Tensor) -> dict[str, Tensor]:
        losses = self._losses(batch)
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(losses["loss"])
        self.optimiser.step()
        return losses

    @torch.no_grad()
    def _validation(self) -> dict[str, float]:
        """The validation losses, on the same views after every epoch: what changes is the model alone."""
        generator = torch.Generator(self.fabric.device).manual_seed(self.validation_seed)
        for module in self.training_modules:
            module.eval()
        batches = self.objective.batches("validation", generator)
        return _mean(self.objective.losses(batch, self.epoch, generator) for batch in batches)

    def timed_epoch(self) -> tuple[int, float]:
        """Training steps, and seconds with validation: what is timed runs twice, the first time to warm up."""
        for module in self.training_modules:
            module.train()
        steps, training = self._timed_part("train", self._step)
        with torch.no_grad():
            _, validation = self._timed_part("validation", self._losses)
        return steps, training + validation

    def _timed_part(self, part: str, work: Callable[[Tensor], Any]) -> tuple[int, float]:
        batches, preparing = self._timed(lambda: self.objective.batches(part, self.generator))
        _, working = self._timed(lambda: work(batches[0]))
        return len(batches), preparing + len(batches) * working

    def _timed(self, work: Callable[[], Any]) -> tuple[Any, float]:
        for _ in range(2):
            begun = time.perf_counter()
            made = work()
            if self.fabric.device.type == "cuda":
                torch.cuda.synchronize(self.fabric.device)
        return made, time.perf_counter() - begun

    def _close_epoch(self, training: dict[str, float], validation: dict[str, float]) -> None:
        rate = self.adam.param_groups[0]["lr"]
        row: dict[str, Any] = {"epoch": self.epoch + 1, "learning_rate": rate}
        row |= {f"training_{name}": value for name, value in training.items()}
        row |= {f"validation_{name}": value for name, value in validation.items()}
        bad = next((name for name, value in row.items() if not math.isfinite(value)), None)
        if bad:
            raise RunError(
                f"{self.run.folder}: {bad} is not a number in epoch {self.epoch + 1}; lower the stage's "
                f"learning rate (now {rate:g}); the epochs before are kept")
        self.plateau.step(validation[self.objective.monitored])
        self.epoch += 1
        self.history.append(row)
        self.run.save(CHECKPOINT, self._state(), self._record())
        self.run.write_history(self.history)

    def weights(self) -> Tensors:
        return {f"{part}.{key}": value for part, module in self.objective.modules.items()
                for key, value in module.state_dict().items()}  # fmt: skip

    def _state(self) -> Tensors:
        tensors = {f"model.{key}": value for key, value in self.weights().items()}
        for index, moments in self.adam.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{key}": value for key, value in moments.items()}
        tensors |= {"generator": self.generator.get_state(), "global_generator": torch.get_rng_state()}
        if self.fabric.device.type == "cuda":
            tensors["cuda_generator"] = torch.cuda.get_rng_state(self.fabric.device)
        return tensors

    def _record(self) -> dict[str, Any]:
        plain = {key: value for key, value in self.plateau.state_dict().items()
                 if isinstance(value, (int, float, str, list))}  # fmt: skip
        groups = [{key: value for key, value in group.items() if key != "params"}
                  for group in self.adam.state_dict()["param_groups"]]  # fmt: skip
        return {"epoch": self.epoch, "precision": self.precision, "plateau": plain, "groups": groups,
                "history": self.history}  # fmt: skip

    def resume(self) -> None:
        """Go on from the checkpoint as if there had been no stop."""
        tensors, record = self.run.load(CHECKPOINT)
        try:
            self._restore(tensors, record)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise RunError(
                f"{self.run.folder / CHECKPOINT} does not fit this model ({first}); delete it to train "
                f"{self.run.stage} again") from error

    def _restore(self, tensors: Tensors, record: dict[str, Any]) -> None:
        load_weights(self.objective.modules, _under("model.", tensors))
        state: dict[int, Tensors] = {}
        for key, value in _under("optimiser.", tensors).items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
        groups = self.adam.state_dict()["param_groups"]
        groups = [group | saved for group, saved in zip(groups, record["groups"], strict=True)]
        self.adam.load_state_dict({"state": state, "param_groups": groups})
        self._arrange_moments()
        self.plateau.load_state_dict(record["plateau"])
        self.generator.set_state(tensors["generator"])
        torch.set_rng_state(tensors["global_generator"])
        if "cuda_generator" in tensors and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["cuda_generator"], self.fabric.device)
        self.epoch, self.history = record["epoch"], record["history"]
        self.run.write_history(self.history)

    def _arrange_moments(self) -> None:
        """Put Adam's moments in memory in their parameters' order: the fused kernel walks both side by side."""
        for parameter, moments in self.adam.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name] = torch.empty_like(parameter, requires_grad=False).copy_(moments[name])


def load_weights(modules: Mapping[str, nn.Module], tensors: Tensors) -> None:
    """Put saved weights into `modules`; every part must be there, whole."""
    for part, module in modules.items():
        module.load_state_dict(_under(f"{part}.", tensors))


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _mean(losses: Iterable[dict[str, Tensor]]) -> dict[str, float]:
    """The mean of every named loss over batches; the device is read once, at the end."""
    total: dict[str, Tensor] = {}
    count = 0
    for batch in losses:
        count += 1
        for name, value in batch.items():
            total[name] = total.get(name, 0) + value.detach()
    return {name: float(value) / count for name, value in total.items()}
