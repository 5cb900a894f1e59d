"""Conditional diffusion in latent space (paper, section 4.2): draws of what sparse days leave open.

Embeddings are noised, and a network learns to predict the noise, given conditions. What is drawn is a choice; a kind
says which pairs of embeddings and conditions diffusion learns from, and how its draws are scored.
"""

from typing import Annotated, ClassVar, Literal, TypeVar

import xarray as xr
from pydantic import Field
from torch import nn

from sparta_core.baselines.climatological import climatological_ensemble
from sparta_core.data.record import Record
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.settings import Choice, Count, Epochs, Positive, Uses, setting
from sparta_core.tasks import Measure
from sparta_core.tasks.diffusion.denoiser import Denoiser
from sparta_core.tasks.diffusion.noise import NoisePrediction, Pairs
from sparta_core.tasks.diffusion.sampling import noising
from sparta_core.tasks.diffusion.scores import ensemble_scores, mean_scores, rows
from sparta_core.tasks.network import NetworkTask
from sparta_core.tasks.reconstruction.scores import evenly_spaced
from sparta_core.training.cached import cached
from sparta_core.training.fit import Objective
from sparta_core.training.records import open_record, run_of
from sparta_core.training.schedules import PlateauSettings
from sparta_core.training.stages import representation

D = TypeVar("D", bound="Drawn")
CLIMATOLOGICAL = "climatological ensemble"


class Drawn(Choice, slot="diffusion_of", default="day"):
    """What diffusion draws."""

    learns_from: ClassVar[str]  # the split of the days
    needs: ClassVar[tuple[str, ...]] = ()  # what it takes besides the representation

    @classmethod
    def chosen(cls: type[D], experiment: Experiment) -> D:
        """The experiment's kind; ExperimentError if that is another."""
        kind = experiment.of(Drawn)
        if not isinstance(kind, cls):
            raise ExperimentError(f"{cls.slot} is {kind.name!r}, and asked for are draws of a {cls.name}; set "
                                  f"{cls.slot}={cls.name!r}")
        return kind

    def condition_size(self, experiment: Experiment) -> int:
        """How many values a condition has."""
        return experiment.embedding

    def pairs(self, record: Record, model: Sparta) -> Pairs:
        """What diffusion learns from, by the embeddings of `model`."""
        raise NotImplementedError

    def score(self, experiment: Experiment) -> xr.Dataset:
        """The scores of its draws, kept beside the run; trains what is missing."""
        raise NotImplementedError


class Diffusion(NetworkTask, name="diffusion"):
    """Draws of embeddings, given conditions."""

    uses: ClassVar[Uses] = (*NetworkTask.uses, Drawn, PlateauSettings)
    benchmark: ClassVar[str] = CLIMATOLOGICAL
    diffusion_steps: Count = setting(1000, "T, of the noising")
    diffusion_betas: tuple[Positive, Positive] = setting((1e-4, 0.02), "first and last noise variance")
    diffusion_widths: Annotated[tuple[Count, ...], Field(min_length=1)] = setting(
        (1024, 512, 256), "of the vector U-Net, going down")
    noise_skip: bool = setting(False, "hand the noised embedding on to the denoiser's output")
    diffusion_epochs: Epochs = setting(300, "epochs of diffusion")
    diffusion_rate: Positive = setting(1e-3, "learning rate of diffusion")
    diffusion_batch_size: Count = setting(64, "of diffusion", "embeddings")
    draws: Count = setting(20, "of each condition, and members of ensembles", trains=False)
    sampler: Literal["ddpm", "ddim", "dpm-solver++"] = setting("ddpm", "how draws are made", trains=False)
    quick_steps: Count = setting(50, "of the samplers other than ddpm", trains=False)

    def check(self, experiment: Experiment) -> None:
        first, last = self.diffusion_betas
        if not first <= last < 1:
            raise ExperimentError(f"diffusion_betas are {self.diffusion_betas}; they must rise and stay below 1")

    def needs(self, experiment: Experiment) -> tuple[str, ...]:
        return (*super().needs(experiment), *experiment.of(Drawn).needs)

    def learns_from(self, experiment: Experiment) -> str:
        return experiment.of(Drawn).learns_from

    def build(self, model: Sparta) -> Denoiser:
        experiment = model.experiment
        return Denoiser(experiment.embedding, self.diffusion_widths, noising(experiment).alphas_cumprod,
                        self.noise_skip, experiment.of(Drawn).condition_size(experiment))  # fmt: skip

    def objective(self, record: Record, model: Sparta, network: nn.Module) -> Objective:
        return NoisePrediction(record, model, model.experiment.of(Drawn).pairs(record, model), network)

    def score(self, experiment: Experiment) -> xr.Dataset:
        return experiment.of(Drawn).score(experiment)

    def score_baselines(self, experiment: Experiment, days: int | None = None) -> xr.Dataset:
        """The scores of `day.diffusion_scores`, less the latent ones, of the climatological ensemble."""

        def score() -> xr.Dataset:
            record = open_record(experiment)
            chosen = evenly_spaced(record, days)
            ensemble = climatological_ensemble(experiment).members(chosen, experiment.draws, experiment.seed)
            scores = ensemble_scores(record, ensemble, chosen)
            return scores.merge(mean_scores(record, ensemble.mean(1), chosen)).expand_dims(model=[CLIMATOLOGICAL])

        name = "diffusion.nc" if days is None else f"diffusion-{days}days.nc"
        return cached(self.baselines(experiment), name, self.name, score, rows(experiment, days),
                      draws=experiment.draws, days=days, window=experiment.climatology_window)  # fmt: skip

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        return (Measure(self.name, "rrmse_percent", "diffusion RRMSE (%)"),
                Measure(self.name, "std", "std of the draws"))  # fmt: skip


def train_denoiser(experiment: Experiment) -> Denoiser:
    """The finished denoiser of an experiment's diffusion, frozen, on its device; trains what is missing."""
    task, model = experiment.of(Diffusion), representation(experiment)
    denoiser: Denoiser = task.trained(model, run_of(experiment, task.name), experiment.seed)
    return denoiser
