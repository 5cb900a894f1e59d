"""The noising of latent diffusion and the samplers that undo it step by step; all are schedulers of diffusers."""

from importlib import import_module
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from sparta_core.experiment import Experiment
from sparta_core.typed import Table

CONDITIONS_AT_ONCE = 128  # the paper's test batch; each with all its draws
# The first step is the last of noising, where pure noise belongs (Lin et al., 2024).
TRAILING = {"timestep_spacing": "trailing"}


class Sampler(NamedTuple):
    """A scheduler of diffusers, its options, and whether it takes `quick_steps` instead of all."""

    scheduler: str
    options: dict[str, Any]
    quick: bool = True

    def build(self, experiment: Experiment) -> Any:
        first, last = experiment.diffusion_betas
        scheduler = getattr(import_module("diffusers"), self.scheduler)  # which takes seconds: not for all who train
        return scheduler(num_train_timesteps=experiment.diffusion_steps, beta_start=first, beta_end=last,
                         **self.options)  # fmt: skip

    def steps(self, experiment: Experiment) -> int:
        return experiment.quick_steps if self.quick else experiment.diffusion_steps


SAMPLERS: Table[Sampler] = Table("sampler", {
    "ddpm": Sampler("DDPMScheduler", {"variance_type": "fixed_large", "clip_sample": False}, quick=False),
    "ddim": Sampler("DDIMScheduler", {"clip_sample": False, **TRAILING}),
    "dpm-solver++": Sampler("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", **TRAILING}),
})  # fmt: skip


def noising(experiment: Experiment) -> Any:
    """The forward process, and the paper's sampler, whose steps have variance beta_t.

    Step k of diffusers, from 0, is the paper's t = k + 1; its t = 0 has no noise to predict.
    """
    return SAMPLERS["ddpm"].build(experiment)


def scheduler(experiment: Experiment) -> Any:
    """The experiment's sampler, its steps set."""
    sampler = SAMPLERS[experiment.sampler]
    built = sampler.build(experiment)
    built.set_timesteps(min(sampler.steps(experiment), experiment.diffusion_steps))
    return built


@torch.no_grad()
def sample(denoiser: nn.Module, experiment: Experiment, conditions: Tensor, generator: torch.Generator) -> Tensor:
    """Draw embeddings (N, draws, E) from pure noise, given conditions (N, condition)."""
    draws = []
    for some in conditions.split(CONDITIONS_AT_ONCE):
        sampler, repeated = scheduler(experiment), some.repeat_interleave(experiment.draws, dim=0)
        x = torch.randn(len(repeated), experiment.embedding, generator=generator, device=repeated.device)
        for step in sampler.timesteps:
            noise = denoiser(x, step.to(x.device).expand(len(x)), repeated)
            x = sampler.step(noise, step, x, generator=generator, return_dict=False)[0]
        draws.append(x.unflatten(0, (len(some), experiment.draws)))
    return torch.cat(draws)
