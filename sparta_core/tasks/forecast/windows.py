"""Test windows: the look-backs after which forecasts are scored."""

import torch
from torch import Tensor

from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.forecast import Forecaster
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench


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
def look_backs(experiment: Experiment, ratio: float) -> tuple[Tensor, Tensor]:
    """Every test window's embeddings (N, L, E), a share `ratio` of each day hidden, and its last day (N,)."""
    bench = Workbench.of(experiment)
    last_days, first = last_observed(bench), bench.fields.splits["downstream_test"].start
    model, generator = representation(experiment), torch.Generator(bench.device).manual_seed(experiment.seed)
    past = embed(model, bench.views, bench.fields.split("downstream_test"), ratio, generator)
    before = torch.arange(1 - experiment.look_back, 1, device=bench.device)
    return past[last_days[:, None] - first + before], last_days


@torch.no_grad()
def forecast_embeddings(experiment: Experiment, seed: int, ratio: float | None = None) -> Tensor:
    """Forecasts of every test window in latent space: (N, leads, E), from days of which a share `ratio` is hidden.

    None stands for the experiment's downstream ratio.
    """
    ratio = experiment.downstream_mask_ratio if ratio is None else ratio
    windows, last_days = look_backs(experiment, ratio)
    forecaster = experiment.of(Forecaster)
    return forecaster.forecasts(Workbench.of(experiment), seed, windows, last_days, experiment.leads, ratio)


def forecast_fields(experiment: Experiment, embeddings: Tensor) -> Tensor:
    """Decoded forecasts (..., E) -> (..., C, H, W), standardised."""
    return decode(representation(experiment), embeddings)
