"""One network trained on the embeddings of a frozen representation: what forecasters and classifiers share."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn

from sparta_core.models.sparta import Sparta
from sparta_core.tasks import Task, Training
from sparta_core.tasks.embeddings import Embedder
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, seeded
from sparta_core.training.runs import Run
from sparta_core.training.schedules import Schedule
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench

PART = "network"  # under which a run keeps its weights


class NetworkObjective(Objective):
    """An objective of one network on embeddings; `bench` has the days, `embed` makes embeddings of them."""

    trains: tuple[str, ...] = (PART,)

    def __init__(self, bench: Workbench, model: Sparta, network: nn.Module) -> None:
        self.bench, self.embed, self.network = bench, Embedder(model, bench.views), network
        self.modules: Mapping[str, nn.Module] = {PART: network}


class TrainsNetwork:
    """What builds a network, says what it minimises, and loads it once it is trained."""

    def build(self, bench: Workbench) -> nn.Module:
        """A fresh network, of whatever global randomness there is."""
        raise NotImplementedError

    def objective(self, bench: Workbench, model: Sparta, network: nn.Module) -> Objective:
        """What a fresh network minimises on the embeddings of `model`."""
        raise NotImplementedError

    def schedule(self) -> Schedule:
        """How long and how fast it trains."""
        raise NotImplementedError

    def training(self, bench: Workbench, run: Run, seed: int) -> Training:
        """The training of a fresh network, initialised from `seed`, that `run` keeps."""
        return Training(run, partial(self._job, bench, run, seed))

    def trained(self, bench: Workbench, run: Run, seed: int) -> Any:
        """The finished network, frozen, on the bench's device; trains what is missing."""
        bench.finish(run, lambda: self._job(bench, run, seed, representation(bench.experiment)))
        network = self._fresh(bench, run, seed)
        load_weights({PART: network}, run.load(MODEL)[0])
        return network.to(bench.device).eval().requires_grad_(False)

    def _job(self, bench: Workbench, run: Run, seed: int, model: Sparta) -> Job:
        fabric = bench.fabric(run)
        objective = self.objective(bench, model, fabric.setup_module(self._fresh(bench, run, seed)))
        return Job(objective, self.schedule(), bench.experiment, run, fabric, seed)

    def _fresh(self, bench: Workbench, run: Run, seed: int) -> nn.Module:
        with seeded(seed, run.stage, "build"):
            return self.build(bench)


class NetworkTask(TrainsNetwork, Task):
    """A task that trains one network of its own; its settings <name>_epochs and <name>_rate say how long and fast."""

    def trainings(self, bench: Workbench) -> list[Training]:
        return [self.training(bench, bench.run(self.name), bench.experiment.seed)]

    def schedule(self) -> Schedule:
        return Schedule(getattr(self, f"{self.name}_epochs"), getattr(self, f"{self.name}_rate"))
