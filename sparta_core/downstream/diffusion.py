"""Conditional diffusion in latent space: whole days from sparse ones, as often as one likes (paper, section 4.2).

The embedding of the whole day is noised and denoised; the condition is the embedding of the same
day with most of it hidden. Or, not the paper's, what is noised is a forecast's error, and the condition the look-back.
The noising and the samplers are diffusers'.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.downstream import trust
from sparta_core.downstream.forecast_errors import ForecastErrors, condition_size, conditions_on
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.denoiser import Denoiser
from sparta_core.models.sparta import Sparta
from sparta_core.tasks.embeddings import Embedder, embed
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, Schedule, seeded
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.typed import Table
from sparta_core.views.sampling import batched

Pairs = Callable[[str, torch.Generator], tuple[Tensor, Tensor]]
CONDITIONS_AT_ONCE = 128  # the paper's test batch; each with all its draws


def noising(experiment: Experiment) -> DDPMScheduler:
    """The forward process, and the paper's sampler, whose steps have variance beta_t.

    Step k of diffusers, from 0, is the paper's t = k + 1; its t = 0 has no noise to predict.
    """
    return DDPMScheduler(variance_type="fixed_large", clip_sample=False, **_schedule(experiment))


def scheduler(experiment: Experiment) -> Any:
    """The experiment's sampler, its steps set: DDPM takes them all, the others `quick_steps`."""
    made = SAMPLERS[experiment.sampler](experiment)
    made.set_timesteps(min(getattr(experiment, STEPS[experiment.sampler]), experiment.diffusion_steps))
    return made


def _ddim(experiment: Experiment) -> DDIMScheduler:
    return DDIMScheduler(clip_sample=False, **_trailing(experiment))


def _dpm_solver(experiment: Experiment) -> DPMSolverMultistepScheduler:
    return DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", **_trailing(experiment))


SAMPLERS: Table[Callable[[Experiment], Any]] = Table(
    "sampler", {"ddpm": noising, "ddim": _ddim, "dpm-solver++": _dpm_solver})
# The setting that says how many steps each takes.
STEPS = Table("sampler", {"ddpm": "diffusion_steps", "ddim": "quick_steps", "dpm-solver++": "quick_steps"})


def _trailing(experiment: Experiment) -> dict[str, Any]:
    """The first step is the last of noising, where pure noise belongs (Lin et al., 2024)."""
    return _schedule(experiment) | {"timestep_spacing": "trailing"}


def _schedule(experiment: Experiment) -> dict[str, Any]:
    first, last = experiment.diffusion_betas
    return {"num_train_timesteps": experiment.diffusion_steps, "beta_start": first, "beta_end": last}


