"""Which day of the year a sparse day belongs to, and so which season: not the paper's.

What departs from the climatology of the right date is weather, from that of a wrong date it is not. Every date's
likelihood is that of the departure from it, normal with the covariance of the linear path, on the values that are seen.
"""

import math

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional as F

from sparta_core.data.climatology import days_of_year, harmonics, seasons_of
from sparta_core.encoders.linear_path import LinearPathEncoder
from sparta_core.models.sparta import Sparta
from sparta_core.observe.masks import draw_ratios
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench

YEAR = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]")
CHUNK = 32  # days at once, with the climatology's eight patterns each
HOTTEST = 1000.0
FILE = "calendar.safetensors"


@torch.no_grad()
def season_logits(bench: Workbench, days: Tensor, ratio: float | Tensor, generator: torch.Generator) -> Tensor:
    """Log probabilities (N, 4) of the seasons of whole standardised days (N, C, H, W), a share `ratio` of each hidden.

    Weather is not quite normal: the likelihoods are tempered until the validation days are as likely as can be.
    """
    logs = date_likelihoods(bench, representation(bench.experiment), days, ratio, generator)
    return _of_seasons(logs / temperature(bench))


def temperature(bench: Workbench) -> float:
    """By what log likelihoods are divided; found if it is not there yet, and kept beside the run."""
    tensors = bench.run("classification").once(FILE, lambda: {"temperature": _temperature(bench)})
    return float(tensors["temperature"])


@torch.no_grad()
def date_likelihoods(bench: Workbench, model: Sparta, days: Tensor, ratio: float | Tensor,
                     generator: torch.Generator) -> Tensor:  # fmt: skip
    """Log likelihoods (N, 365) of the days of a YEAR, up to a constant of each day; float64. As `season_logits`."""
    assert bench.fields.climatology is not None
    assert isinstance(model.encoder, LinearPathEncoder)
    usual, made = bench.fields.climatology, []
    # A departure is the day less a sum of the climatology's patterns: one product for each pair gives all dates.
    basis = harmonics(days_of_year(YEAR)).to(bench.device)
    sums = torch.cat([-basis, basis.new_ones(len(basis), 1)], 1)
    ratios = torch.as_tensor(ratio, dtype=days.dtype, device=days.device).expand(len(days))
    for some, own in zip(days.split(CHUNK), ratios.split(CHUNK), strict=True):
        values, seen = bench.views.sparse(some, generator, own).chunk(2, dim=1)
        both = torch.cat([usual.expand(len(some), *usual.shape), values[:, None]], 1)
        products = model.encoder.interpolation.products(both, seen)
        made.append(-torch.einsum("di,nij,dj->nd", sums, products.double(), sums) / 2)
    return torch.cat(made)


def _temperature(bench: Workbench) -> Tensor:
    """That with which the validation days' seasons have the least cross-entropy."""
    part = bench.fields.splits["validation"]
    experiment, generator = bench.experiment, torch.Generator(bench.device).manual_seed(bench.experiment.seed)
    ratios = draw_ratios(len(part), experiment.classification_mask_ratio, generator)
    whole = bench.fields.whole(slice(part.start, part.stop))
    logs = date_likelihoods(bench, representation(experiment), whole, ratios, generator)
    truth = torch.from_numpy(bench.fields.season[part.start : part.stop]).to(bench.device)

    def cross_entropy(logarithm: float) -> float:
        return float(F.cross_entropy(_of_seasons(logs / math.exp(logarithm)), truth))

    best = minimize_scalar(cross_entropy, bounds=(0, math.log(HOTTEST)), method="bounded")
    return torch.tensor(math.exp(best.x), dtype=torch.float64)


def _of_seasons(dates: Tensor) -> Tensor:
    """Log probabilities (N, 4) of seasons from logits (N, 365) of dates, all as likely before."""
    season = torch.from_numpy(seasons_of(YEAR)).to(dates.device)
    logs = dates.log_softmax(1)
    return torch.stack([logs[:, season == k].logsumexp(1) for k in range(4)], 1)
