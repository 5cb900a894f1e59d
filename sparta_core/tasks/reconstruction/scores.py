"""Whole fields from sparse ones, against the mask ratio, beside what a practitioner would use.

Errors are standardised mean squared errors: 1 is the variance of the training days. Baselines see
the same values as the models, hidden on the native grid or after enlarging.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import xarray as xr
from torch import Tensor

from sparta_core.baselines.interpolation import ObservationGrid, Observed, fit_methods
from sparta_core.data.fields import Fields
from sparta_core.experiment import Experiment
from sparta_core.observe import placed
from sparta_core.tasks import by_model
from sparta_core.training.kept import Rows, kept
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.views.augment import Views

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
    bench = Workbench.of(experiment)

    def score() -> xr.Dataset:
        model, chosen = representation(experiment), evenly_spaced(bench.fields, days)
        truth = bench.fields.take(chosen)

        def error(mask_grid: str, ratio: float) -> float:
            masked = experiment.replace(mask_grid=mask_grid)
            views = Views(masked, bench.fields.latitude, bench.fields.longitude).to(bench.device)
            generator = torch.Generator(bench.device).manual_seed(experiment.seed)
            with torch.no_grad():
                return _mse(model(views.sparse(truth, generator, ratio)), truth)

        return _table(error, mask_grids(bench), ratios)

    return kept(bench.run(experiment.representation), FILE, TASK, score, _rows, ratios=list(ratios), days=days)


def baseline_reconstruction(experiment: Experiment, ratios: Sequence[float] = RATIOS, days: int = DAYS) -> xr.Dataset:
    """The same of the methods without a network, EOFs being as many as the embedding has dimensions.

    (model, mask_grid, ratio).
    """
    bench = Workbench.of(experiment)

    def score() -> xr.Dataset:
        chosen = evenly_spaced(bench.fields, days)
        truth = bench.fields.take(chosen)
        parts = []
        for name, method in fit_methods(bench.fields, experiment.embedding).items():

            def error(mask_grid: str, ratio: float) -> float:
                grid = ObservationGrid.of(mask_grid, bench.fields, bench.views)
                return _mse(method(Observed.draw(grid, bench.fields, chosen, ratio, experiment.seed)), truth)  # noqa: B023

            parts.append(_table(error, mask_grids(bench), ratios).expand_dims(model=[name]))
        return xr.concat(parts, "model")

    run = bench.run("baselines", f"-{TASK}")
    return kept(run, FILE, TASK, score, _rows, ratios=list(ratios), days=days)


def _rows(scores: xr.Dataset) -> Rows:
    for grid in scores.mask_grid.values:
        for ratio in scores.ratio.values:
            yield f"{grid}_mask{ratio:g}", "mse", float(scores.mse.sel(mask_grid=grid, ratio=ratio))


def evenly_spaced(fields: Fields, count: int | None) -> Tensor:
    """`count` downstream test days, evenly spaced, or all: indices (count,), fewer where there are fewer."""
    test = fields.splits["downstream_test"]
    return torch.linspace(test.start, test.stop - 1, min(count or len(test), len(test))).round().long()


def mask_grids(bench: Workbench) -> tuple[str, ...]:
    """Both grids on which values can be hidden; one where the encoder sees it itself, or observations have places."""
    native = bench.experiment.view_size == bench.fields.grid or placed(bench.experiment)
    return ("native",) if native else ("native", "enlarged")


def _table(error: Callable[[str, float], float], grids: Sequence[str], ratios: Sequence[float]) -> xr.Dataset:
    rows = [[error(grid, float(ratio)) for ratio in ratios] for grid in grids]
    data = xr.DataArray(rows, {"mask_grid": list(grids), "ratio": list(ratios)}, ("mask_grid", "ratio"))
    return xr.Dataset({"mse": data.assign_attrs(units="training variance")})


def _mse(made: Tensor, truth: Tensor) -> float:
    return float((made - truth).double().square().nanmean())  # where the data has gaps there is no truth
