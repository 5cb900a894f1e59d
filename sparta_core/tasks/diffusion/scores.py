"""Scores of drawn days (paper, 6.2.2), and of the ensembles that they are.

A drawn day is the mean of its draws in latent space, as in the paper; the draws themselves are an ensemble, which the
paper does not score.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.metrics import ensembles
from sparta_core.metrics import fields as metrics
from sparta_core.tasks.diffusion.sampling import CONDITIONS_AT_ONCE
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.forecast.scores import training_range
from sparta_core.training.cached import Rows
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation

SIGMA = 20.0  # of latent density
NEIGHBOUR = 5  # of realism
# What the score card shows of each score: the paper's name for it, and what brings it to the paper's unit.
SHOWN = {
    "rrmse": ("rrmse_percent", 1.0), "direct_rrmse": ("direct_rrmse_percent", 1.0), "std": ("std", 1.0),
    "conditional_std": ("conditional_std", 1.0), "latent_density": ("latent_density", 1.0), "realism": ("realism", 1.0),
    "ssim": ("ssim_percent", 100.0), "psnr": ("psnr_db", 1.0), "crps_skill": ("crps_skill", 1.0),
    "spread_skill": ("spread_skill", 1.0),
}  # fmt: skip


def rows(experiment: Experiment, days: int | None = None) -> Callable[[xr.Dataset], Rows]:
    """What the score card shows of the scores of all test days, means over variables; of some `days` nothing."""

    def shown(scores: xr.Dataset) -> Iterator[tuple[str, str, float]]:
        for name, (metric, factor) in SHOWN.items():
            if days is None and name in scores:
                yield f"mask{experiment.downstream_mask_ratio:g}", metric, factor * float(scores[name].mean())

    return shown


def draw_scores(experiment: Experiment, days: Tensor, conditions: Tensor, draws: Tensor) -> xr.Dataset:
    """Score draws of days by the decoder of the experiment's representation.

    Args:
        experiment: Whose they are.
        days: (N,) indices of the record.
        conditions: (N, E), embeddings of the days as they are observed.
        draws: (N, M, E), embeddings.

    Returns:
        `rrmse` (%), `direct_rrmse` of the conditions decoded without diffusion, `std` of all latent values drawn,
        `conditional_std` over the draws of one day, mean `latent_density` and `realism`; of each variable ssim,
        psnr (dB), crps (the variable's unit), spread_skill, and ranks (rank).
    """
    record, model, mean = open_record(experiment), representation(experiment), draws.mean(1)

    def decoded(embeddings: Tensor) -> Tensor:
        dates = record.dates(days).reshape(-1, *[1] * (embeddings.dim() - 2))
        return record.physical(decode(model, embeddings), dates)

    real = embed(model, record.split("downstream_test"))
    scores = ensemble_scores(record, decoded(draws), days).merge(mean_scores(record, decoded(mean), days))
    return scores.assign(
        direct_rrmse=mean_scores(record, decoded(conditions), days).rrmse, std=float(draws.std()),
        conditional_std=float(draws.std(1).mean()), latent_density=float(latent_density(mean, real).mean()),
        realism=float(realism(mean, real).mean()))


def latent_density(generated: Tensor, real: Tensor, sigma: float = SIGMA) -> Tensor:
    """How densely real embeddings (R, E) lie around each generated one (N, E): (N,), at most 1.

    Mean of exp(-distance^2 / (2 sigma^2)) over the real ones (paper, equation 20).
    """
    generated, real = _embeddings(generated, real)
    return (-torch.cdist(generated, real).square() / (2 * sigma**2)).exp().mean(1)


def realism(generated: Tensor, real: Tensor, neighbour: int = NEIGHBOUR) -> Tensor:
    """Whether each generated embedding (N, E) lies as close to a real one as that one's own neighbours: (N,).

    The largest ratio, over real r, of the distance from r to its k-th nearest other real embedding to the
    distance from r to the generated one (Kynkäänniemi et al., 2019): above 1 is inside the real ones' reach.
    """
    generated, real = _embeddings(generated, real)
    if len(real) <= neighbour:
        raise DataError(f"there are {len(real)} real embeddings; realism needs more than {neighbour}")
    reach = torch.cdist(real, real).kthvalue(neighbour + 1, dim=1).values  # the nearest of all is itself
    return (reach / torch.cdist(generated, real)).amax(1)


def _embeddings(*sets: Tensor) -> list[Tensor]:
    """Both sets in float64; DataError unless they are finite and as wide as each other."""
    generated, real = sets
    if generated.ndim != 2 or real.ndim != 2 or generated.shape[1] != real.shape[1]:
        raise DataError(f"embeddings of shapes {tuple(generated.shape)} and {tuple(real.shape)} cannot be "
                        "compared; both must be (N, E)")
    if not (torch.isfinite(generated).all() and torch.isfinite(real).all()):
        raise DataError("embeddings have NaN or infinite values; a score of them would mean nothing")
    return [generated.double(), real.double()]


def ensemble_scores(record: Record, ensemble: Tensor, days: Tensor) -> xr.Dataset:
    """crps, spread_skill and ranks of an ensemble (N, M, C, H, W) in physical units for days (N,) of the record."""
    truth, area = record.physical(record.take(days).values, record.dates(days)), record.cell_area
    ranks = ensembles.rank_histogram(ensemble, truth, area).cpu().numpy()
    return xr.Dataset(
        {"crps": ("variable", ensembles.crps(ensemble, truth, area).cpu().numpy()),
         "spread_skill": ("variable", ensembles.spread_skill(ensemble, truth, area).cpu().numpy()),
         "ranks": (("variable", "rank"), ranks)},
        {"variable": list(record.variables), "units": ("variable", list(record.units)),
         "rank": np.arange(ranks.shape[1])}, {"source": record.source})  # fmt: skip


def mean_scores(record: Record, drawn: Tensor, days: Tensor) -> xr.Dataset:
    """rrmse, mean of the paper's batches, ssim and psnr of single fields (N, C, H, W) in physical units."""
    truth = record.physical(record.take(days).values, record.dates(days))
    drawn, truth = drawn[:, None], truth[:, None]  # one lead
    pairs = zip(drawn.split(CONDITIONS_AT_ONCE), truth.split(CONDITIONS_AT_ONCE), strict=True)
    span = training_range(record)
    return xr.Dataset({
        "rrmse": float(np.mean([float(metrics.rrmse(*pair)) for pair in pairs])),
        "ssim": ("variable", metrics.ssim(drawn, truth, *span)[0].cpu().numpy()),
        "psnr": ("variable", metrics.psnr(drawn, truth, *span)[0].cpu().numpy())})  # fmt: skip
