"""A model of the weather's dynamics in latent space, not the paper's: a linear inverse model and what convolutions add.

Learns from all training days, whole and sparse ones, over several days at a time, with every variable's error in units
of its variance and every place by its area.
"""

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.clock import Clock
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.record import Record
from sparta_core.durations import Length
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.layers.globe import around, check_groups
from sparta_core.models.sparta import Sparta
from sparta_core.modes import inverse_step
from sparta_core.settings import Count, setting
from sparta_core.tasks.forecast import Forecaster
from sparta_core.tasks.forecast.calibration import Calibration, damped_forecasts, measured, members
from sparta_core.tasks.forecast.latent_dynamics import LAGS, LatentDynamics
from sparta_core.tasks.network import NetworkObjective
from sparta_core.tensors import Tensors
from sparta_core.training.fit import Objective
from sparta_core.training.schedules import Schedule, WarmupCosine
from sparta_core.views.sampling import batched

BLOCKS = 4  # residual blocks of the convolutions
RIDGE = 0.3  # of the mean variance of an embedding's component, on the linear inverse model
FARTHEST = 3.0  # times the longest embedding of a training day


class Dynamics(Forecaster, name="dynamics"):
    """A linear inverse model, and what convolutions add."""

    learns_from = "train"
    calibrates = True
    forecast_steps: Count = setting(1, "steps of the clock that the dynamics are trained on, in the end")
    calibration_horizon: Length = setting(30, "beyond which a forecast is the climatology", "days")

    def check(self, experiment: Experiment) -> None:
        if not experiment.linear_path:
            raise ExperimentError("forecaster is 'dynamics', whose maps are those of the linear path; set "
                                  "linear_path=True")
        check_groups("forecast_hidden", self.forecast_hidden, "the dynamics'")

    def setup_of(self, experiment: Experiment) -> str:
        return f"LB{LAGS}_S1"  # whatever the experiment's look-back and stride

    def look_back_of(self, experiment: Experiment, clock: Clock) -> int:
        return LAGS

    def check_days(self, experiment: Experiment, record: Record) -> None:
        for part in ("train", "validation"):
            _windows(self, len(record.splits[part]), part)

    def build(self, model: Sparta) -> nn.Module:
        assert model.modes is not None
        normaliser = model.normaliser
        dynamics = LatentDynamics(model.modes.patterns, normaliser.static_fields(), len(normaliser.variables), LAGS,
                                  self.forecast_hidden, BLOCKS)  # fmt: skip
        return around(dynamics, normaliser.domain.periodic_x)

    def objective(self, record: Record, model: Sparta, network: nn.Module) -> Objective:
        """It starts as the linear inverse model of the embeddings of `model`."""
        objective = Rollout(record, model, network)
        whole = objective.embed.whole("train", record.split("train"))
        network.step.copy_(inverse_step(whole, RIDGE))  # type: ignore[operator]
        network.limit.fill_(FARTHEST * float(whole.norm(dim=1).max()))  # type: ignore[operator]
        return objective

    def schedule(self) -> Schedule:
        return Schedule(self.forecast_epochs, self.forecast_rate, self.forecast_weight_decay, follows=WarmupCosine)

    def calibrated(self, record: Record, model: Sparta, network: nn.Module, ratio: float) -> Tensors:
        horizon = record.clock.steps("calibration_horizon", self.calibration_horizon)
        return measured(record, model, network, ratio, horizon)._asdict()  # type: ignore[arg-type]

    def forecasts(self, network: nn.Module, calibration: Tensors, normaliser: Normaliser, past: Tensor,
                  dates: np.ndarray, leads: int) -> Tensor:  # fmt: skip
        """Damped as forecasts of validation days should have been."""
        return damped_forecasts(network, Calibration(**calibration), normaliser, past, dates, leads)  # type: ignore[arg-type]

    def members(self, calibration: Tensors, forecasts: Tensor, count: int, generator: torch.Generator) -> Tensor:
        return members(forecasts, Calibration(**calibration), count, generator)


class Rollout(NetworkObjective):
    """Mean squared error of whole days forecast from sparse and whole ones, 1 for a forecast of the climatology.

    One day ahead at first, `forecast_steps` in the last epochs. Half of the days that it starts from have a share
    `downstream_mask_ratio` of their values masked, another one every epoch.
    """

    printed = "next_day"  # the loss is of more days in validation than in the first epochs

    def __init__(self, record: Record, model: Sparta, dynamics: nn.Module) -> None:
        super().__init__(record, model, dynamics)
        self.observed = self.whole = torch.empty(0)
        self.part = ""
        self.weight = error_weight(record, dynamics.patterns)  # type: ignore[arg-type]

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """First days (B,) of windows of LAGS + forecast_steps days, in random order."""
        experiment, days = self.experiment, self.record.split(part)
        self.whole, self.part = self.embed.whole(part, days), part
        masked = torch.rand(len(days), generator=generator, device=self.record.device) < 0.5
        self.observed = self.embed(part, days, masked * experiment.downstream_mask_ratio, generator)
        windows = _windows(experiment.of(Dynamics), len(days), part)
        order = torch.randperm(windows, generator=generator, device=self.record.device)
        return batched(order, experiment.forecast_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        experiment, record = self.experiment, self.record
        most = experiment.forecast_steps
        steps = min(most, 1 + epoch * most // experiment.forecast_epochs) if torch.is_grad_enabled() else most
        lags, ahead = torch.arange(LAGS + steps, device=batch.device).split([LAGS, steps])
        last = record.dates(batch + LAGS - 1 + record.splits[self.part].start)
        forecast = self.network(self.observed[batch[:, None] + lags], record.climatology_ahead(last, steps))
        error = forecast - self.whole[batch[:, None] + ahead]
        daily = ((error @ self.weight) * error).sum(-1)
        return {"loss": daily.mean(), "next_day": daily[:, 0].mean()}


def _windows(settings: Dynamics, days: int, part: str) -> int:
    """How many windows `days` days hold; DataError for none."""
    windows = days - LAGS - settings.forecast_steps + 1
    if windows < 1:
        raise DataError(f"the {part} days are {days}, too few for {LAGS} days and forecast_steps="
                        f"{settings.forecast_steps} after them; use more days")
    return windows


def error_weight(record: Record, patterns: Tensor) -> Tensor:
    """The matrix (E, E) that makes of an embedding's error e, as e @ weight @ e, the mean squared error of its fields.

    Over the globe's area, each variable in units of its variance on the training days, mean of the variables.
    """
    days, area = record.split("train").values, record.cell_area
    variance = (days.square() * area).mean((0, 2, 3))
    weight = (area / variance[:, None, None]).expand(days.shape[1:]) / days[0].numel()
    return (patterns * weight.flatten()) @ patterns.T
