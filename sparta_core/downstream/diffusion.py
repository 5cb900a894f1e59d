"""Conditional diffusion in latent space: whole days from sparse ones, as often as one likes (paper, section 4.2).

The embedding of the whole day is noised and denoised; the condition is the embedding of the same
day with most of it hidden. The noising and the samplers are diffusers'.
"""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.downstream.embeddings import Embedder, embed
from sparta_core.experiment import Experiment
from sparta_core.models.denoiser import Denoiser
from sparta_core.models.sparta import Sparta
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, Schedule, seeded
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.views.sampling import batched

CONDITIONS_AT_ONCE = 128  # the paper's test batch; each with all its draws


def noising(experiment: Experiment) -> DDPMScheduler:
    """The forward process, and the paper's sampler, whose steps have variance beta_t.

    Step k of diffusers, from 0, is the paper's t = k + 1; its t = 0 has no noise to predict.
    """
    return DDPMScheduler(variance_type="fixed_large", clip_sample=False, **_schedule(experiment))


def scheduler(experiment: Experiment) -> Any:
    """The experiment's sampler, its steps set: DDPM takes them all, the others `quick_steps`."""
    # trailing: the first step is the last of noising, where pure noise belongs (Lin et al., 2024)
    schedule = _schedule(experiment) | {"timestep_spacing": "trailing"}
    steps = min(experiment.quick_steps, experiment.diffusion_steps)
    if experiment.sampler == "ddpm":
        made, steps = noising(experiment), experiment.diffusion_steps
    elif experiment.sampler == "ddim":
        made = DDIMScheduler(clip_sample=False, **schedule)
    else:
        made = DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", **schedule)
    made.set_timesteps(steps)
    return made


def _schedule(experiment: Experiment) -> dict[str, Any]:
    first, last = experiment.diffusion_betas
    return {"num_train_timesteps": experiment.diffusion_steps, "beta_start": first, "beta_end": last}


class NoisePrediction(Objective):
    """Mean squared error of the noise in noised embeddings of whole days, given the sparse days' embeddings.

    Conditions have a fresh mask every epoch; whole days have none and are embedded once.
    """

    trains: tuple[str, ...] = ("denoiser",)

    def __init__(self, bench: Workbench, model: Sparta, denoiser: nn.Module) -> None:
        self.modules: Mapping[str, nn.Module] = {"denoiser": denoiser}
        self.bench, self.embed = bench, Embedder(model, bench.views)
        self.noising = noising(bench.experiment)
        self.whole: dict[str, Tensor] = {}
        self.clean = self.conditions = torch.empty(0)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Days (B,) of the downstream part, from its first, in random order."""
        experiment = self.bench.experiment
        days = self.bench.fields.split(f"downstream_{part}")
        if part not in self.whole:
            self.whole[part] = embed(self.embed.model, self.bench.views, days, 0.0, generator)
        self.clean = self.whole[part]
        self.conditions = self.embed(part, days, experiment.downstream_mask_ratio, generator)
        order = torch.randperm(len(days), generator=generator, device=days.device)
        return batched(order, experiment.diffusion_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        clean, steps = self.clean[batch], self.bench.experiment.diffusion_steps
        step = torch.randint(steps, (len(batch),), generator=generator, device=batch.device)
        noise = torch.randn(clean.shape, generator=generator, device=batch.device)
        noised = self.noising.add_noise(clean, noise, step)  # type: ignore[arg-type]
        predicted = self.modules["denoiser"](noised, step, self.conditions[batch])
        return {"loss": F.mse_loss(predicted, noise)}


def diffusion(experiment: Experiment) -> Denoiser:
    """The trained denoiser of `experiment`, frozen; trains what is missing."""
    bench = Workbench.of(experiment)
    run = bench.run("diffusion")
    bench.finish(run, lambda: job(bench, representation(experiment)))
    denoiser = _build(experiment)
    load_weights({"denoiser": denoiser}, run.load(MODEL)[0])
    return denoiser.to(bench.device).eval().requires_grad_(False)


def job(bench: Workbench, model: Sparta) -> Job:
    """The training of a fresh denoiser on the embeddings of `model`."""
    experiment, run = bench.experiment, bench.run("diffusion")
    fabric = bench.fabric(run)
    objective = NoisePrediction(bench, model, fabric.setup_module(_build(experiment)))
    schedule = Schedule(experiment.diffusion_epochs, experiment.diffusion_rate)
    return Job(objective, schedule, experiment, run, fabric, experiment.seed)


def _build(experiment: Experiment) -> Denoiser:
    with seeded(experiment.seed, "diffusion", "build"):
        return Denoiser(experiment.embedding, experiment.diffusion_widths,
                        noising(experiment).alphas_cumprod, experiment.noise_skip)  # fmt: skip


@torch.no_grad()
def sample(denoiser: nn.Module, experiment: Experiment, conditions: Tensor, generator: torch.Generator) -> Tensor:
    """Draws of whole days' embeddings (N, draws, E) given those of sparse days (N, E)."""
    return torch.cat([_draws(denoiser, experiment, part, generator) for part in conditions.split(CONDITIONS_AT_ONCE)])


def _draws(denoiser: nn.Module, experiment: Experiment, conditions: Tensor, generator: torch.Generator) -> Tensor:
    """All draws of some conditions, in one batch, step by step from pure noise."""
    sampler = scheduler(experiment)
    repeated = conditions.repeat_interleave(experiment.draws, dim=0)
    x = torch.randn(repeated.shape, generator=generator, device=repeated.device)
    for step in sampler.timesteps:
        noise = denoiser(x, step.to(x.device).expand(len(x)), repeated)
        x = sampler.step(noise, step, x, generator=generator, return_dict=False)[0]
    return x.unflatten(0, (len(conditions), experiment.draws))


def conditions_of(experiment: Experiment, days: Tensor) -> Tensor:
    """The embeddings (N, E) of days (N,) of the record, most of each hidden: what draws are conditioned on."""
    bench = Workbench.of(experiment)
    generator = torch.Generator(bench.device).manual_seed(experiment.seed)
    ratio = experiment.downstream_mask_ratio
    return embed(representation(experiment), bench.views, bench.fields.take(days), ratio, generator)
