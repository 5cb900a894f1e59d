"""Drawing whole days' embeddings: the paper's 1,000 steps against the quick sampler's 50, both ours."""

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.report import Row, amount
from benchmarks.setting import Setting
from benchmarks.timing import Contender, Spread, interleaved, ratio, repeated
from sparta_core.tasks.diffusion.denoiser import Denoiser
from sparta_core.tasks.diffusion.sampling import noising, sample


def diffusion(setting: Setting) -> Iterator[Row]:
    paper = setting.experiment(sampler="ddpm")
    quick = paper.replace(sampler="dpm-solver++")
    denoiser = Denoiser(paper.embedding, paper.diffusion_widths, noising(paper).alphas_cumprod)
    denoiser.to(setting.device).eval().requires_grad_(False)
    conditions = torch.randn(setting.conditions, paper.embedding, device=setting.device)
    generator = torch.Generator(setting.device).manual_seed(paper.seed)
    sample(denoiser, quick, conditions, generator)  # warms up
    contenders = {
        experiment.sampler: Contender(repeated(partial(sample, denoiser, experiment, conditions, generator)))
        for experiment in (quick, paper)
    }
    times = interleaved(contenders, setting.device, setting.diffusion_rounds)
    fast, slow = (f"{amount(Spread.of(times[name]).median)} s" for name in contenders)
    yield Row(f"{paper.draws} draws x {setting.conditions} conditions: DPM-Solver++ in {quick.quick_steps} steps; "
              f"DDPM in {paper.diffusion_steps:,}", fast, slow, ratio(times["ddpm"], times[quick.sampler]))  # fmt: skip
