"""Whole fields from sparse ones, against the mask ratio, beside what a practitioner would use.

Errors are standardised mean squared errors: 1 is the variance of the training days. Baselines see
the same values as the models, masked on the native grid or after enlarging.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import xarray as xr
from torch import Tensor

from sparta_core.baselines.interpolation import fit_methods
from sparta_core.data.record import Record, spread_over
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.observe import placed
from sparta_core.tasks import by_model
from sparta_core.training.cached import Rows, cached
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation
from sparta_core.views.augment import Views, view_size_of

TASK = "reconstruction"
FILE = "reconstruction.nc"
RATIOS = (0.3, 0.5, 0.7, 0.9, 0.95)
DAYS = 32  # test days


def reconstruction_scores(models: Mapping[str, Experiment], ratios: Sequence[float] = RATIOS, days: int = DAYS
                          ) -> xr.Dataset:  # fmt: skip
    """Standardised MSE `mse` (model, mask_grid, ratio) over `days` test days, evenly spaced, of the models by name.

    The baselines, which follow them, are those of the first one's days. Trains what is missing.
    """
    made = by_model(models, lambda one: model_reconstruction(one, ratios, days))
    return xr.concat([made, baseline_reconstruction(next(iter(models.values())), ratios, days)], "model")


def model_reconstruction(experiment: Experiment, ratios: Sequence[float] = RATIOS, days: int = DAYS) -> xr.Dataset:
    """The same of the experiment's own representation; (mask_grid, ratio)."""

    def score() -> xr.Dataset:
        record, model = open_record(experiment), representation(experiment)
        truth = record.take(evenly_spaced(record, days))

        def error(views: Views, ratio: float) -> float:
            generator = torch.Generator(record.device).manual_seed(experiment.seed)
            with torch.no_grad():
                return _mse(model.reconstructed(views.sparse(truth, generator, ratio)), truth)

        return _table(error, _views(experiment, record), ratios)

    run = run_of(experiment, experiment.representation)
    return cached(run, FILE, TASK, score, _rows, ratios=list(ratios), days=days)


def baseline_reconstruction(experiment: Experiment, ratios: Sequence[float] = RATIOS, days: int = DAYS) -> xr.Dataset:
    """The same of the methods without a network, EOFs being as many as the embedding has dimensions.

    (model, mask_grid, ratio).
    """

    def score() -> xr.Dataset:
        record, parts = open_record(experiment), []
        truth = record.take(evenly_spaced(record, days))
        for name, method in fit_methods(record, experiment.embedding).items():

            def error(views: Views, ratio: float) -> float:
                generator = torch.Generator(record.device).manual_seed(experiment.seed)
                return _mse(method(views.observe(truth, generator, ratio), views), truth)  # noqa: B023

            parts.append(_table(error, _views(experiment, record), ratios).expand_dims(model=[name]))
        return xr.concat(parts, "model")

    return cached(run_of(experiment, "baselines", f"-{TASK}"), FILE, TASK, score, _rows, ratios=list(ratios), days=days)


def _rows(scores: xr.Dataset) -> Rows:
    for grid in scores.mask_grid.values:
        for ratio in scores.ratio.values:
            yield f"{grid}_mask{ratio:g}", "mse", float(scores.mse.sel(mask_grid=grid, ratio=ratio))


def evenly_spaced(record: Record, count: int | None) -> Tensor:
    """`count` downstream test days, evenly spaced, or all: indices (count,), fewer where there are fewer."""
    test = record.splits["downstream_test"]
    return spread_over(test, count or len(test), record.device)


def mask_grids(experiment: Experiment, record: Record) -> tuple[str, ...]:
    """Both grids on which values can be masked; one where the encoder sees it itself, or observations have places."""
    native = view_size_of(experiment, record.grid) == record.grid or placed(experiment)
    return ("native",) if native else ("native", "enlarged")


def _views(experiment: Experiment, record: Record) -> dict[str, Views]:
    """Of each grid on which values can be masked."""
    return {grid: Views(experiment.replace(mask_grid=grid), record.domain).to(record.device)
            for grid in mask_grids(experiment, record)}  # fmt: skip


def _table(error: Callable[[Views, float], float], views: Mapping[str, Views], ratios: Sequence[float]) -> xr.Dataset:
    rows = [[error(own, float(ratio)) for ratio in ratios] for own in views.values()]
    data = xr.DataArray(rows, {"mask_grid": list(views), "ratio": list(ratios)}, ("mask_grid", "ratio"))
    return xr.Dataset({"mse": data.assign_attrs(units="training variance")})


def _mse(fields: Tensor, truth: Sample) -> float:
    return float((fields - truth.with_gaps).double().square().nanmean())  # where the data has gaps there is no truth
