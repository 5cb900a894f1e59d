"""Scores of ensemble forecasts by lead, beside the climatological ensemble's: kept beside each forecaster."""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.downstream.diffusion import forecast_members
from sparta_core.downstream.embeddings import decode
from sparta_core.downstream.forecast import last_observed, look_backs
from sparta_core.downstream.trust import forecasts, members, trust
from sparta_core.evaluation import ensembles
from sparta_core.evaluation.climatological import climatological_ensemble
from sparta_core.evaluation.kept import kept
from sparta_core.evaluation.scores import by_lead, scored
from sparta_core.experiment import Experiment
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench

LEADS = 10


def forecast_ensemble_scores(experiment: Experiment, ratio: float | None = None) -> xr.Dataset:
    """Scores of the dynamics' ensemble of `draws` members, the look-backs' share `ratio` hidden or the experiment's.

    (seed, lead, variable): crps and that of the climatological ensemble, crps_reference (the variable's unit),
    crps_skill over it, spread_skill.
    """
    return xr.concat([_seed_scores(experiment, seed, ratio) for seed in experiment.forecast_seeds], "seed")


def _seed_scores(experiment: Experiment, seed: int, ratio: float | None) -> xr.Dataset:
    bench = Workbench.of(experiment)
    hidden = experiment.downstream_mask_ratio if ratio is None else ratio

    def score() -> xr.Dataset:
        generator = torch.Generator(bench.device).manual_seed(seed)
        _, near = _forecasts(experiment, seed, hidden)
        drawn = members(near, trust(experiment, seed, hidden), experiment.draws, generator)
        return ensemble_by_lead(bench, drawn).assign_attrs(mask_ratio=hidden)

    run, name = bench.run("forecast", f"-seed{seed}"), f"ensemble-mask{hidden:g}.nc"
    return kept(run, name, score, **_scored(experiment)).assign_coords(seed=seed)


def diffusion_ensemble_scores(experiment: Experiment, ratio: float | None = None) -> xr.Dataset:
    """The same, (lead, variable), of the ensemble that diffusion draws around the first seed's forecasts."""
    bench = Workbench.of(experiment)
    hidden = experiment.downstream_mask_ratio if ratio is None else ratio

    def score() -> xr.Dataset:
        generator = torch.Generator(bench.device).manual_seed(experiment.seed)
        seen, near = _forecasts(experiment, experiment.forecast_seeds[0], hidden)
        drawn = forecast_members(experiment, seen, near, hidden, generator)
        return ensemble_by_lead(bench, drawn).assign_attrs(mask_ratio=hidden)

    name, settings = f"ensemble-mask{hidden:g}.nc", _scored(experiment)
    return kept(bench.run("diffusion"), name, score, sampler=experiment.sampler, **settings)


def _scored(experiment: Experiment) -> dict[str, int]:
    return {"draws": experiment.draws, "window": experiment.climatology_window, **scored(experiment)}


def _forecasts(experiment: Experiment, seed: int, ratio: float) -> tuple[Tensor, Tensor]:
    """The last day seen (N, E) of every test window, and the trusted forecasts after it (N, leads, E)."""
    windows, last_days = look_backs(experiment, ratio)
    return windows[:, -1], forecasts(experiment, seed, windows, last_days, min(LEADS, experiment.leads), ratio)


def ensemble_by_lead(bench: Workbench, drawn: Tensor) -> xr.Dataset:
    """The scores (lead, variable) of members' embeddings (N, M, leads, E), forecast after the test windows."""
    fields, last_days, model = bench.fields, last_observed(bench), representation(bench.experiment)
    reference = climatological_ensemble(bench.experiment)
    made: dict[str, list[np.ndarray]] = {"crps": [], "crps_reference": [], "crps_skill": [], "spread_skill": []}
    for lead, own in enumerate(drawn.unbind(2), 1):
        days = last_days + lead
        truth = fields.physical(fields.take(days), fields.dates(days))
        ensemble = fields.physical(decode(model, own), fields.dates(days)[:, None])
        climate = reference.members(days, drawn.shape[1], bench.experiment.seed)
        mine, theirs = (ensembles.crps(one, truth, fields.cell_area) for one in (ensemble, climate))
        values = (mine, theirs, 1 - mine / theirs, ensembles.spread_skill(ensemble, truth, fields.cell_area))
        for rows, value in zip(made.values(), values, strict=True):
            rows.append(value.cpu().numpy())
    return by_lead(fields, {name: np.stack(rows) for name, rows in made.items()})
