"""Forecasting in latent space: the days after a look-back, from sparse ones (paper, section 4.1)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.clock import Clock
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.record import Record
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.settings import Amount, Choice, Count, Epochs, Positive, setting
from sparta_core.tasks.network import PART, TrainsNetwork
from sparta_core.tensors import Tensors, under
from sparta_core.training.records import open_record, run_of
from sparta_core.training.runs import Run
from sparta_core.training.stages import representation


class Forecaster(Choice, TrainsNetwork, slot="forecaster", default="lstm"):
    """What steps from a day to the next."""

    learns_from: ClassVar[str]  # the split of the days
    calibrates: ClassVar[bool] = False  # whether its forecasts depend on how wrong they were on validation days
    forecast_hidden: Count = setting(128, "size of an LSTM's state, or channels of the dynamics")
    forecast_epochs: Epochs = setting(100, "epochs of the forecaster")
    forecast_rate: Positive = setting(1e-2, "learning rate of the forecaster")
    forecast_batch_size: Count = setting(64, "of the forecaster", "windows")
    forecast_weight_decay: Amount = setting(1e-6, "of the forecaster")

    def setup_of(self, experiment: Experiment) -> str:
        """What it is given, in the score card: days of look-back and between the windows that it learns from."""
        raise NotImplementedError

    def look_back_of(self, experiment: Experiment, clock: Clock) -> int:
        """How many days in a row a forecast takes at least."""
        raise NotImplementedError

    def check_days(self, experiment: Experiment, record: Record) -> None:
        """DataError where there are too few days to learn from."""
        raise NotImplementedError

    def calibrated(self, record: Record, model: Sparta, network: nn.Module, ratio: float) -> Tensors:
        """Measure, on validation days of which a share `ratio` is masked, how wrong forecasts are, if it calibrates."""
        raise NotImplementedError

    def forecasts(self, network: nn.Module, calibration: Tensors, normaliser: Normaliser, past: Tensor,
                  dates: np.ndarray, leads: int) -> Tensor:  # fmt: skip
        """Forecast from look-backs.

        Args:
            network: Trained.
            calibration: What `calibrated` measured.
            normaliser: Of the fields.
            past: (N, L, E) embeddings of the look-backs, a day each.
            dates: (N,) of their last days.
            leads: How many days ahead.

        Returns:
            (N, leads, E) embeddings.
        """
        raise NotImplementedError

    def members(self, calibration: Tensors, forecasts: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """An ensemble (N, count, leads, E) around forecasts (N, leads, E); ExperimentError where none is known."""
        raise ExperimentError(f"forecaster is {self.name!r}, of which no ensemble is known; set forecaster='dynamics'")


@dataclass(frozen=True)
class TrainedForecaster:
    """A forecaster's network on the embeddings of `model`; `calibration` of days of which a share is masked."""

    kind: Forecaster
    network: nn.Module
    model: Sparta
    calibration: Callable[[float], Tensors]

    def forecasts(self, past: Tensor, dates: np.ndarray, leads: int, ratio: float) -> Tensor:
        """Embeddings (N, leads, E) after look-backs (N, L, E), a share `ratio` masked, that end on dates (N,)."""
        return self.kind.forecasts(self.network, self.calibration(ratio), self.model.normaliser, past, dates, leads)

    def members(self, forecasts: Tensor, ratio: float, count: int, generator: torch.Generator) -> Tensor:
        """An ensemble (N, count, leads, E) around such forecasts; ExperimentError where none is known."""
        return self.kind.members(self.calibration(ratio), forecasts, count, generator)


def forecaster_run(experiment: Experiment, seed: int) -> Run:
    """Where the forecaster of a seed lives."""
    return run_of(experiment, "forecast", f"-seed{seed}")


def trained_forecaster(experiment: Experiment, seed: int) -> TrainedForecaster:
    """The trained forecaster of `experiment` for one of its forecast_seeds, frozen; trains what is missing."""
    kind, record, run = experiment.of(Forecaster), open_record(experiment), forecaster_run(experiment, seed)
    kind.check_days(experiment, record)  # before anything is trained or written
    model = representation(experiment)
    network = kind.trained(model, run, seed)

    def calibration(ratio: float) -> Tensors:
        if not kind.calibrates:
            return {}
        name = f"calibration-{ratio:g}.safetensors"
        measured = run.once(name, lambda: kind.calibrated(record, model, network, ratio))
        return {name: x.to(record.device) for name, x in measured.items()}

    return TrainedForecaster(kind, network, model, calibration)


def restored(model: Sparta, seed: int, state: Tensors) -> TrainedForecaster:
    """The forecaster that a model's file holds; of any share that is masked it takes the nearest calibration."""
    kind = model.experiment.of(Forecaster)
    network = kind.restored(model, "forecast", seed, {key: x for key, x in state.items() if key.startswith(PART)})
    measured: dict[float, Tensors] = {}
    for key, x in under("calibration", state).items():
        ratio, _, name = key.rpartition(".")
        measured.setdefault(float(ratio), {})[name] = x.to(model.device)

    def calibration(ratio: float) -> Tensors:
        return measured[min(measured, key=lambda known: abs(known - ratio))] if measured else {}

    return TrainedForecaster(kind, network, model, calibration)
