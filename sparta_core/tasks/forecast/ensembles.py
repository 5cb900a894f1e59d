"""Scores of ensemble forecasts by lead, beside the climatological ensemble's: kept beside each forecaster."""

from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.baselines.climatological import climatological_ensemble
from sparta_core.experiment import Experiment
from sparta_core.metrics import ensembles
from sparta_core.tasks.embeddings import decode
from sparta_core.tasks.forecast import Forecaster, TrainedForecaster, forecaster_run, trained_forecaster
from sparta_core.tasks.forecast.scores import by_lead, scored, shown
from sparta_core.tasks.forecast.windows import last_observed, look_backs
from sparta_core.training.cached import Rows, cached
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation

TASK = "ensemble forecast"
LEADS = 10  # steps ahead


def forecast_ensemble_scores(experiment: Experiment, ratio: float | None = None) -> xr.Dataset:
    """Scores of the dynamics' ensemble of `draws` members, the look-backs' share `ratio` masked or the experiment's.

    (seed, lead, variable): crps and that of the climatological ensemble, crps_reference (the variable's unit),
    crps_skill over it, spread_skill.
    """
    return xr.concat([_seed_scores(experiment, seed, ratio) for seed in experiment.forecast_seeds], "seed")


def _seed_scores(experiment: Experiment, seed: int, ratio: float | None) -> xr.Dataset:
    masked = experiment.downstream_mask_ratio if ratio is None else ratio

    def score() -> xr.Dataset:
        forecaster = trained_forecaster(experiment, seed)
        _, near = near_forecasts(forecaster, masked)
        generator = torch.Generator(near.device).manual_seed(seed)
        drawn = forecaster.members(near, masked, experiment.draws, generator)
        return ensemble_by_lead(experiment, drawn).assign_attrs(mask_ratio=masked)

    run, rows = forecaster_run(experiment, seed), partial(ensemble_rows, ensemble_setup(experiment, masked))
    return cached(run, file_of(masked), TASK, score, rows, **scored_ensemble(experiment)).assign_coords(seed=seed)


def ensemble_setup(experiment: Experiment, ratio: float) -> str:
    """What an ensemble is given, in the score card: LB3_S1_mask0.7."""
    return f"{experiment.of(Forecaster).setup_of(experiment)}_mask{ratio:g}"


def ensemble_rows(setup: str, scores: xr.Dataset) -> Rows:
    """Of every lead that is shown the means over variables."""
    for lead, at in shown(scores):
        for name in ("crps_skill", "spread_skill"):
            yield setup, f"{name}_{lead}", float(at[name].mean())


def file_of(ratio: float) -> str:
    """Where the scores of an ensemble from days of which a share `ratio` is masked are kept."""
    return f"ensemble-mask{ratio:g}.nc"


def scored_ensemble(experiment: Experiment) -> dict[str, Any]:
    """What an ensemble's scores depend on besides the run's settings."""
    return {"draws": experiment.draws, "window": experiment.climatology_window, **scored(experiment)}


def near_forecasts(forecaster: TrainedForecaster, ratio: float) -> tuple[Tensor, Tensor]:
    """The last day (N, E) of every test window as it is observed, and the forecasts after it (N, leads, E)."""
    experiment = forecaster.model.experiment
    record = open_record(experiment)
    past, last_days = look_backs(record, forecaster.model, ratio)
    leads = min(LEADS, record.clock.steps("leads", experiment.leads))
    return past[:, -1], forecaster.forecasts(past, record.dates(last_days), leads, ratio)


def ensemble_by_lead(experiment: Experiment, drawn: Tensor) -> xr.Dataset:
    """The scores (lead, variable) of members' embeddings (N, M, leads, E), forecast after the test windows."""
    record, model = open_record(experiment), representation(experiment)
    last_days, reference = last_observed(experiment, record), climatological_ensemble(experiment)
    made: dict[str, list[np.ndarray]] = {"crps": [], "crps_reference": [], "crps_skill": [], "spread_skill": []}
    for lead, own in enumerate(drawn.unbind(2), 1):
        days = last_days + lead
        truth = record.physical(record.take(days).values, record.dates(days))
        ensemble = record.physical(decode(model, own), record.dates(days)[:, None])
        climate = reference.members(days, drawn.shape[1], experiment.seed)
        mine, theirs = (ensembles.crps(one, truth, record.cell_area) for one in (ensemble, climate))
        values = (mine, theirs, 1 - mine / theirs, ensembles.spread_skill(ensemble, truth, record.cell_area))
        for rows, value in zip(made.values(), values, strict=True):
            rows.append(value.cpu().numpy())
    return by_lead(record, {name: np.stack(rows) for name, rows in made.items()})
