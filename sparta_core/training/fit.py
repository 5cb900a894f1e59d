"""The one training loop: epochs, plateau schedule, history, and checkpoints to resume from, bit for bit."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol
from zlib import crc32

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sparta_core.errors import RunError
from sparta_core.experiment import Experiment
from sparta_core.progress import Progress
from sparta_core.settings import LARGEST, Amount, Section, setting
from sparta_core.training.checkpoint import State
from sparta_core.training.runs import Run


class Plateau(Section):
    """When the learning rate falls: where the validation loss has stayed on a plateau."""

    plateau_patience: Annotated[int, Field(ge=0, lt=LARGEST)] = setting(10, "until the rate falls", "epochs")
    plateau_factor: Amount = setting(0.1, "by which the rate falls")
    plateau_threshold: Amount = setting(1e-4, "relative gain that counts as one")


class Checkpoints(Section):
    checkpoint_every: Amount = setting(10.0, "of training between two checkpoints, at least", "seconds", trains=False)


WARM = 50  # steps
CHECKPOINT, MODEL = "checkpoint.safetensors", "model.safetensors"


class Objective(Protocol):
    """What a stage trains, on which batches, towards which loss."""

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
        """One epoch of the "train" or "validation" part."""

    def load(self, batch: Tensor) -> Any:
        """What `losses` takes of a batch; draws nothing."""
        return batch

    def losses(self, batch: Any, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Named scalar losses of a batch; "loss" is the one that trains."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage trains."""

    epochs: int
    rate: float
    weight_decay: float = 0.0
    annealed: bool = False  # the rate rises for WARM steps and falls along a cosine, instead of on plateaus


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
    if job.fabric.is_global_zero:
        job.run.open()
    with torch.enable_grad(), seeded(job.seed, job.run.stage, "fit") as start:
        loop = _Loop(job, start)
        if job.run.has(CHECKPOINT):
            loop.resume()
        loop.train()
    if job.fabric.is_global_zero:
        job.run.save(MODEL, loop.state.weights(), {"epochs": job.schedule.epochs, "precision": loop.state.precision})
    job.fabric.barrier()  # the others read it next


def ahead(load: Callable[[Tensor], Any], batches: Sequence[Tensor]) -> Iterator[Any]:
    """Every batch loaded, on a thread, while the one before it is worked on."""
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(load, batches[0])
        for batch in batches[1:]:
            now, following = following, reader.submit(load, batch)
            yield now.result()
        yield following.result()


def timed_epoch(job: Job) -> tuple[int, float]:
    """Steps of an epoch, and the seconds that it will take with its validation: its first steps are timed.

    The job's modules train these steps; nothing is written.
    """
    with torch.enable_grad(), seeded(job.seed, job.run.stage, "fit") as start:
        return _Loop(job, start).timed_epoch()


