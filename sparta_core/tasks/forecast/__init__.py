"""Forecasting in latent space: the days after a look-back, from sparse ones (paper, section 4.1)."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.settings import Amount, Choice, Count, Epochs, Positive, setting
from sparta_core.tasks.network import TrainsNetwork
from sparta_core.training.runs import Run
from sparta_core.training.workbench import Workbench


class Forecaster(Choice, TrainsNetwork, slot="forecaster", default="lstm"):
    """What steps from a day to the next."""

    learns_from: ClassVar[str]  # the split of the days
    forecast_hidden: Count = setting(128, "size of an LSTM's state, or channels of the dynamics")
    forecast_epochs: Epochs = setting(100, "epochs of the forecaster")
    forecast_rate: Positive = setting(1e-2, "learning rate of the forecaster")
    forecast_batch_size: Count = setting(64, "of the forecaster", "windows")
    forecast_weight_decay: Amount = setting(1e-6, "of the forecaster")

    def setup_of(self, experiment: Experiment) -> str:
        """What it is given, in the score card: days of look-back and between the windows that it learns from."""
        raise NotImplementedError

    def check_days(self, bench: Workbench) -> None:
        """DataError where there are too few days to learn from."""
        raise NotImplementedError

    def forecasts(self, bench: Workbench, seed: int, past: Tensor, last_days: Tensor, leads: int, ratio: float
                  ) -> Tensor:  # fmt: skip
        """Embeddings (N, leads, E) after look-backs (N, L, E), a share `ratio` hidden, that end on last_days (N,)."""
        raise NotImplementedError

    def members(self, bench: Workbench, seed: int, forecasts: Tensor, ratio: float, generator: torch.Generator
                ) -> Tensor:  # fmt: skip
        """An ensemble (N, draws, leads, E) around forecasts (N, leads, E); ExperimentError where none is known."""
        raise ExperimentError(f"forecaster is {self.name!r}, of which no ensemble is known; set forecaster='dynamics'")

    def of_seed(self, bench: Workbench, seed: int) -> Any:
        """The trained forecaster of a seed, frozen; trains what is missing."""
        self.check_days(bench)  # before anything is trained or written
        return self.trained(bench, run_of(bench, seed), seed)


def run_of(bench: Workbench, seed: int) -> Run:
    """Where the forecaster of a seed lives."""
    return bench.run("forecast", f"-seed{seed}")


def trained_forecaster(experiment: Experiment, seed: int) -> Any:
    """The trained forecaster of `experiment` for one of its forecast_seeds, frozen; trains what is missing."""
    return experiment.of(Forecaster).of_seed(Workbench.of(experiment), seed)
