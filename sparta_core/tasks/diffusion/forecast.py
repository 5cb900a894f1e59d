"""What forecasts have wrong, given the look-back, for an ensemble forecaster: not the paper's.

The dynamics forecast, diffusion draws around them: errors are nearly normal, and a small network learns them (Mardani
et al., 2025). They are in units of their std at each lead and component; the condition is the last day observed, the
forecast, and its lead.
"""

from functools import cache, partial

import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional as F

from sparta_core.data.record import Record
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks.diffusion import Drawn, train_denoiser
from sparta_core.tasks.diffusion.noise import Pairs
from sparta_core.tasks.diffusion.sampling import sample
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.forecast import Forecaster, trained_forecaster
from sparta_core.tasks.forecast.dynamics import Dynamics
from sparta_core.tasks.forecast.ensembles import (
    TASK,
    ensemble_by_lead,
    ensemble_rows,
    ensemble_setup,
    file_of,
    near_forecasts,
    scored_ensemble,
)
from sparta_core.tasks.forecast.latent_dynamics import LAGS
from sparta_core.training.cached import cached
from sparta_core.training.records import run_of

LEADS = 10  # steps ahead
EVERY = 2  # steps between two forecasts to learn from
SMALLEST = 1e-6  # std, of a component that no forecast moves


class ForecastError(Drawn, name="forecast"):
    """What the dynamics' forecasts have wrong."""

    learns_from = "train"
    needs = ("forecast",)

    def check(self, experiment: Experiment) -> None:
        if not isinstance(experiment.of(Forecaster), Dynamics):
            raise ExperimentError("diffusion_of is 'forecast', that of the dynamics; set forecaster='dynamics'")

    def condition_size(self, experiment: Experiment) -> int:
        return 2 * experiment.embedding + LEADS

    def pairs(self, record: Record, model: Sparta) -> Pairs:
        """The errors of a part's forecasts, the same every epoch: to forecast again would take longer than that."""
        errors = cache(lambda part: scaled_errors(record, model, part))
        return lambda part, generator: errors(part)

    def score(self, experiment: Experiment) -> xr.Dataset:
        return diffusion_ensemble_scores(experiment)


@torch.no_grad()
def scaled_errors(record: Record, model: Sparta, part: str) -> tuple[Tensor, Tensor]:
    """Errors (N, E) of forecasts from a part's sparse days, scaled, and their conditions; all leads of each forecast.

    DataError where there are too few days.
    """
    experiment, days, device = model.experiment, record.splits[part], record.device
    starts = torch.arange(0, len(days) - LAGS - LEADS + 1, EVERY, device=device)
    if len(starts) < 2:
        raise DataError(f"the {part} days are {len(days)}, too few for two look-backs of {LAGS} days and {LEADS} "
                        "leads; use more days")
    generator = torch.Generator(device).manual_seed(experiment.seed)
    masked, truth = experiment.downstream_mask_ratio, record.split(part)
    sparse, full = (embed(model, truth, ratio, generator) for ratio in (masked, 0.0))
    last = starts + LAGS - 1
    past = sparse[starts[:, None] + torch.arange(LAGS, device=device)]
    forecaster = trained_forecaster(experiment, experiment.forecast_seeds[0])
    forecasts = forecaster.forecasts(past, record.dates(last + days.start), LEADS, masked)
    errors = full[last[:, None] + torch.arange(1, LEADS + 1, device=device)] - forecasts
    scaled = errors / errors.square().mean(0).sqrt().clamp_min(SMALLEST)
    return scaled.flatten(0, 1), conditions_on(past[:, -1], forecasts)


def conditions_on(last: Tensor, forecasts: Tensor) -> Tensor:
    """What errors are drawn on, (N leads, 2 E + LEADS): last days (N, E), forecasts (N, leads, E), the lead."""
    leads = forecasts.shape[1]
    lead = F.one_hot(torch.arange(leads, device=last.device), LEADS).to(last).expand(len(last), -1, -1)
    return torch.cat([last[:, None].expand_as(forecasts), forecasts, lead], 2).flatten(0, 1)


@torch.no_grad()
def forecast_members(experiment: Experiment, last: Tensor, forecasts: Tensor, ratio: float, generator: torch.Generator
                     ) -> Tensor:  # fmt: skip
    """An ensemble (N, draws, leads, E) around forecasts (N, leads, E) after the last days observed (N, E).

    As far apart as forecasts from days with a share `ratio` masked were wrong on the validation days. ExperimentError
    unless diffusion is of forecasts.
    """
    ForecastError.chosen(experiment)
    errors = trained_forecaster(experiment, experiment.forecast_seeds[0]).calibration(ratio)["errors"]
    std = errors[:, : forecasts.shape[1]].square().mean(0).sqrt()
    draws = sample(train_denoiser(experiment), experiment, conditions_on(last, forecasts), generator)
    return forecasts[:, None] + std * draws.unflatten(0, forecasts.shape[:2]).transpose(1, 2)


def diffusion_ensemble_scores(experiment: Experiment, ratio: float | None = None) -> xr.Dataset:
    """Scores (lead, variable), as `forecast_ensemble_scores`, of the ensemble drawn around the first seed's forecasts.

    Of the look-backs a share `ratio` is masked, or the experiment's.
    """
    masked = experiment.downstream_mask_ratio if ratio is None else ratio

    def score() -> xr.Dataset:
        last, near = near_forecasts(trained_forecaster(experiment, experiment.forecast_seeds[0]), masked)
        generator = torch.Generator(near.device).manual_seed(experiment.seed)
        drawn = forecast_members(experiment, last, near, masked, generator)
        return ensemble_by_lead(experiment, drawn).assign_attrs(mask_ratio=masked)

    rows = partial(ensemble_rows, f"{ensemble_setup(experiment, masked)}_diffusion")
    return cached(run_of(experiment, "diffusion"), file_of(masked), TASK, score, rows, sampler=experiment.sampler,
                  **scored_ensemble(experiment))  # fmt: skip