class _Loop:
    """One fit, on this process; the first of several writes what is kept."""

    def __init__(self, job: Job, seed: int) -> None:
        self.objective, self.schedule, self.run, self.fabric = job.objective, job.schedule, job.run, job.fabric
        self.training_modules = [self.objective.modules[part] for part in self.objective.trains]
        parameters = [p for module in self.training_modules for p in module.parameters()]
        rate, decay, settings = job.schedule.rate, job.schedule.weight_decay, job.experiment
        adam = torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        self.optimiser: Any = job.fabric.setup_optimizers(adam)
        plateau = ReduceLROnPlateau(adam, factor=settings.plateau_factor, patience=settings.plateau_patience,
                                    threshold=settings.plateau_threshold)  # fmt: skip
        generator = torch.Generator(job.fabric.device).manual_seed(seed)
        self.validation_seed = seed + 1
        self.kept, self.pause = time.monotonic(), settings.checkpoint_every
        self.state = State(self.objective.modules, adam, plateau, generator, job.fabric._precision.precision)

    def train(self) -> None:
        """All epochs that are still to do, a checkpoint after each but those too short to be missed."""
        progress, first = None, self.fabric.is_global_zero
        while self.state.epoch < self.schedule.epochs:
            batches = self.objective.batches("train", self.state.generator)
            progress = progress or Progress(self.run.stage, self.schedule.epochs, self.state.epoch, len(batches), first)
            training = self._training_epoch(batches, progress)
            validation = self._validation()
            self._close_epoch(training, validation)
            name = self.objective.printed
            progress.epoch_end({f"training {name}": training[name], f"validation {name}": validation[name]})
        if first:
            self.run.write_history(self.state.history)

    def _training_epoch(self, batches: Sequence[Tensor], progress: Progress) -> dict[str, float]:
        for module in self.training_modules:
            module.train()
        return self._mean(self._steps(batches, progress))

    def _steps(self, batches: Sequence[Tensor], progress: Progress) -> Iterator[dict[str, Tensor]]:
        for step, batch in enumerate(self._loaded(batches)):
            if self.schedule.annealed:
                self._anneal(step, len(batches))
            yield self._step(batch)
            progress.step(step)

    def _anneal(self, step: int, steps: int) -> None:
        """Set the learning rate of a step of this epoch of `steps`."""
        done = self.state.epoch * steps + step
        share = min(1, (done + 1) / WARM) * (1 + math.cos(math.pi * done / (steps * self.schedule.epochs))) / 2
        for group in self.state.adam.param_groups:
            group["lr"] = self.schedule.rate * share

    def _loaded(self, batches: Sequence[Tensor]) -> Iterator[Any]:
        objective = self.objective
        return ahead(objective.load, batches) if objective.loads_ahead else map(objective.load, batches)

    def _losses(self, batch: Any) -> dict[str, Tensor]:
        return self.objective.losses(batch, self.state.epoch, self.state.generator)

    def _step(self, batch: Any) -> dict[str, Tensor]:
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
        return self._mean(self.objective.losses(batch, self.state.epoch, generator) for batch in self._loaded(batches))

    def timed_epoch(self) -> tuple[int, float]:
        """Training steps, and seconds with validation: what is timed runs twice, the first time to warm up."""
        for module in self.training_modules:
            module.train()
        steps, training = self._timed_part("train", self._step)
        with torch.no_grad():
            _, validation = self._timed_part("validation", self._losses)
        return steps, training + validation

    def _timed_part(self, part: str, work: Callable[[Tensor], Any]) -> tuple[int, float]:
        batches, preparing = self._timed(lambda: self.objective.batches(part, self.state.generator))
        _, working = self._timed(lambda: work(self.objective.load(batches[0])))
        return len(batches), preparing + len(batches) * working

    def _timed(self, work: Callable[[], Any]) -> tuple[Any, float]:
        for _ in range(2):
            begun = time.perf_counter()
            made = work()
            if self.fabric.device.type == "cuda":
                torch.cuda.synchronize(self.fabric.device)
        return made, time.perf_counter() - begun

    def _close_epoch(self, training: dict[str, float], validation: dict[str, float]) -> None:
        state, rate = self.state, self.state.adam.param_groups[0]["lr"]
        row: dict[str, Any] = {"epoch": state.epoch + 1, "learning_rate": rate}
        row |= {f"training_{name}": value for name, value in training.items()}
        row |= {f"validation_{name}": value for name, value in validation.items()}
        bad = next((name for name, value in row.items() if not math.isfinite(value)), None)
        if bad:
            raise RunError(
                f"{self.run.folder}: {bad} is not a number in epoch {state.epoch + 1}; lower the stage's "
                f"learning rate (now {rate:g}); the epochs before are kept")
        if not self.schedule.annealed:
            state.plateau.step(validation[self.objective.monitored])
        state.epoch += 1
        state.history.append(row)
        if self.fabric.is_global_zero and time.monotonic() - self.kept >= self.pause:
            self.run.save(CHECKPOINT, state.tensors(), state.record())
            self.run.write_history(state.history)
            self.kept = time.monotonic()

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

    def _mean(self, losses: Iterable[dict[str, Tensor]]) -> dict[str, float]:
        """The mean of every named loss over batches and processes; the device is read once, at the end."""
        total: dict[str, Tensor] = {}
        count = 0
        for batch in losses:
            count += 1
            for name, value in batch.items():
                total[name] = total.get(name, 0) + value.detach()
        sums: Any = self.fabric.all_reduce(torch.stack(list(total.values())), reduce_op="mean")
        return {name: value / count for name, value in zip(total, sums.tolist(), strict=True)}
