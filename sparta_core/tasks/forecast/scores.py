"""Scores as labelled Datasets (model, seed, lead, variable), kept beside the run that they judge."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.baselines import ForecastBaseline, Forecasts, fit_baselines, target_days
from sparta_core.baselines.climatology import Climatology
from sparta_core.baselines.interpolation import EofInterpolation
from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.metrics import fields as metrics
from sparta_core.tasks import by_model
from sparta_core.tasks.embeddings import decode
from sparta_core.tasks.forecast import Forecaster, forecaster_run
from sparta_core.tasks.forecast.windows import forecast_embeddings, last_observed
from sparta_core.training.cached import Rows, cached
from sparta_core.training.records import open_record, run_of, views_of
from sparta_core.training.runs import Run
from sparta_core.training.stages import representation

TASK = "forecast"
SHOWN = (1, 5, 10, 25, 50, 75, 100)  # leads in the score card, in steps
WHOLE_FIELDS = "whole fields"  # the set-up of forecasts that see them
FILE = "scores.nc"
SUFFIXES = {"days": "", "hours": "h", "minutes": "min", "seconds": "s", "months": "mo"}  # of a lead in the score card
LEADS_AT_ONCE = 10  # bounds memory: a forecast of all leads need not fit
UNITS = {"rrmse": "%", "psnr": "dB", "acc": "1", "ssim": "1", "skill": "1", "crps_skill": "1",
         "spread_skill": "1"}  # fmt: skip


def forecast_scores(models: Mapping[str, Experiment]) -> xr.Dataset:
    """Every score of the models' forecasts, by name, after those of the baselines on the first one's days.

    Trains what is missing. Dims (model, seed, lead, variable); baselines repeat over seeds. `rrmse` has no variable.
    """
    first = next(iter(models.values()))
    baselines = baseline_scores(first).expand_dims(seed=list(first.forecast_seeds))
    return xr.concat([baselines, by_model(models, model_scores)], "model", coords="minimal", compat="override")


def baseline_scores(experiment: Experiment, ratio: float = 0.0) -> xr.Dataset:
    """Scores of the baselines on the same test windows; (model, lead, variable).

    They see the last day whole, or of which `ratio` is masked by optimal interpolation.
    """

    def score() -> xr.Dataset:
        record = open_record(experiment)
        last_days = last_observed(experiment, record)
        leads = record.clock.steps("leads", experiment.leads)
        start = analyses(experiment, last_days, ratio) if ratio else None
        scores = [_scores(record, last_days, _chunked(record, model, last_days, leads, start))
                  for model in fit_baselines(experiment, record, leads).values()]  # fmt: skip
        return xr.concat(scores, xr.Variable("model", names)).assign_attrs(mask_ratio=ratio)

    names = [baseline.title for baseline in experiment.all_of(ForecastBaseline)]
    setup = f"analyses_mask{ratio:g}" if ratio else WHOLE_FIELDS
    return cached(baselines_run(experiment), file_of(ratio, 0.0), TASK, score, partial(_rows, setup), baselines=names,
                  **scored(experiment))  # fmt: skip


def baselines_run(experiment: Experiment) -> Run:
    """Where the baselines' scores lie: they depend on the test windows, and so on the look-back."""
    return run_of(experiment, "baselines", f"-lookback{experiment.look_back}")


def setup_of(experiment: Experiment, ratio: float) -> str:
    """What a forecast is given, in the score card: LB30_S1, and the share that is masked if not the experiment's."""
    setup = experiment.of(Forecaster).setup_of(experiment)
    return setup if ratio == experiment.downstream_mask_ratio else f"{setup}_mask{ratio:g}"


def _rows(setup: str, scores: xr.Dataset) -> Rows:
    for lead, at in shown(scores):
        yield setup, f"rrmse_percent_{lead}", float(at.rrmse)
        yield setup, f"skill_{lead}", float(at.skill.mean())


