"""Forecasting with a model of the weather's dynamics in latent space: not the paper's.

Learns from all training days, whole and sparse ones, over several days at a time, with every variable's error in units
of its variance and every place by its area.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.fields import Fields
from sparta_core.downstream.embeddings import Embedder
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.dynamics import LatentDynamics
from sparta_core.models.sparta import Sparta
from sparta_core.modes import inverse_step
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, Schedule, seeded
from sparta_core.training.modes import modes_of
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.views.sampling import batched

LAGS, BLOCKS = 3, 4  # days that the convolutions see, and their residual blocks
RIDGE = 0.3  # of the mean variance of an embedding's component, on the linear inverse model
FARTHEST = 3.0  # times the longest embedding of a training day


class Rollout(Objective):
    """Mean squared error of whole days forecast from sparse and whole ones, 1 for a forecast of the climatology.

    One day ahead at first, `forecast_steps` in the last epochs. Half of the days that are seen have a share
    `downstream_mask_ratio` of their values hidden, another one every epoch.
    """

    trains: tuple[str, ...] = ("dynamics",)
    printed = "next_day"  # the loss is of more days in validation than in the first epochs

    def __init__(self, bench: Workbench, model: Sparta, dynamics: nn.Module) -> None:
        self.modules: Mapping[str, nn.Module] = {"dynamics": dynamics}
        self.bench, self.embed = bench, Embedder(model, bench.views)
        self.seen = self.whole = torch.empty(0)
        self.part = ""
        self.weight = error_weight(bench.fields, dynamics.patterns)  # type: ignore[arg-type]

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """First days (B,) of windows of LAGS + forecast_steps days, in random order."""
        experiment, days = self.bench.experiment, self.bench.fields.split(part)
        self.whole, self.part = self.embed.whole(part, days), part
        hidden = torch.rand(len(days), generator=generator, device=days.device) < 0.5
        self.seen = self.embed(part, days, hidden * experiment.downstream_mask_ratio, generator)
        windows = _windows(experiment, len(days), part)
        order = torch.randperm(windows, generator=generator, device=days.device)
        return batched(order, experiment.forecast_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        experiment, fields = self.bench.experiment, self.bench.fields
        most = experiment.forecast_steps
        steps = min(most, 1 + epoch * most // experiment.forecast_epochs) if torch.is_grad_enabled() else most
        lags, ahead = torch.arange(LAGS + steps, device=batch.device).split([LAGS, steps])
        usual = usual_ahead(fields, batch + LAGS - 1 + fields.splits[self.part].start, steps)
        made = self.modules["dynamics"](self.seen[batch[:, None] + lags], usual)
        error = made - self.whole[batch[:, None] + ahead]
        daily = ((error @ self.weight) * error).sum(-1)
        return {"loss": daily.mean(), "next_day": daily[:, 0].mean()}


def _windows(experiment: Experiment, days: int, part: str) -> int:
    """How many windows `days` days hold; DataError for none."""
    windows = days - LAGS - experiment.forecast_steps + 1
    if windows < 1:
        raise DataError(f"the {part} days are {days}, too few for {LAGS} days and forecast_steps="
                        f"{experiment.forecast_steps} after them; use more days")
    return windows


def error_weight(fields: Fields, patterns: Tensor) -> Tensor:
    """The matrix (E, E) that makes of an embedding's error e, as e @ weight @ e, the mean squared error of its fields.

    Over the globe's area, each variable in units of its variance on the training days, mean of the variables.
    """
    days = fields.split("train")
    variance = (days.square() * fields.cell_area[:, None]).mean((0, 2, 3))
    weight = (fields.cell_area[:, None] / variance[:, None, None]).expand(days.shape[1:]) / days[0].numel()
    return (patterns * weight.flatten()) @ patterns.T


def usual_ahead(fields: Fields, last_days: Tensor, leads: int) -> Tensor:
    """What the days after last_days (N,) of the record depart from, (N, leads, C, H, W)."""
    return fields.usual(fields.dates_after(last_days, leads)).expand(
        len(last_days), leads, len(fields.variables), *fields.grid)


def dynamics(experiment: Experiment, seed: int) -> LatentDynamics:
    """The trained dynamics of `experiment` for one of its forecast_seeds; trains what is missing."""
    if experiment.forecaster != "dynamics":
        raise ExperimentError(f"forecaster is {experiment.forecaster!r}, of which no ensemble is known; set "
                              "forecaster='dynamics'")
    bench = Workbench.of(experiment)
    for part in ("train", "validation"):  # before anything is trained or written
        _windows(experiment, len(bench.fields.splits[part]), part)
    run = bench.run("forecast", f"-seed{seed}")
    bench.finish(run, lambda: job(bench, representation(experiment), seed))
    made = _build(bench, seed)
    load_weights({"dynamics": made}, run.load(MODEL)[0])
    return made.to(bench.device).eval().requires_grad_(False)


def job(bench: Workbench, model: Sparta, seed: int) -> Job:
    """The training of fresh dynamics, which start as the linear inverse model of the embeddings of `model`."""
    experiment, run = bench.experiment, bench.run("forecast", f"-seed{seed}")
    fresh, fabric = _build(bench, seed), bench.fabric(run)
    objective = Rollout(bench, model, fabric.setup_module(fresh))
    whole = objective.embed.whole("train", bench.fields.split("train"))
    fresh.step.copy_(inverse_step(whole, RIDGE))
    fresh.limit.fill_(FARTHEST * float(whole.norm(dim=1).max()))
    schedule = Schedule(experiment.forecast_epochs, experiment.forecast_rate, experiment.forecast_weight_decay,
                        annealed=True)  # fmt: skip
    return Job(objective, schedule, experiment, run, fabric, seed)


def _build(bench: Workbench, seed: int) -> LatentDynamics:
    experiment, fields = bench.experiment, bench.fields
    modes = modes_of(experiment, fields)
    with seeded(seed, "forecast", "build"):
        return LatentDynamics(modes.patterns, still_fields(fields), len(fields.variables), LAGS,
                              experiment.forecast_hidden, BLOCKS)  # fmt: skip


def still_fields(fields: Fields) -> Tensor:
    """Sine and cosine of latitude, and the land-sea mask if there is one: (2 or 3, H, W)."""
    latitude = np.deg2rad(fields.latitude)[:, None]
    there = [np.sin(latitude), np.cos(latitude), *([] if fields.land_sea_mask is None else [fields.land_sea_mask])]
    made = np.stack([np.broadcast_to(field, fields.grid) for field in there])
    return torch.from_numpy(made.astype(np.float32)).to(fields.device)
