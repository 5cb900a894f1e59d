"""The paper's forecaster: a sequence-to-sequence LSTM on frozen embeddings (section 4.1)."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.data.clock import Clock
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.record import Record
from sparta_core.durations import Length
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.settings import Share, Uses, setting
from sparta_core.tasks.forecast import Forecaster
from sparta_core.tasks.network import NetworkObjective
from sparta_core.tensors import Tensors
from sparta_core.training.fit import Objective
from sparta_core.training.schedules import PlateauSettings, Schedule

# The paper's three forecast set-ups (section 6.1.3), by (look_back, stride).
SETUPS: dict[tuple[int, int], dict[str, Any]] = {
    (30, 1): {"forecast_weight_decay": 1e-6, "forecast_dropout": 0.0, "forecast_seeds": (0,)},
    (5, 5): {"forecast_weight_decay": 1e-5, "forecast_dropout": 0.3, "forecast_seeds": (0, 42, 123)},
    (5, 10): {"forecast_weight_decay": 1e-5, "forecast_dropout": 0.0, "forecast_seeds": (0, 42, 123)},
}


class LSTM(Forecaster, name="lstm"):
    """The paper's LSTM."""

    uses: ClassVar[Uses] = (PlateauSettings,)
    learns_from = "downstream_train"
    stride: Length = setting(1, "between training windows", "days")
    forecast_dropout: Share = setting(0.0, "of the LSTM's outputs")

    @classmethod
    def usual(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What the paper has with a look-back and a stride of its own."""
        pair = (settings["look_back"], settings["stride"])
        return next((setup for known, setup in SETUPS.items() if known == pair), {})

    def setup_of(self, experiment: Experiment) -> str:
        return f"LB{experiment.look_back}_S{self.stride}"

    def look_back_of(self, experiment: Experiment, clock: Clock) -> int:
        return clock.steps("look_back", experiment.look_back)

    def check_days(self, experiment: Experiment, record: Record) -> None:
        for part in ("train", "validation"):
            training_starts(experiment, part, len(record.splits[f"downstream_{part}"]), record.clock)

    def build(self, model: Sparta) -> nn.Module:
        return LSTMForecaster(model.experiment.embedding, self.forecast_hidden, self.forecast_dropout)

    def objective(self, record: Record, model: Sparta, network: nn.Module) -> Objective:
        return NextEmbedding(record, model, network)

    def schedule(self) -> Schedule:
        return Schedule(self.forecast_epochs, self.forecast_rate, self.forecast_weight_decay)

    @torch.no_grad()
    def forecasts(self, network: nn.Module, calibration: Tensors, normaliser: Normaliser, past: Tensor,
                  dates: np.ndarray, leads: int) -> Tensor:  # fmt: skip
        return torch.cat([network(chunk, leads) for chunk in past.split(64)])


class LSTMForecaster(nn.Module):
    """Embeddings of the look-back (B, L, E) to those of the days after it (B, leads, E).

    The decoder's first input is the last observed embedding, each later one its own last output.
    """

    def __init__(self, embedding: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.encoder = nn.LSTM(embedding, hidden, batch_first=True)
        self.decoder = nn.LSTM(embedding, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(hidden, embedding)

    def forward(self, past: Tensor, leads: int = 1) -> Tensor:
        _, state = self.encoder(past)
        day = past[:, -1:]
        days = []
        for _ in range(leads):
            output, state = self.decoder(day, state)
            day = self.linear(self.dropout(output))
            days.append(day)
        return torch.cat(days, dim=1)


class NextEmbedding(NetworkObjective):
    """Mean squared error of the embedding one day after each window; equation 10.

    Every day is embedded once per epoch, under a fresh mask; the windows are cut from that.
    """

    def __init__(self, record: Record, model: Sparta, forecaster: nn.Module) -> None:
        super().__init__(record, model, forecaster)
        self.embeddings = torch.empty(0)
        self.window = record.clock.steps("look_back", model.experiment.look_back) + 1

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Start days (B,) of the windows of one epoch, in random order, every `stride` days."""
        experiment, days = self.experiment, self.record.split(f"downstream_{part}")
        ratio = experiment.downstream_mask_ratio
        self.embeddings = self.embed(part, days, ratio, generator)
        starts = training_starts(experiment, part, len(days), self.record.clock).to(self.record.device)
        order = torch.randperm(len(starts), generator=generator, device=self.record.device)
        return list(starts[order].split(experiment.forecast_batch_size))

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        steps = torch.arange(self.window, device=batch.device)
        windows = self.embeddings[batch[:, None] + steps]
        return {"loss": F.mse_loss(self.network(windows[:, :-1]), windows[:, -1:])}


def training_starts(experiment: Experiment, part: str, days: int, clock: Clock) -> Tensor:
    """First days of the windows of `days` days that hold a look-back and the day after, every `stride`; (N,).

    Raises DataError where there is none.
    """
    look_back, stride = (clock.steps(name, getattr(experiment, name)) for name in ("look_back", "stride"))
    if days <= look_back:
        raise DataError(
            f"the downstream {part} days are {days}, too few for a look-back of {look_back} "
            f"and the day after; lower look_back or use more days")
    return torch.arange(0, days - look_back, stride)
