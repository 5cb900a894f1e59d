"""Forecasting in latent space: the days after a look-back, from sparse ones (paper, section 4.1)."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.settings import Choice
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, Schedule
from sparta_core.training.runs import Run
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench

PART = "forecaster"  # under which a run keeps its weights


class Forecaster(Choice, slot="forecaster", default="lstm"):
    """What steps from a day to the next."""

    learns_from: ClassVar[str]  # the split of the days

    def setup_of(self, experiment: Experiment) -> str:
        """What it is given, in the score card: days of look-back and between the windows that it learns from."""
        raise NotImplementedError

    def check_days(self, bench: Workbench) -> None:
        """DataError where there are too few days to learn from."""
        raise NotImplementedError

    def build(self, bench: Workbench, seed: int) -> nn.Module:
        """A fresh forecaster."""
        raise NotImplementedError

    def objective(self, bench: Workbench, model: Sparta, forecaster: nn.Module) -> Objective:
        """What a fresh forecaster minimises on the embeddings of `model`."""
        raise NotImplementedError

    def schedule(self) -> Schedule:
        """How long and how fast it trains."""
        raise NotImplementedError

    def forecasts(self, bench: Workbench, seed: int, past: Tensor, last_days: Tensor, leads: int, ratio: float
                  ) -> Tensor:  # fmt: skip
        """Embeddings (N, leads, E) after look-backs (N, L, E), a share `ratio` hidden, that end on last_days (N,)."""
        raise NotImplementedError

    def members(self, bench: Workbench, seed: int, forecasts: Tensor, ratio: float, generator: torch.Generator
                ) -> Tensor:  # fmt: skip
        """An ensemble (N, draws, leads, E) around forecasts (N, leads, E); ExperimentError where none is known."""
        raise ExperimentError(f"forecaster is {self.name!r}, of which no ensemble is known; set forecaster='dynamics'")

    def job(self, bench: Workbench, seed: int, model: Sparta) -> Job:
        """The training of a fresh forecaster on the embeddings of `model`."""
        run = run_of(bench, seed)
        fabric = bench.fabric(run)
        objective = self.objective(bench, model, fabric.setup_module(self.build(bench, seed)))
        return Job(objective, self.schedule(), bench.experiment, run, fabric, seed)

    def trained(self, bench: Workbench, seed: int) -> Any:
        """The finished forecaster, frozen; trains what is missing."""
        self.check_days(bench)  # before anything is trained or written
        run = run_of(bench, seed)
        bench.finish(run, lambda: self.job(bench, seed, representation(bench.experiment)))
        forecaster = self.build(bench, seed)
        load_weights({PART: forecaster}, run.load(MODEL)[0])
        return forecaster.to(bench.device).eval().requires_grad_(False)


def run_of(bench: Workbench, seed: int) -> Run:
    """Where the forecaster of a seed lives."""
    return bench.run("forecast", f"-seed{seed}")


def trained_forecaster(experiment: Experiment, seed: int) -> Any:
    """The trained forecaster of `experiment` for one of its forecast_seeds, frozen; trains what is missing."""
    return experiment.of(Forecaster).trained(Workbench.of(experiment), seed)
