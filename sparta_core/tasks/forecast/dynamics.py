"""A model of the weather's dynamics in latent space, not the paper's: a linear inverse model and what convolutions add.

Learns from all training days, whole and sparse ones, over several days at a time, with every variable's error in units
of its variance and every place by its area.
"""


import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.fields import Fields
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.layers.globe import check_groups
from sparta_core.models.sparta import Sparta
from sparta_core.modes import inverse_step
from sparta_core.settings import Count, setting
from sparta_core.tasks.forecast import Forecaster, calibration
from sparta_core.tasks.forecast.latent_dynamics import LAGS, LatentDynamics, usual_ahead
from sparta_core.tasks.network import NetworkObjective
from sparta_core.training.fit import Objective
from sparta_core.training.modes import modes_of
from sparta_core.training.schedules import Schedule, WarmupCosine
from sparta_core.training.workbench import Workbench
from sparta_core.views.sampling import batched

BLOCKS = 4  # residual blocks of the convolutions
RIDGE = 0.3  # of the mean variance of an embedding's component, on the linear inverse model
FARTHEST = 3.0  # times the longest embedding of a training day


class Dynamics(Forecaster, name="dynamics"):
    """A linear inverse model, and what convolutions add."""

    learns_from = "train"
    forecast_steps: Count = setting(1, "ahead that the dynamics are trained on, in the end", "days")

    def check(self, experiment: Experiment) -> None:
        if not experiment.linear_path:
            raise ExperimentError("forecaster is 'dynamics', whose maps are those of the linear path; set "
                                  "linear_path=True")
        check_groups("forecast_hidden", self.forecast_hidden, "the dynamics'")

    def setup_of(self, experiment: Experiment) -> str:
        return f"LB{LAGS}_S1"  # whatever the experiment's look-back and stride

    def check_days(self, bench: Workbench) -> None:
        for part in ("train", "validation"):
            _windows(self, len(bench.fields.splits[part]), part)

    def build(self, bench: Workbench) -> nn.Module:
        fields, modes = bench.fields, modes_of(bench.experiment, bench.fields)
        return LatentDynamics(modes.patterns, still_fields(fields), len(fields.variables), LAGS, self.forecast_hidden,
                              BLOCKS)  # fmt: skip

    def objective(self, bench: Workbench, model: Sparta, network: nn.Module) -> Objective:
        """It starts as the linear inverse model of the embeddings of `model`."""
        objective = Rollout(bench, model, network)
        whole = objective.embed.whole("train", bench.fields.split("train"))
        network.step.copy_(inverse_step(whole, RIDGE))  # type: ignore[operator]
        network.limit.fill_(FARTHEST * float(whole.norm(dim=1).max()))  # type: ignore[operator]
        return objective

    def schedule(self) -> Schedule:
        return Schedule(self.forecast_epochs, self.forecast_rate, self.forecast_weight_decay, follows=WarmupCosine)

    def forecasts(self, bench: Workbench, seed: int, past: Tensor, last_days: Tensor, leads: int, ratio: float
                  ) -> Tensor:  # fmt: skip
        """Damped as forecasts of validation days should have been."""
        return calibration.damped_forecasts(bench, self.of_seed(bench, seed), seed, past, last_days, leads, ratio)

    def members(self, bench: Workbench, seed: int, forecasts: Tensor, ratio: float, generator: torch.Generator
                ) -> Tensor:  # fmt: skip
        measured = calibration.calibrated(bench, self.of_seed(bench, seed), seed, ratio)
        return calibration.members(forecasts, measured, bench.experiment.draws, generator)


class Rollout(NetworkObjective):
    """Mean squared error of whole days forecast from sparse and whole ones, 1 for a forecast of the climatology.

    One day ahead at first, `forecast_steps` in the last epochs. Half of the days that are seen have a share
    `downstream_mask_ratio` of their values hidden, another one every epoch.
    """

    printed = "next_day"  # the loss is of more days in validation than in the first epochs

    def __init__(self, bench: Workbench, model: Sparta, dynamics: nn.Module) -> None:
        super().__init__(bench, model, dynamics)
        self.seen = self.whole = torch.empty(0)
        self.part = ""
        self.weight = error_weight(bench.fields, dynamics.patterns)  # type: ignore[arg-type]

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """First days (B,) of windows of LAGS + forecast_steps days, in random order."""
        experiment, days = self.bench.experiment, self.bench.fields.split(part)
        self.whole, self.part = self.embed.whole(part, days), part
        hidden = torch.rand(len(days), generator=generator, device=days.device) < 0.5
        self.seen = self.embed(part, days, hidden * experiment.downstream_mask_ratio, generator)
        windows = _windows(experiment.of(Dynamics), len(days), part)
        order = torch.randperm(windows, generator=generator, device=days.device)
        return batched(order, experiment.forecast_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        experiment, fields = self.bench.experiment, self.bench.fields
        most = experiment.forecast_steps
        steps = min(most, 1 + epoch * most // experiment.forecast_epochs) if torch.is_grad_enabled() else most
        lags, ahead = torch.arange(LAGS + steps, device=batch.device).split([LAGS, steps])
        usual = usual_ahead(fields, batch + LAGS - 1 + fields.splits[self.part].start, steps)
        made = self.network(self.seen[batch[:, None] + lags], usual)
        error = made - self.whole[batch[:, None] + ahead]
        daily = ((error @ self.weight) * error).sum(-1)
        return {"loss": daily.mean(), "next_day": daily[:, 0].mean()}


def _windows(settings: Dynamics, days: int, part: str) -> int:
    """How many windows `days` days hold; DataError for none."""
    windows = days - LAGS - settings.forecast_steps + 1
    if windows < 1:
        raise DataError(f"the {part} days are {days}, too few for {LAGS} days and forecast_steps="
                        f"{settings.forecast_steps} after them; use more days")
    return windows


def error_weight(fields: Fields, patterns: Tensor) -> Tensor:
    """The matrix (E, E) that makes of an embedding's error e, as e @ weight @ e, the mean squared error of its fields.

    Over the globe's area, each variable in units of its variance on the training days, mean of the variables.
    """
    days = fields.split("train")
    variance = (days.square() * fields.cell_area[:, None]).mean((0, 2, 3))
    weight = (fields.cell_area[:, None] / variance[:, None, None]).expand(days.shape[1:]) / days[0].numel()
    return (patterns * weight.flatten()) @ patterns.T


def still_fields(fields: Fields) -> Tensor:
    """Sine and cosine of latitude, and the land-sea mask if there is one: (2 or 3, H, W)."""
    latitude = np.deg2rad(fields.latitude)[:, None]
    there = [np.sin(latitude), np.cos(latitude), *([] if fields.land_sea_mask is None else [fields.land_sea_mask])]
    made = np.stack([np.broadcast_to(field, fields.grid) for field in there])
    return torch.from_numpy(made.astype(np.float32)).to(fields.device)
