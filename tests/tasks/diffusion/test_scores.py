"""Scores of generated days: density and realism against double loops, the rest against the metrics they are made of."""

import json
from math import exp

import pytest
import torch

from sparta_core.errors import DataError
from sparta_core.metrics import ensembles
from sparta_core.metrics import fields as metrics
from sparta_core.tasks import task_of
from sparta_core.tasks.diffusion import CLIMATOLOGICAL, day, scores, train_denoiser
from sparta_core.tasks.diffusion.day import diffusion_scores, draw_days
from sparta_core.tasks.diffusion.sampling import sample
from sparta_core.tasks.diffusion.scores import latent_density, realism
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation

SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)
SETTINGS |= {"diffusion_widths": (16, 8), "diffusion_epochs": 1, "draws": 3, "sampler": "ddim", "quick_steps": 4}


def embeddings(seed, count, size=6):
    return 10 * torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def test_density_and_realism_against_a_double_loop():
    generated, real = embeddings(0, 7), embeddings(1, 15)
    density, real_enough = [], []
    for g in generated.double():
        density.append(sum(exp(-float((g - r).square().sum()) / 800) for r in real.double()) / len(real))
        ratios = []
        for k, r in enumerate(real.double()):
            others = sorted(float((r - o).norm()) for j, o in enumerate(real.double()) if j != k)
            ratios.append(others[4] / float((g - r).norm()))
        real_enough.append(max(ratios))
    assert latent_density(generated, real).tolist() == pytest.approx(density, rel=1e-9)
    assert realism(generated, real).tolist() == pytest.approx(real_enough, rel=1e-9)


def test_realism_tells_near_from_far():
    real = embeddings(1, 200)
    near, far = realism(torch.stack([0.9 * real[0] + 0.1 * real[1], real[0] + 500]), real)
    assert near > 1 > far


@pytest.mark.parametrize("score", [latent_density, realism])
def test_embeddings_that_cannot_be_scored(score):
    bad = embeddings(0, 7)
    bad[3, 2] = torch.nan
    for pair in ((bad, embeddings(1, 9)), (embeddings(1, 9), bad)):
        with pytest.raises(DataError, match="NaN"):
            score(*pair)
    with pytest.raises(DataError, match="cannot be compared"):
        score(embeddings(0, 7), embeddings(1, 9, size=5))


def test_realism_needs_neighbours():
    with pytest.raises(DataError, match="needs more than 5"):
        realism(embeddings(0, 3), embeddings(1, 5))


def test_scores_are_those_of_the_draws(tiny, monkeypatch):
    """The mean draw is decoded and scored, the draws are the ensemble; scored once, and again with other settings."""
    experiment = tiny(**SETTINGS)
    made = diffusion_scores(experiment)
    record, model = open_record(experiment), representation(experiment)
    days = torch.as_tensor(record.splits["downstream_test"])
    conditions, draws = draw_days(experiment, days)
    again = embed(model, record.take(days), 0.7, torch.Generator().manual_seed(0))
    assert torch.equal(conditions, again)
    assert torch.equal(draws, sample(train_denoiser(experiment), experiment, conditions,
                                     torch.Generator().manual_seed(0)))  # fmt: skip
    truth = record.physical(record.values[days])
    mean = record.physical(decode(model, draws.mean(1)))
    direct = record.physical(decode(model, conditions))
    assert made.rrmse.item() == pytest.approx(metrics.rrmse(mean[:, None], truth[:, None]).item(), rel=1e-4)
    assert made.direct_rrmse.item() == pytest.approx(metrics.rrmse(direct[:, None], truth[:, None]).item(), rel=1e-4)
    assert made["std"].item() == pytest.approx(draws.std().item(), rel=1e-4)
    assert made.conditional_std.item() == pytest.approx(draws.std(1).mean().item(), rel=1e-4)
    ensemble = record.physical(decode(model, draws))
    assert made.crps.values == pytest.approx(ensembles.crps(ensemble, truth, record.cell_area).numpy(), rel=1e-4)
    reference = task_of(experiment, "diffusion").score_baselines(experiment).sel(model=CLIMATOLOGICAL)
    assert made.crps_skill.values == pytest.approx(1 - made.crps.values / reference.crps.values)
    assert made.ranks.sum("rank").values == pytest.approx([1] * 5)

    def never(*_):
        raise AssertionError("scored twice")

    monkeypatch.setattr(day, "draw_days", never)
    assert diffusion_scores(experiment).equals(made)
    with pytest.raises(AssertionError, match="scored twice"):
        diffusion_scores(experiment.replace(sampler="dpm-solver++"))


def test_the_papers_rrmse_is_the_mean_of_its_batches(tiny, monkeypatch):
    record = open_record(tiny())
    days = torch.arange(500, 510)
    made = record.physical(record.values[days + 3])
    truth = record.physical(record.values[days])
    monkeypatch.setattr(scores, "CONDITIONS_AT_ONCE", 6)
    batches = [metrics.rrmse(made[k][:, None], truth[k][:, None]).item() for k in (slice(6), slice(6, 10))]
    assert scores.mean_scores(record, made, days).rrmse.item() == pytest.approx(sum(batches) / 2)


def test_rows_are_means_over_variables_in_the_papers_units(tiny):
    experiment = tiny(**SETTINGS)
    made, task = diffusion_scores(experiment), task_of(experiment, "diffusion")
    rows = {metric: value for model, setup, metric, value in json.loads(made.attrs["rows"])
            if (model, setup) == ("", "mask0.7")}  # fmt: skip
    assert rows == pytest.approx({
        "rrmse_percent": made.rrmse.item(), "direct_rrmse_percent": made.direct_rrmse.item(),
        "std": made["std"].item(), "conditional_std": made.conditional_std.item(),
        "latent_density": made.latent_density.item(), "realism": made.realism.item(),
        "ssim_percent": 100 * made.ssim.values.mean(), "psnr_db": made.psnr.values.mean(),
        "crps_skill": made.crps_skill.values.mean(), "spread_skill": made.spread_skill.values.mean()})  # fmt: skip
    models = {(model, metric) for model, _, metric, _ in json.loads(task.score_baselines(experiment).attrs["rows"])}
    shown = ("rrmse_percent", "ssim_percent", "psnr_db", "spread_skill")
    assert models == {(CLIMATOLOGICAL, metric) for metric in shown}
    assert json.loads(diffusion_scores(experiment, 8).attrs["rows"]) == []  # of some days only: not the card's
