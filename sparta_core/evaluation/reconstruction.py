"""Whole fields from sparse ones, against the mask ratio, beside what a practitioner would use.

Errors are standardised mean squared errors: 1 is the variance of the training days. Baselines see
the same share of the native grid's values, drawn from the same generator.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import xarray as xr
from scipy.interpolate import griddata
from torch import Tensor

from sparta_core.data.fields import Fields
from sparta_core.evaluation.baselines import Climatology, eofs
from sparta_core.evaluation.scores import MODELS
from sparta_core.experiment import Experiment
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.views.masks import random_points

# Standardised days (N, C, H, W), which values are observed, and day indices (N,), to whole fields.
Method = Callable[[Tensor, Tensor, Tensor], Tensor]


def reconstruction_scores(experiment: Experiment, ratios: Sequence[float], modes: int = 250,
                          days: int = 32) -> xr.Dataset:  # fmt: skip
    """Standardised MSE `mse` (model, ratio) over `days` test days, evenly spaced; trains what is missing."""
    bench = Workbench.of(experiment)
    test = bench.fields.splits["downstream_test"]
    chosen = torch.linspace(test.start, test.stop - 1, min(days, len(test))).round().long()
    truth = bench.fields.values[chosen]
    rows = {name: [] for name in (*MODELS.values(), *BASELINES)}  # type: ignore[var-annotated]
    methods = fit_methods(bench.fields, modes)
    models = {name: representation(experiment.replace(objective=kind)) for kind, name in MODELS.items()}
    for ratio in ratios:
        for name, model in models.items():
            generator = torch.Generator(bench.device).manual_seed(experiment.seed)
            with torch.no_grad():
                rows[name].append(_mse(model(bench.views.sparse(truth, generator, float(ratio))), truth))
        generator = torch.Generator(bench.device).manual_seed(experiment.seed)
        seen = random_points(truth.shape, float(ratio), generator)
        for name, method in methods.items():
            rows[name].append(_mse(method(truth, seen, chosen), truth))
    data = xr.DataArray(list(rows.values()), {"model": list(rows), "ratio": list(ratios)}, ("model", "ratio"))
    return xr.Dataset({"mse": data.assign_attrs(units="training variance")})


def _mse(made: Tensor, truth: Tensor) -> float:
    return float((made - truth).double().square().mean())


BASELINES = ("climatology", "linear interpolation", "EOF least squares")


def fit_methods(fields: Fields, modes: int) -> dict[str, Method]:
    """The baselines by name, fitted on the training days."""
    climatology = Climatology.fit(fields)
    patterns = EofLeastSquares(climatology, fields, modes)

    def usual(days: Tensor, seen: Tensor, index: Tensor) -> Tensor:
        return climatology.at(fields.day_of_year[index.numpy()]).to(days)

    def interpolated(days: Tensor, seen: Tensor, index: Tensor) -> Tensor:
        return interpolate(days, seen, fields.latitude, fields.longitude)

    return dict(zip(BASELINES, (usual, interpolated, patterns), strict=True))


class EofLeastSquares:
    """Ridge-regressed scores of the leading EOFs of departures, from the observed points of each day.

    Each EOF is penalised by its training variance, and an observation is trusted as far as the EOFs
    explain the training days: the optimal interpolation in their span.
    """

    def __init__(self, climatology: Climatology, fields: Fields, modes: int) -> None:
        x = climatology.departures(fields, fields.splits["train"]).flatten(1)
        self.fields, self.climatology = fields, climatology
        self.patterns = eofs(x, modes)
        scores = x @ self.patterns.T
        self.variance = scores.square().mean(0)
        self.unexplained = (x.square().sum() - scores.square().sum()) / x.numel()

    def __call__(self, days: Tensor, seen: Tensor, index: Tensor) -> Tensor:
        usual = self.climatology.at(self.fields.day_of_year[index.numpy()]).to(days)
        departures, observed = (days - usual).flatten(1), seen.flatten(1)
        made = []
        for departure, mask in zip(departures, observed, strict=True):
            pattern = self.patterns[:, mask]
            gram = pattern @ pattern.T + torch.diag(self.unexplained / self.variance)
            scores = torch.linalg.solve(gram.double(), (pattern @ departure[mask]).double())
            made.append(scores.to(days) @ self.patterns)
        return usual + torch.stack(made).unflatten(1, days.shape[1:])


def interpolate(days: Tensor, seen: Tensor, latitude: np.ndarray, longitude: np.ndarray) -> Tensor:
    """Linear interpolation between the observed points, round the date line; nearest beyond them."""
    wrap = len(longitude) // 6  # columns repeated on either side: 60 degrees bridge any gap
    columns = np.pad(np.arange(len(longitude)), wrap, mode="wrap")
    around = np.arange(-wrap, len(longitude) + wrap) * 360 / len(longitude) + longitude[0]
    points = np.stack(np.meshgrid(latitude, around, indexing="ij"), axis=-1)
    targets = points[:, wrap : wrap + len(longitude)]
    made = np.empty(days.shape, dtype=np.float32)
    for place in np.ndindex(*days.shape[:2]):
        mask = seen[place].cpu().numpy()[:, columns]
        known, values = points[mask], days[place].cpu().numpy()[:, columns][mask]
        field = griddata(known, values, targets)
        outside = np.isnan(field)
        field[outside] = griddata(known, values, targets[outside], method="nearest")
        made[place] = field
    return torch.from_numpy(made).to(days.device)