def shown(scores: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Scores (lead, ...) at the leads of the score card, beside their names: T5 after 5 days, T60h after 60 hours."""
    unit = SUFFIXES[scores.lead.attrs["units"]]
    for step in (step for step in SHOWN if step <= scores.sizes["lead"]):
        at = scores.isel(lead=step - 1)
        yield f"T{int(at.lead)}{unit}", at


def scored(experiment: Experiment) -> dict[str, Any]:
    """Which forecasts were scored; one every day goes without saying, as in scores that are kept from before."""
    every = {} if experiment.start_every == 1 else {"start_every": experiment.start_every}
    return {"leads": experiment.leads, **every}


def file_of(ratio: float, default: float) -> str:
    """Where the scores of forecasts from days of which a share `ratio` is masked are kept."""
    return FILE if ratio == default else f"scores-mask{ratio:g}.nc"


def analyses(experiment: Experiment, days: Tensor, ratio: float) -> Tensor:
    """Days (N,) of the record, a share `ratio` of each masked, by optimal interpolation: (N, C, H, W)."""
    record = open_record(experiment)
    views, method = views_of(experiment), EofInterpolation(Climatology.fit(record), record, experiment.embedding)
    generator = torch.Generator(record.device).manual_seed(experiment.seed)
    return method(views.observe(record.take(days), generator, ratio), views)


def _chunked(record: Record, model: Forecasts, last_days: Tensor, leads: int, start: Tensor | None
             ) -> Iterator[Tensor]:  # fmt: skip
    return iter(model.forecast(record, last_days, leads, start).split(LEADS_AT_ONCE, dim=1))


def model_scores(experiment: Experiment, ratio: float | None = None) -> xr.Dataset:
    """Scores of the forecasts with the experiment's own representation; (seed, lead, variable).

    Of each day of the look-back a share `ratio` is masked, if that is None the experiment's.
    """
    return xr.concat([_seed_scores(experiment, seed, ratio) for seed in experiment.forecast_seeds], "seed")


def _seed_scores(experiment: Experiment, seed: int, ratio: float | None) -> xr.Dataset:
    own = experiment.downstream_mask_ratio
    masked = own if ratio is None else ratio

    def score() -> xr.Dataset:
        record, model = open_record(experiment), representation(experiment)
        embeddings = forecast_embeddings(experiment, seed, masked)
        chunks = (decode(model, part) for part in embeddings.split(LEADS_AT_ONCE, dim=1))
        return _scores(record, last_observed(experiment, record), chunks).assign_attrs(mask_ratio=masked)

    rows = partial(_rows, setup_of(experiment, masked))
    scores = cached(forecaster_run(experiment, seed), file_of(masked, own), TASK, score, rows, **scored(experiment))
    return scores.assign_coords(seed=seed)


def _scores(record: Record, last_days: Tensor, forecasts: Iterator[Tensor]) -> xr.Dataset:
    """All scores of standardised forecasts (N, L, C, H, W) that come a few leads at a time."""
    climatology = Climatology.fit(record)
    low, high = training_range(record)
    area = record.cell_area
    rows: dict[str, list[Tensor]] = {}
    first = 0
    for forecast in forecasts:
        leads = forecast.shape[1]
        days = target_days(last_days, first + leads)[:, first:].to(forecast.device)
        normal, dates = climatology.forecast(record, last_days + first, leads), record.dates(days)
        truth = record.take(days.flatten()).values.unflatten(0, days.shape)
        f, o, c = (record.physical(x, dates) for x in (forecast, truth, normal))
        error = metrics.rmse(f, o, area)
        made = {
            "rrmse": metrics.rrmse(f, o), "rmse": error, "bias": metrics.bias(f, o, area),
            "acc": metrics.acc(f, o, c, area), "skill": metrics.skill(error, metrics.rmse(c, o, area)),
            "ssim": metrics.ssim(f, o, low, high), "psnr": metrics.psnr(f, o, low, high),
        }  # fmt: skip
        for name, value in made.items():
            rows.setdefault(name, []).append(value.cpu())
        first += leads
    return by_lead(record, {name: torch.cat(values).numpy() for name, values in rows.items()})


def by_lead(record: Record, scores: dict[str, np.ndarray]) -> xr.Dataset:
    """Scores (lead) or (lead, variable), from lead 1 on, with their coordinates and units."""
    steps = np.arange(1, len(next(iter(scores.values()))) + 1)
    data = {name: (("lead", "variable")[: values.ndim], values) for name, values in scores.items()}
    dataset = xr.Dataset(data, {
        "lead": ("lead", record.clock.amounts(steps), {"units": record.clock.unit}),
        "variable": list(record.variables), "units": ("variable", list(record.units)),
    }, {"source": record.source})  # fmt: skip
    for name in dataset:
        dataset[name].attrs["units"] = UNITS.get(str(name), "the variable's")
    return dataset


def training_range(record: Record) -> tuple[Tensor, Tensor]:
    """Physical minimum and maximum (C,) of the downstream training days, which scale SSIM and PSNR."""
    days = record.split("downstream_train")
    values = record.physical(days.values, days.dates)
    return values.amin((0, 2, 3)), values.amax((0, 2, 3))


def table(scores: xr.Dataset, leads: tuple[int, ...]) -> str:
    """RRMSE in percent per model and lead, mean over seeds, as text."""
    shown = [lead for lead in leads if lead in scores.lead]
    rrmse = scores.rrmse.mean("seed").sel(lead=shown)
    width = max(len(str(name)) for name in scores.model.values)
    unit = SUFFIXES[scores.lead.attrs["units"]] or "d"
    head = f"{'RRMSE (%) at lead':<{width}}" + "".join(f"{f'{lead} {unit}':>10}" for lead in shown)
    rows = [f"{name:<{width}}" + "".join(f"{value:10.2f}" for value in rrmse.sel(model=name).values)
            for name in scores.model.values]  # fmt: skip
    return "\n".join([head, *rows])
