"""One network trained on the embeddings of a frozen representation: what forecasters and classifiers share."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor, nn

from sparta_core.data.record import Record
from sparta_core.errors import RunError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks import Task, Training
from sparta_core.tasks.embeddings import Embedder
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, fabric_of, finish, seeded
from sparta_core.training.records import open_record, run_of
from sparta_core.training.runs import Run
from sparta_core.training.schedules import Schedule

PART = "network"  # under which a run keeps its weights


class NetworkObjective(Objective):
    """An objective of one network on the embeddings of a record's days by a frozen model, which `embed` makes."""

    trains: tuple[str, ...] = (PART,)

    def __init__(self, record: Record, model: Sparta, network: nn.Module) -> None:
        self.record, self.experiment = record, model.experiment
        self.embed, self.network = Embedder(model), network
        self.modules: Mapping[str, nn.Module] = {PART: network}


class TrainsNetwork:
    """What builds a network, says what it minimises, and loads it once it is trained."""

    def build(self, model: Sparta) -> nn.Module:
        """A fresh network on the embeddings of `model`, of whatever global randomness there is."""
        raise NotImplementedError

    def objective(self, record: Record, model: Sparta, network: nn.Module) -> Objective:
        """What a fresh network minimises on a record's days, by the embeddings of `model`."""
        raise NotImplementedError

    def schedule(self) -> Schedule:
        """How long and how fast it trains."""
        raise NotImplementedError

    def training(self, experiment: Experiment, run: Run, seed: int) -> Training:
        """The training of a fresh network, initialised from `seed`, that `run` keeps."""
        return Training(run, partial(self._job, experiment, run, seed))

    def trained(self, model: Sparta, run: Run, seed: int) -> Any:
        """The finished network on the embeddings of `model`, frozen, on its device; trains what is missing.

        Raises:
            RunError: For a network that was trained on other embeddings.
        """
        experiment = model.experiment
        finish(run, lambda: self._job(experiment, run, seed, model))
        tensors, about = run.load(MODEL)
        if about.get("representation") != _representation(experiment):
            raise RunError(f"{run.folder} was trained on the embeddings of another {experiment.representation}, or of "
                           "one that was trained again; move it away to train it on these")
        return self.restored(model, run.stage, seed, tensors)

    def restored(self, model: Sparta, stage: str, seed: int, tensors: Mapping[str, Tensor]) -> Any:
        """The network that a run's tensors hold, frozen, on the device of `model`."""
        network = self._fresh(model, stage, seed)
        load_weights({PART: network}, tensors)
        return network.to(model.device).eval().requires_grad_(False)

    def _job(self, experiment: Experiment, run: Run, seed: int, model: Sparta) -> Job:
        fabric, record = fabric_of(experiment, run), open_record(experiment)
        objective = self.objective(record, model, fabric.setup_module(self._fresh(model, run.stage, seed)))
        about = {"representation": _representation(experiment)}
        return Job(objective, self.schedule(), experiment, run, fabric, seed, about=about)

    def _fresh(self, model: Sparta, stage: str, seed: int) -> nn.Module:
        with seeded(seed, stage, "build"):
            return self.build(model)


def _representation(experiment: Experiment) -> str:
    """What tells the weights of the representation from others; empty where they are not trained."""
    run = run_of(experiment, experiment.representation)
    return run.checksum(MODEL) if run.finished else ""


class NetworkTask(TrainsNetwork, Task):
    """A task that trains one network of its own; its settings <name>_epochs and <name>_rate say how long and fast."""

    def trainings(self, experiment: Experiment) -> list[Training]:
        return [self.training(experiment, run_of(experiment, self.name), experiment.seed)]

    def schedule(self) -> Schedule:
        return Schedule(getattr(self, f"{self.name}_epochs"), getattr(self, f"{self.name}_rate"))
