"""Forecasting in latent space: a sequence-to-sequence LSTM on frozen embeddings (paper, section 4.1)."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.downstream import dynamics, trust
from sparta_core.downstream.embeddings import Embedder, decode, embed
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, Schedule, seeded
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.typed import Table


class Forecaster(nn.Module):
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


class NextEmbedding(Objective):
    """Mean squared error of the embedding one day after each window; equation 10.

    Every day is embedded once per epoch, under a fresh mask; the windows are cut from that.
    """

    trains: tuple[str, ...] = ("forecaster",)

    def __init__(self, bench: Workbench, model: Sparta, forecaster: nn.Module) -> None:
        self.modules: Mapping[str, nn.Module] = {"forecaster": forecaster}
        self.bench, self.embed = bench, Embedder(model, bench.views)
        self.embeddings = torch.empty(0)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Start days (B,) of the windows of one epoch, in random order, every `stride` days."""
        experiment = self.bench.experiment
        days = self.bench.fields.split(f"downstream_{part}")
        ratio = experiment.downstream_mask_ratio
        self.embeddings = self.embed(part, days, ratio, generator)
        starts = training_starts(experiment, part, len(days)).to(days.device)
        order = torch.randperm(len(starts), generator=generator, device=days.device)
        return list(starts[order].split(experiment.forecast_batch_size))

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        steps = torch.arange(self.bench.experiment.look_back + 1, device=batch.device)
        windows = self.embeddings[batch[:, None] + steps]
        return {"loss": F.mse_loss(self.modules["forecaster"](windows[:, :-1]), windows[:, -1:])}


def forecast(experiment: Experiment, seed: int) -> nn.Module:
    """The trained forecaster of `experiment` for one of its forecast_seeds; trains what is missing."""
    return FORECASTERS[experiment.forecaster].trained(experiment, seed)


def job(bench: Workbench, model: Sparta, seed: int) -> Job:
    """The training of a fresh forecaster on the embeddings of `model`."""
    return FORECASTERS[bench.experiment.forecaster].job(bench, model, seed)


def _lstm(experiment: Experiment, seed: int) -> Forecaster:
    bench = Workbench.of(experiment)
    run = bench.run("forecast", f"-seed{seed}")
    for part in ("train", "validation"):  # before anything is trained or written
        training_starts(experiment, part, len(bench.fields.splits[f"downstream_{part}"]))
    bench.finish(run, lambda: _lstm_job(bench, representation(experiment), seed))
    forecaster = _build(experiment, seed)
    load_weights({"forecaster": forecaster}, run.load(MODEL)[0])
    return forecaster.to(bench.device).eval().requires_grad_(False)


def _lstm_job(bench: Workbench, model: Sparta, seed: int) -> Job:
    experiment, run = bench.experiment, bench.run("forecast", f"-seed{seed}")
    schedule = Schedule(experiment.forecast_epochs, experiment.forecast_rate, experiment.forecast_weight_decay)
    fabric = bench.fabric(run)
    objective = NextEmbedding(bench, model, fabric.setup_module(_build(experiment, seed)))
    return Job(objective, schedule, experiment, run, fabric, seed)


def _build(experiment: Experiment, seed: int) -> Forecaster:
    with seeded(seed, "forecast", "build"):
        return Forecaster(experiment.embedding, experiment.forecast_hidden, experiment.forecast_dropout)


def training_starts(experiment: Experiment, part: str, days: int) -> Tensor:
    """First days of the windows of `days` days that hold a look-back and the day after, every `stride`; (N,).

    Raises DataError where there is none.
    """
    if days <= experiment.look_back:
        raise DataError(
            f"the downstream {part} days are {days}, too few for a look-back of {experiment.look_back} "
            f"and the day after; lower look_back or use more days")
    return torch.arange(0, days - experiment.look_back, experiment.stride)


def forecast_starts(experiment: Experiment, days: range) -> Tensor:
    """First days of the look-back windows of `days`, every start_every, that leave `leads` days to score; (N,).

    Raises DataError where there is none.
    """
    count = len(days) - experiment.look_back - experiment.leads + 1
    if count < 1:
        raise DataError(
            f"the downstream test days are {len(days)}, too few for a look-back of {experiment.look_back} and "
            f"{experiment.leads} leads; lower leads or look_back, or use more days")
    return torch.arange(days.start, days.start + count, experiment.start_every)


def last_observed(bench: Workbench) -> Tensor:
    """The last days (N,) of the look-backs of all test windows, in the record."""
    starts = forecast_starts(bench.experiment, bench.fields.splits["downstream_test"])
    return (starts + bench.experiment.look_back - 1).to(bench.device)


@torch.no_grad()
def forecast_embeddings(experiment: Experiment, seed: int, ratio: float | None = None) -> Tensor:
    """Forecasts of every test window in latent space: (N, leads, E), from days of which a share `ratio` is hidden.

    None stands for the experiment's downstream ratio.
    """
    ratio = experiment.downstream_mask_ratio if ratio is None else ratio
    windows, last_days = look_backs(experiment, ratio)
    forecasts = FORECASTERS[experiment.forecaster].forecasts
    return forecasts(experiment, seed, windows, last_days, experiment.leads, ratio)


def _lstm_forecasts(experiment: Experiment, seed: int, past: Tensor, last_days: Tensor, leads: int, ratio: float
                    ) -> Tensor:  # fmt: skip
    forecaster = _lstm(experiment, seed)
    return torch.cat([forecaster(chunk, leads) for chunk in past.split(64)])


class Kind(NamedTuple):
    """How a kind of forecaster is trained, and how it forecasts."""

    trained: Callable[[Experiment, int], nn.Module]
    job: Callable[[Workbench, Sparta, int], Job]
    # Embeddings (N, leads, E) after look-backs (N, L, E) that end on last days (N,) of the record.
    forecasts: Callable[[Experiment, int, Tensor, Tensor, int, float], Tensor]


FORECASTERS = Table("forecaster", {
    "lstm": Kind(_lstm, _lstm_job, _lstm_forecasts),
    "dynamics": Kind(dynamics.dynamics, dynamics.job, trust.forecasts),
})  # fmt: skip


@torch.no_grad()
def look_backs(experiment: Experiment, ratio: float) -> tuple[Tensor, Tensor]:
    """Every test window's embeddings (N, L, E), a share `ratio` of each day hidden, and its last day (N,)."""
    bench = Workbench.of(experiment)
    last_days, first = last_observed(bench), bench.fields.splits["downstream_test"].start
    model, generator = representation(experiment), torch.Generator(bench.device).manual_seed(experiment.seed)
    past = embed(model, bench.views, bench.fields.split("downstream_test"), ratio, generator)
    before = torch.arange(1 - experiment.look_back, 1, device=bench.device)
    return past[last_days[:, None] - first + before], last_days


def forecast_fields(experiment: Experiment, embeddings: Tensor) -> Tensor:
    """Decoded forecasts (..., E) -> (..., C, H, W), standardised."""
    return decode(representation(experiment), embeddings)
