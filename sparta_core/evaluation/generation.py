"""Scores of generated days (paper, 6.2.2), and of the ensembles that they are, beside climatology's.

A generated day is the mean of its draws in latent space, as in the paper; the draws themselves are an
ensemble, which the paper does not score.
"""

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.baselines.climatological import climatological_ensemble
from sparta_core.data.fields import Fields
from sparta_core.downstream.diffusion import CONDITIONS_AT_ONCE, STEPS, conditions_of, diffusion, sample
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.metrics import ensembles
from sparta_core.metrics import fields as metrics
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.forecast.scores import training_range
from sparta_core.tasks.reconstruction.scores import evenly_spaced
from sparta_core.training.kept import kept
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench

FILE = "diffusion.nc"
CLIMATOLOGICAL = "climatological ensemble"
SIGMA = 20.0  # of latent density
NEIGHBOUR = 5  # of realism


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


def diffusion_scores(experiment: Experiment, days: int | None = None) -> xr.Dataset:
    """Scores of the experiment's diffusion model on `days` test days, evenly spaced, or all; trains what is missing.

    `rrmse` (%), `direct_rrmse` of the condition decoded without diffusion, `std` of all latent values drawn,
    `conditional_std` over the draws of one day, mean `latent_density` and `realism`; of each variable ssim,
    psnr (dB), crps and its skill over the climatological ensemble, spread_skill, and ranks (rank).
    """
    bench = Workbench.of(experiment)

    def score() -> xr.Dataset:
        chosen = evenly_spaced(bench.fields, days).to(bench.device)
        fields, model = bench.fields, representation(experiment)

        def decoded(embeddings: Tensor) -> Tensor:
            dates = fields.dates(chosen).reshape(-1, *[1] * (embeddings.dim() - 2))
            return fields.physical(decode(model, embeddings), dates)

        conditions, draws = drawn(experiment, chosen)
        mean = draws.mean(1)
        real = embed(model, bench.views, fields.split("downstream_test"), 0.0, torch.Generator(bench.device))
        scores = ensemble_scores(fields, decoded(draws), chosen).merge(_mean_scores(fields, decoded(mean), chosen))
        return scores.assign(
            crps_skill=1 - scores.crps / climatological_scores(experiment, days).crps,
            direct_rrmse=_mean_scores(fields, decoded(conditions), chosen).rrmse,
            std=float(draws.std()), conditional_std=float(draws.std(1).mean()),
            latent_density=float(latent_density(mean, real).mean()), realism=float(realism(mean, real).mean()))

    sampler = experiment.sampler
    name = FILE if days is None else f"diffusion-{sampler}-{days}days.nc"
    steps = getattr(experiment, STEPS[sampler])
    return kept(bench.run("diffusion"), name, score, sampler=sampler, steps=steps, draws=experiment.draws, days=days,
                window=experiment.climatology_window)  # fmt: skip


def drawn(experiment: Experiment, days: Tensor) -> tuple[Tensor, Tensor]:
    """Sparse embeddings (N, E) of days (N,) of the record and draws (N, draws, E) from them; trains what is missing."""
    conditions = conditions_of(experiment, days)
    generator = torch.Generator(conditions.device).manual_seed(experiment.seed)
    return conditions, sample(diffusion(experiment), experiment, conditions, generator)


def climatological_scores(experiment: Experiment, days: int | None = None) -> xr.Dataset:
    """The same scores, less the latent ones, of the climatological ensemble."""
    bench = Workbench.of(experiment)

    def score() -> xr.Dataset:
        fields, chosen = bench.fields, evenly_spaced(bench.fields, days).to(bench.device)
        ensemble = climatological_ensemble(experiment).members(chosen, experiment.draws, experiment.seed)
        scores = ensemble_scores(fields, ensemble, chosen)
        return scores.merge(_mean_scores(fields, ensemble.mean(1), chosen)).expand_dims(model=[CLIMATOLOGICAL])

    run, name = bench.run("baselines", "-diffusion"), FILE if days is None else f"diffusion-{days}days.nc"
    window = experiment.climatology_window
    return kept(run, name, score, draws=experiment.draws, days=days, window=window).isel(model=0, drop=True)


def ensemble_scores(fields: Fields, ensemble: Tensor, days: Tensor) -> xr.Dataset:
    """crps, spread_skill and ranks of an ensemble (N, M, C, H, W) in physical units for days (N,) of the record."""
    truth, area = fields.physical(fields.take(days), fields.dates(days)), fields.cell_area
    made = {name: getattr(ensembles, name)(ensemble, truth, area).cpu() for name in ("crps", "spread_skill")}
    ranks = ensembles.rank_histogram(ensemble, truth, area).cpu()
    dataset = xr.Dataset({name: ("variable", value.numpy()) for name, value in made.items()},
                         {"variable": list(fields.variables), "units": ("variable", list(fields.units)),
                          "rank": np.arange(ranks.shape[1])}, {"source": fields.source})  # fmt: skip
    return dataset.assign(ranks=(("variable", "rank"), ranks.numpy()))


def _mean_scores(fields: Fields, made: Tensor, days: Tensor) -> xr.Dataset:
    """rrmse, mean of the paper's batches, ssim and psnr of single fields (N, C, H, W) in physical units."""
    truth = fields.physical(fields.take(days), fields.dates(days))
    made, truth = made[:, None], truth[:, None]  # one lead
    pairs = zip(made.split(CONDITIONS_AT_ONCE), truth.split(CONDITIONS_AT_ONCE), strict=True)
    batches = [float(metrics.rrmse(m, t)) for m, t in pairs]
    span = training_range(fields)
    return xr.Dataset({
        "rrmse": float(np.mean(batches)), "ssim": ("variable", metrics.ssim(made, truth, *span)[0].cpu().numpy()),
        "psnr": ("variable", metrics.psnr(made, truth, *span)[0].cpu().numpy())})  # fmt: skip
