"""Diffusion: noising against the closed form, samplers against known Gaussians, training that resumes."""

import pytest
import torch
from torch import nn

from sparta_core.experiment import Experiment
from sparta_core.tasks import task_of
from sparta_core.tasks.diffusion import CLIMATOLOGICAL, sampling, train_denoiser
from sparta_core.tasks.diffusion.day import Day, draw_days
from sparta_core.tasks.diffusion.denoiser import Denoiser
from sparta_core.tasks.diffusion.noise import NoisePrediction
from sparta_core.tasks.diffusion.sampling import noising, sample, scheduler
from sparta_core.tasks.embeddings import embed
from sparta_core.training import fit as fitting
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation

QUICK = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)
SMALL = {"diffusion_widths": (16, 8), "diffusion_epochs": 2, "draws": 3, "sampler": "dpm-solver++", "quick_steps": 5}
MEAN = torch.tensor([2.0, -1.0, 0.5])
ROOT = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.3, 0.2, 0.4]])
COVARIANCE = ROOT @ ROOT.T


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def kept_signal(experiment):
    """Products of 1 - beta_t, t from 1, in float64: the paper's alpha bar."""
    betas = torch.linspace(*experiment.diffusion_betas, experiment.diffusion_steps, dtype=torch.float64)
    return torch.cumprod(1 - betas, 0)


@pytest.mark.parametrize("step", [0, 1, 250, 999])
def test_noising_has_the_mean_and_variance_of_the_closed_form(step):
    """x_t ~ N(sqrt(a_t) x_0, (1 - a_t) I): equation 4 of Ho et al. (2020)."""
    experiment = Experiment()
    signal = float(kept_signal(experiment)[step])
    clean = torch.tensor([3.0, -2.0]).expand(200_000, 2)
    noised = noising(experiment).add_noise(clean, torch.randn(clean.shape, generator=generator()),
                                           torch.full((len(clean),), step))  # fmt: skip
    spread = (1 - signal) ** 0.5
    assert torch.allclose(noised.mean(0), signal**0.5 * clean[0], atol=4 * spread / 200_000**0.5 + 1e-6)
    assert torch.allclose(noised.std(0), torch.full((2,), spread), rtol=0.01)


def test_noise_is_pure_at_the_end():
    assert float(kept_signal(Experiment())[-1]) < 1e-4


class PerfectDenoiser(nn.Module):
    """E[noise | x_t] for x_0 ~ N(condition, COVARIANCE): what a denoiser would learn there."""

    def __init__(self, experiment):
        super().__init__()
        self.signal = kept_signal(experiment)

    def forward(self, noised, step, condition):
        signal = self.signal[int(step[0])].float()
        total = signal * COVARIANCE + (1 - signal) * torch.eye(3)
        return (1 - signal).sqrt() * (noised - signal.sqrt() * condition) @ torch.linalg.inv(total)


def check_moments(draws, mean, tolerance):
    """Mean and covariance of draws (M, 3), of variance 1 at most, within four standard errors and `tolerance`."""
    error = 4 / len(draws) ** 0.5
    assert torch.allclose(draws.mean(0), mean, atol=error + tolerance)
    assert torch.allclose(draws.T.cov(), COVARIANCE, atol=2**0.5 * error + tolerance)


@pytest.mark.parametrize(("sampler", "tolerance"), [("ddpm", 0.0), ("ddim", 0.04), ("dpm-solver++", 0.0)])
def test_samplers_turn_a_perfect_denoiser_into_its_gaussian(sampler, tolerance):
    """Each condition gets draws of its own distribution, in its own row; 50 steps of DDIM are a little too narrow."""
    experiment = Experiment(sampler=sampler, draws=10_000, embedding=3)
    conditions = torch.stack([MEAN, -MEAN])
    draws = sample(PerfectDenoiser(experiment), experiment, conditions, generator())
    assert draws.shape == (2, 10_000, 3)
    check_moments(draws[0], MEAN, tolerance)
    check_moments(draws[1], -MEAN, tolerance)


@pytest.mark.parametrize(("sampler", "steps"), [("ddpm", 1000), ("ddim", 50), ("dpm-solver++", 50)])
def test_steps_of_each_sampler(sampler, steps):
    made = scheduler(Experiment(sampler=sampler)).timesteps
    assert len(made) == steps and int(made[0]) == 999


class GivenEmbeddings(NoisePrediction):
    """The objective, on embeddings that are given."""

    def __init__(self, experiment, clean, denoiser):
        self.network, self.noising = denoiser, noising(experiment)
        self.experiment = experiment
        self.clean, self.conditions = clean, torch.zeros_like(clean)