class SameDay:
    """Embeddings (N, E) of a part's whole days, and of the same days under a fresh mask every epoch."""

    def __init__(self, bench: Workbench, model: Sparta) -> None:
        self.bench, self.embed = bench, Embedder(model, bench.views)

    def __call__(self, part: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        days, ratio = self.bench.fields.split(f"downstream_{part}"), self.bench.experiment.downstream_mask_ratio
        return self.embed.whole(part, days), self.embed(part, days, ratio, generator)


# Of what diffusion is of: what gives the latents and their conditions, and how large a condition is.
PAIRS: Table[tuple[Callable[[Workbench, Sparta], Pairs], Callable[[Experiment], int]]] = Table("diffusion_of", {
    "day": (SameDay, lambda experiment: experiment.embedding), "forecast": (ForecastErrors, condition_size),
})  # fmt: skip


class NoisePrediction(Objective):
    """Mean squared error of the noise in noised latents, given their conditions.

    `pairs` gives both of a part: of the same day in the paper.
    """

    trains: tuple[str, ...] = ("denoiser",)

    def __init__(self, bench: Workbench, pairs: Pairs, denoiser: nn.Module) -> None:
        self.modules: Mapping[str, nn.Module] = {"denoiser": denoiser}
        self.bench, self.pairs, self.noising = bench, pairs, noising(bench.experiment)
        self.clean = self.conditions = torch.empty(0)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Indices (B,) of the part's pairs, in random order."""
        self.clean, self.conditions = self.pairs(part, generator)
        order = torch.randperm(len(self.clean), generator=generator, device=self.clean.device)
        return batched(order, self.bench.experiment.diffusion_batch_size)

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
    pairs, _ = PAIRS[experiment.diffusion_of]
    objective = NoisePrediction(bench, pairs(bench, model), fabric.setup_module(_build(experiment)))
    schedule = Schedule(experiment.diffusion_epochs, experiment.diffusion_rate)
    return Job(objective, schedule, experiment, run, fabric, experiment.seed)


def _build(experiment: Experiment) -> Denoiser:
    _, size = PAIRS[experiment.diffusion_of]
    with seeded(experiment.seed, "diffusion", "build"):
        return Denoiser(experiment.embedding, experiment.diffusion_widths, noising(experiment).alphas_cumprod,
                        experiment.noise_skip, size(experiment))  # fmt: skip


@torch.no_grad()
def sample(denoiser: nn.Module, experiment: Experiment, conditions: Tensor, generator: torch.Generator,
           size: int | None = None) -> Tensor:  # fmt: skip
    """Draws (N, draws, size) given conditions (N, E), as large as these if no size is said."""
    return torch.cat([_draws(denoiser, experiment, part, generator, size or conditions.shape[1])
                      for part in conditions.split(CONDITIONS_AT_ONCE)])  # fmt: skip


def _draws(denoiser: nn.Module, experiment: Experiment, conditions: Tensor, generator: torch.Generator, size: int
           ) -> Tensor:  # fmt: skip
    """All draws of some conditions, in one batch, step by step from pure noise."""
    sampler = scheduler(experiment)
    repeated = conditions.repeat_interleave(experiment.draws, dim=0)
    x = torch.randn(len(repeated), size, generator=generator, device=repeated.device)
    for step in sampler.timesteps:
        noise = denoiser(x, step.to(x.device).expand(len(x)), repeated)
        x = sampler.step(noise, step, x, generator=generator, return_dict=False)[0]
    return x.unflatten(0, (len(conditions), experiment.draws))


def check_drawn(experiment: Experiment, of: str) -> None:
    """ExperimentError unless the diffusion of `experiment` draws what `of` says."""
    if experiment.diffusion_of != of:
        raise ExperimentError(f"diffusion_of is {experiment.diffusion_of!r}, and asked for are draws of a {of}; set "
                              f"diffusion_of={of!r}")


def conditions_of(experiment: Experiment, days: Tensor) -> Tensor:
    """The embeddings (N, E) of days (N,) of the record, most of each hidden: what draws are conditioned on."""
    check_drawn(experiment, "day")
    bench = Workbench.of(experiment)
    generator = torch.Generator(bench.device).manual_seed(experiment.seed)
    ratio = experiment.downstream_mask_ratio
    return embed(representation(experiment), bench.views, bench.fields.take(days), ratio, generator)


@torch.no_grad()
def forecast_members(experiment: Experiment, seen: Tensor, trusted: Tensor, ratio: float, generator: torch.Generator
                     ) -> Tensor:  # fmt: skip
    """An ensemble (N, draws, leads, E) around trusted forecasts (N, leads, E) after days seen (N, E).

    As far apart as forecasts from days with a share `ratio` hidden were wrong on the validation days.
    """
    check_drawn(experiment, "forecast")
    known = trust.trust(experiment, experiment.forecast_seeds[0], ratio)
    std = known.errors[:, : trusted.shape[1]].square().mean(0).sqrt()
    conditions = conditions_on(seen, trusted)
    drawn = sample(diffusion(experiment), experiment, conditions, generator, experiment.embedding)
    return trusted[:, None] + std * drawn.unflatten(0, trusted.shape[:2]).transpose(1, 2)
