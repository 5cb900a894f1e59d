"""The geometry of latent space against paths whose geometry is known."""

import numpy as np
import pytest
import torch

from sparta_core.errors import DataError
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.latent import scores as latents
from sparta_core.tasks.latent.scores import (
    analogues,
    distance_scores,
    path_scores,
    pca,
    random_pair_distance,
    season_agreement,
    tsne,
)
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation

SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)


def noise(count, size=8, seed=0):
    return torch.randn(count, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_white_noise_has_distances_in_closed_form():
    """Temporal 2 sigma^2 E, the same as random pairs; cycle 6 sigma^2 E; their ratio 3."""
    made = path_scores(3 * noise(100_000))
    assert float(made.temporal_distance_mean) == pytest.approx(2 * 9 * 8, rel=0.02)
    assert float(made.cycle_distance_mean) == pytest.approx(6 * 9 * 8, rel=0.02)
    assert float(made.temporal_distance_scaled) == pytest.approx(1, rel=0.02)
    assert float(made.cycle_over_temporal) == pytest.approx(3, rel=0.02)


def test_a_straight_path_has_no_second_difference():
    made = path_scores(torch.arange(50.0)[:, None] * torch.tensor([3.0, 4.0]))
    assert float(made.temporal_distance_mean) == pytest.approx(25)
    assert float(made.temporal_distance_std) == float(made.cycle_distance_mean) == float(made.cycle_over_temporal) == 0


def test_scaled_distances_do_not_know_the_size_of_the_space():
    z = noise(40).cumsum(0)
    small, large = path_scores(z), path_scores(100 * z)
    for name in ("temporal_distance_scaled", "cycle_distance_scaled", "cycle_over_temporal"):
        assert float(small[name]) == pytest.approx(float(large[name]), rel=1e-9)
    assert float(large.temporal_distance_mean) == pytest.approx(1e4 * float(small.temporal_distance_mean))


def test_random_pairs_are_all_pairs():
    z = noise(13)
    pairs = [float((a - b).square().sum()) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]
    assert random_pair_distance(z) == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("bad", [noise(2), torch.full((5, 3), torch.nan)])
def test_paths_that_have_no_geometry(bad):
    with pytest.raises(DataError, match="three days or more and finite"):
        path_scores(bad)


def test_clusters_that_are_the_seasons_agree_and_noise_does_not():
    seasons = np.arange(200) % 4
    apart = noise(200) * 0.1 + 10 * torch.eye(8, dtype=torch.float64)[seasons]
    assert season_agreement(apart, seasons, 0) == pytest.approx((1, 1))
    ari, nmi = season_agreement(noise(200), seasons, 0)
    assert abs(ari) < 0.05 and nmi < 0.1


def test_principal_components_against_the_singular_values():
    z = noise(60) * torch.arange(1, 9)
    points, explained = pca(z, 3)
    values = torch.linalg.svdvals(z - z.mean(0))
    assert explained == pytest.approx((values.square() / values.square().sum())[:3].numpy())
    assert np.square(points).sum(0) == pytest.approx(values[:3].square().numpy())


def test_neighbours_stay_neighbours_in_tsne():
    """Three groups far apart: every point's nearest in the plane is of its own group."""
    groups = np.repeat([0, 1, 2], 15)
    points = tsne(noise(45) + 40 * torch.eye(8, dtype=torch.float64)[groups], 0)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(45)
    assert (groups[distance.argmin(1)] == groups).all()


def test_analogues_lie_in_the_past_and_nearest_first():
    z = torch.tensor([[5.0], [1.0], [3.0], [2.2], [2.0], [2.1], [2.0]])
    days, distances = analogues(z, day=6, count=3, gap=2)
    assert days.tolist() == [4, 3, 1] and distances.tolist() == pytest.approx([0, 0.2, 1])
    assert len(analogues(z, day=1, count=3, gap=2)[0]) == 0


def test_scores_of_a_representation(tiny, monkeypatch):
    """On the first downstream days, masked as downstream; a day is farther from itself the more is masked."""
    experiment = tiny(**SETTINGS)
    made = distance_scores(experiment, days=40, ratios=(0.1, 0.9))
    model, days = representation(experiment), open_record(experiment).split("downstream")[:40]
    z = embed(model, days, 0.7, torch.Generator().manual_seed(0)).double()
    expected = (z[1:] - z[:-1]).square().sum(1).mean().item()
    assert made.temporal_distance_mean.item() == pytest.approx(expected, rel=1e-5)
    whole = embed(model, days).double()
    sparse = embed(model, days, 0.9, torch.Generator().manual_seed(0)).double()
    pairs = random_pair_distance(whole)
    apart = (sparse - whole).square().sum(1).mean().item() / pairs
    assert made.sparse_to_full.sel(ratio=0.9).item() == pytest.approx(apart, rel=1e-5)
    assert made.sparse_to_full.sel(ratio=0.1) < made.sparse_to_full.sel(ratio=0.9)
    assert made.attrs["days"] == 40 and made.attrs["mask_ratio"] == 0.7

    def never(*_):
        raise AssertionError("scored twice")

    monkeypatch.setattr(latents, "path_scores", never)
    assert distance_scores(experiment, days=40, ratios=(0.1, 0.9)).equals(made)
