"""Whole days, given the same days sparse: the paper's."""

import torch
import xarray as xr
from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks.diffusion import Diffusion, Drawn, train_denoiser
from sparta_core.tasks.diffusion.noise import Pairs
from sparta_core.tasks.diffusion.sampling import SAMPLERS, sample
from sparta_core.tasks.diffusion.scores import draw_scores, rows
from sparta_core.tasks.embeddings import Embedder, embed
from sparta_core.tasks.reconstruction.scores import evenly_spaced
from sparta_core.training.cached import cached
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation


class Day(Drawn, name="day"):
    """The whole day, given the sparse."""

    learns_from = "downstream_train"

    def pairs(self, record: Record, model: Sparta) -> Pairs:
        """Embeddings of a part's whole days, and of the same days under a fresh mask every epoch."""
        embedder, ratio = Embedder(model), model.experiment.downstream_mask_ratio

        def pairs(part: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            days = record.split(f"downstream_{part}")
            return embedder.whole(part, days), embedder(part, days, ratio, generator)

        return pairs

    def score(self, experiment: Experiment) -> xr.Dataset:
        return diffusion_scores(experiment)


def draw_days(experiment: Experiment, days: Tensor) -> tuple[Tensor, Tensor]:
    """Draw days from what is observed of them; trains what is missing.

    Args:
        experiment: whose diffusion draws.
        days: (N,) indices of the record.

    Returns:
        The conditions, embeddings (N, E) of the days with most of each masked, and draws (N, draws, E).

    Raises:
        ExperimentError: unless its diffusion is of days.
    """
    Day.chosen(experiment)
    record, denoiser = open_record(experiment), train_denoiser(experiment)
    masks, noise = (torch.Generator(record.device).manual_seed(experiment.seed) for _ in range(2))
    conditions = embed(representation(experiment), record.take(days), experiment.downstream_mask_ratio, masks)
    return conditions, sample(denoiser, experiment, conditions, noise)


def diffusion_scores(experiment: Experiment, days: int | None = None) -> xr.Dataset:
    """Score draws of `days` test days, evenly spaced, or of all, as `scores.draw_scores`; trains what is missing.

    With `crps_skill` over the climatological ensemble, of each variable.
    """
    task = experiment.of(Diffusion)

    def score() -> xr.Dataset:
        chosen = evenly_spaced(open_record(experiment), days)
        scores = draw_scores(experiment, chosen, *draw_days(experiment, chosen))
        reference = task.score_baselines(experiment, days).crps.isel(model=0, drop=True)
        return scores.assign(crps_skill=1 - scores.crps / reference)

    sampler = experiment.sampler
    name = "diffusion.nc" if days is None else f"diffusion-{sampler}-{days}days.nc"
    return cached(run_of(experiment, task.name), name, task.name, score, rows(experiment, days), sampler=sampler,
                  steps=SAMPLERS[sampler].steps(experiment), draws=experiment.draws, days=days,
                  window=experiment.climatology_window)  # fmt: skip
