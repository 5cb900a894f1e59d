"""Conditional diffusion in latent space (paper, section 4.2)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.settings import Choice, Count, Epochs, Positive, Uses, setting
from sparta_core.tasks import Task
from sparta_core.training.schedules import PlateauSettings


class Drawn(Choice, slot="diffusion_of", default="day"):
    """What diffusion draws."""

    learns_from: ClassVar[str]  # the split of the days
    needs: ClassVar[tuple[str, ...]] = ()  # what it takes besides the representation


class Diffusion(Task, name="diffusion"):
    uses: ClassVar[Uses] = (*Task.uses, Drawn, PlateauSettings)
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