@pytest.mark.parametrize("skip", [False, True])
def test_a_trained_denoiser_recovers_a_known_gaussian(skip):
    """Our denoiser and loss, trained on draws of N(MEAN, COVARIANCE), then sampled."""
    torch.manual_seed(0)
    experiment = Experiment(embedding=3, diffusion_widths=(64, 32), draws=4000, diffusion_steps=250,
                            diffusion_betas=(4e-4, 0.08))  # fmt: skip
    clean = MEAN + torch.randn(20_000, 3, generator=generator(1)) @ ROOT.T
    denoiser = Denoiser(3, experiment.diffusion_widths, kept_signal(experiment).float(), skip)
    objective = GivenEmbeddings(experiment, clean, denoiser)
    adam = torch.optim.Adam(denoiser.parameters(), lr=3e-3)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 600)
    g = generator(2)
    for _ in range(600):
        loss = objective.losses(torch.randint(len(clean), (512,), generator=g), 0, g)["loss"]
        adam.zero_grad()
        loss.backward()
        adam.step()
        rate.step()
    draws = sample(denoiser.eval(), experiment, torch.zeros(1, 3), g)[0]
    check_moments(draws, MEAN, 0.05)


def test_the_condition_and_the_target(tiny):
    """The whole day is noised, the same day masked at the downstream ratio conditions; loss written out."""
    experiment = tiny(**QUICK, **SMALL)
    record, model = open_record(experiment), representation(experiment)
    denoiser = Denoiser(16, (16, 8), kept_signal(experiment).float()).eval()
    objective = NoisePrediction(record, model, Day().pairs(record, model), denoiser)
    batch = objective.batches("train", generator(3))[0]
    days = record.split("downstream_train")
    whole, condition = embed(model, days)[batch], embed(model, days, 0.7, generator(3))[batch]
    g = generator(4)
    step = torch.randint(1000, (len(batch),), generator=g)
    noise = torch.randn(whole.shape, generator=g)
    signal = kept_signal(experiment)[step, None].float()
    predicted = denoiser(signal.sqrt() * whole + (1 - signal).sqrt() * noise, step, condition)
    loss = objective.losses(batch, 0, generator(4))["loss"]
    assert loss.item() == pytest.approx((predicted - noise).square().mean().item(), rel=1e-5)


def test_conditions_have_a_fresh_mask_every_epoch_and_whole_days_none(tiny):
    experiment = tiny(**QUICK, **SMALL)
    record, model = open_record(experiment), representation(experiment)
    objective = NoisePrediction(record, model, Day().pairs(record, model), torch.nn.Identity())
    g = generator()
    objective.batches("train", g)
    clean, conditions = objective.clean, objective.conditions
    order = torch.cat(objective.batches("train", g))
    assert objective.clean is clean and not torch.equal(objective.conditions, conditions)
    assert sorted(order.tolist()) == list(range(len(clean)))
    objective.batches("validation", g)
    assert len(objective.clean) == len(record.splits["downstream_validation"])


def test_training_stopped_in_the_middle_ends_with_the_same_weights(tiny, monkeypatch, tmp_path):
    experiment = tiny(**QUICK, **SMALL)
    whole = train_denoiser(experiment).state_dict()
    again = experiment.replace(runs=str(tmp_path / "again"))
    plain = fitting._Loop._close_epoch

    def stop_after_one(loop, *losses):
        plain(loop, *losses)
        if loop.run.stage == "diffusion":
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting._Loop, "_close_epoch", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        train_denoiser(again)
    monkeypatch.setattr(fitting._Loop, "_close_epoch", plain)
    for key, value in train_denoiser(again).state_dict().items():
        assert torch.equal(value, whole[key]), key


def test_draws_do_not_depend_on_how_conditions_are_batched(tiny, monkeypatch):
    """A condition's draws are its own: alone or among others, with the same noise, they are the same."""
    experiment = tiny(**QUICK, **SMALL)
    conditions, together = draw_days(experiment, torch.arange(500, 504))
    denoiser = train_denoiser(experiment)
    monkeypatch.setattr(sampling, "CONDITIONS_AT_ONCE", 2)
    assert torch.allclose(sample(denoiser, experiment, conditions, generator()), together, rtol=1e-3)
    assert not torch.allclose(together[:, 0], together[:, 1], rtol=0.1)


def test_the_task_says_what_it_trains_and_shows(tiny):
    experiment = tiny(**QUICK, **SMALL)
    task = task_of(experiment, "diffusion")
    ((run, job),) = task.trainings(experiment)
    assert run == run_of(experiment, "diffusion") and task.runs(experiment) == [run] and not run.finished
    assert job(representation(experiment)).schedule.epochs == 2
    task.train(experiment)
    assert run.finished and task.learns_from(experiment) == "downstream_train"
    assert task.baselines(experiment) == run_of(experiment, "baselines", "-diffusion")
    assert task.benchmark == CLIMATOLOGICAL
    assert [(measure.metric, measure.label) for measure in task.measures(experiment)] == [
        ("rrmse_percent", "diffusion RRMSE (%)"), ("std", "std of the draws")]
