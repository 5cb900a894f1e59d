"""The day of the year that a sparse day belongs to, and so the season: not the paper's.

The anomaly from the climatology of the right date is weather, from that of a wrong date it is not. Every date's
likelihood is that of the anomaly from it, normal with the covariance of the linear path, on the values that are seen.
"""

import math

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from sparta_core.data.climatology import days_of_year, harmonics, seasons_of
from sparta_core.data.departures import Departures, FromClimatology
from sparta_core.encoders.linear_path import LinearPathEncoder
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.observe.masks import draw_ratios
from sparta_core.tasks.season import Classifier, Season
from sparta_core.tasks.season.labels import SEASONS, full_fields, seasons
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench

YEAR = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]")
CHUNK = 32  # days at once, with the climatology's eight patterns each
HOTTEST = 1000.0
FILE = "calendar.safetensors"


class Date(Classifier, name="date"):
    """The likelihood of every day of the year."""

    learns_from = "train"

    def check(self, experiment: Experiment) -> None:
        if not (experiment.linear_path and isinstance(experiment.of(Departures), FromClimatology)):
            raise ExperimentError("classifier is 'date', which tells weather from the usual by the linear path's "
                                  "covariance; set linear_path=True and departures='climatology'")

    def prepare(self, bench: Workbench) -> None:
        temperature(bench)

    @torch.no_grad()
    def logits(self, bench: Workbench, days: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
        """Log probabilities (N, 4).

        Weather is not quite normal: likelihoods are tempered until the validation days are as likely as can be.
        """
        logs = date_likelihoods(bench, representation(bench.experiment), days, ratio, generator)
        return _of_seasons(logs / temperature(bench))


def temperature(bench: Workbench) -> float:
    """By what log likelihoods are divided; found if it is not there yet, and kept beside the run."""
    tensors = bench.run(Season.name).once(FILE, lambda: {"temperature": _temperature(bench)})
    return float(tensors["temperature"])


@torch.no_grad()
def date_likelihoods(bench: Workbench, model: Sparta, days: Tensor, ratio: float | Tensor,
                     generator: torch.Generator) -> Tensor:  # fmt: skip
    """Log likelihoods (N, 365) of the days of a YEAR, up to a constant of each day; float64.

    Of full fields (N, C, H, W), a share `ratio` of each hidden, or of all the same.
    """
    assert bench.fields.climatology is not None
    assert isinstance(model.encoder, LinearPathEncoder)
    climatology, likelihoods = bench.fields.climatology, []
    # An anomaly is the day less a sum of the climatology's patterns: one product for each pair gives all dates.
    basis = harmonics(days_of_year(YEAR)).to(bench.device)
    sums = torch.cat([-basis, basis.new_ones(len(basis), 1)], 1)
    ratios = torch.as_tensor(ratio, dtype=days.dtype, device=days.device).expand(len(days))
    for some, hidden in zip(days.split(CHUNK), ratios.split(CHUNK), strict=True):
        values, seen = bench.views.sparse(some, generator, hidden).chunk(2, dim=1)
        both = torch.cat([climatology.expand(len(some), *climatology.shape), values[:, None]], 1)
        products = model.encoder.interpolation.products(both, seen)
        likelihoods.append(-torch.einsum("di,nij,dj->nd", sums, products.double(), sums) / 2)
    return torch.cat(likelihoods)


def _temperature(bench: Workbench) -> Tensor:
    """That with which the validation days' seasons have the least cross-entropy."""
    experiment, days = bench.experiment, full_fields(bench, "validation")
    generator = torch.Generator(bench.device).manual_seed(experiment.seed)
    ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
    logs = date_likelihoods(bench, representation(experiment), days, ratios, generator)
    truth = seasons(bench, "validation")

    def cross_entropy(logarithm: float) -> float:
        return float(F.cross_entropy(_of_seasons(logs / math.exp(logarithm)), truth))

    best = minimize_scalar(cross_entropy, bounds=(0, math.log(HOTTEST)), method="bounded")
    return torch.tensor(math.exp(best.x), dtype=torch.float64)


def _of_seasons(dates: Tensor) -> Tensor:
    """Log probabilities (N, 4) of seasons from logits (N, 365) of dates, all as likely before."""
    season = torch.from_numpy(seasons_of(YEAR)).to(dates.device)
    logs = dates.log_softmax(1)
    return torch.stack([logs[:, season == k].logsumexp(1) for k in range(len(SEASONS))], 1)
