"""Ensemble scores against double sums, closed forms and ensembles whose truth is one of them."""

from math import pi

import numpy as np
import pytest
import torch
from scipy.special import ndtr

from sparta_core.errors import DataError
from sparta_core.metrics.ensembles import crps, rank_histogram, spread_skill

AREA = torch.tensor([0.6, 1.4, 1.0])[:, None].expand(3, 4)
SCORES = (crps, spread_skill, rank_histogram)


def made_up(days=20, members=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ensemble = 280 + torch.randn(days, members, 2, 3, 4, generator=generator)
    return ensemble, 280 + torch.randn(days, 2, 3, 4, generator=generator)


def test_crps_is_the_fair_double_sum():
    ensemble, truth = made_up()
    x, y = ensemble.double(), truth.double()
    members = x.shape[1]
    total = torch.zeros_like(y)
    for i in range(members):
        total += (x[:, i] - y).abs() / members
        for j in range(members):
            total -= (x[:, i] - x[:, j]).abs() / (2 * members * (members - 1))
    expected = (total * AREA.double()).mean((0, 2, 3))
    assert torch.allclose(crps(ensemble, truth, AREA), expected, rtol=1e-9)


def test_crps_of_a_gaussian_is_its_closed_form():
    """sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)) (Gneiting and Raftery, 2007); fair, so any M is unbiased."""
    mean, sigma, observed = 1.0, 2.0, 2.5
    z = (observed - mean) / sigma
    expected = sigma * (z * (2 * ndtr(z) - 1) + 2 * np.exp(-z * z / 2) / np.sqrt(2 * pi) - 1 / np.sqrt(pi))
    generator = torch.Generator().manual_seed(0)
    for members in (2, 50):
        ensemble = mean + sigma * torch.randn(40_000 // members, members, 1, 3, 4, generator=generator)
        truth = torch.full((len(ensemble), 1, 3, 4), observed)
        assert float(crps(ensemble, truth, AREA)) == pytest.approx(expected, rel=0.02)


def test_an_ensemble_that_is_right_knows_its_error():
    """Truth and members from one distribution: spread-skill 1 for any number of members, ranks flat."""
    for members in (3, 20):
        ensemble, truth = made_up(days=2000, members=members)
        assert spread_skill(ensemble, truth, AREA).tolist() == pytest.approx([1, 1], abs=0.02)
        flat = rank_histogram(ensemble, truth, AREA)
        assert torch.allclose(flat, torch.full_like(flat, 1 / (members + 1)), atol=0.01)


def test_an_ensemble_that_is_too_sure():
    ensemble, truth = made_up(days=500)
    narrow = 280 + (ensemble - 280) / 4
    assert (spread_skill(narrow, truth, AREA) < 0.4).all()
    ranks = rank_histogram(narrow, truth, AREA)
    assert (ranks[:, [0, -1]] > 2 * ranks[:, 1:-1].max(1, keepdim=True).values).all()


def test_spread_skill_written_out():
    ensemble, truth = made_up(days=3, members=4)
    x, y, area = ensemble.double().numpy(), truth.double().numpy(), AREA.double().numpy()
    variance = (x.var(1, ddof=1) * 5 / 4 * area).mean((0, 2, 3))
    error = ((x.mean(1) - y) ** 2 * area).mean((0, 2, 3))
    assert spread_skill(ensemble, truth, AREA).numpy() == pytest.approx(np.sqrt(variance / error), rel=1e-9)


def test_ranks_counted_by_hand():
    """Truth below, between and above two members; a row of the globe counts by its area."""
    ensemble = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 3, 1)
    truth = torch.tensor([0.5, 1.5, 2.5]).view(1, 1, 3, 1)
    assert rank_histogram(ensemble, truth, AREA[:, :1])[0].tolist() == pytest.approx([0.2, 1.4 / 3, 1 / 3])


@pytest.mark.parametrize("score", SCORES)
def test_chunks_change_nothing(score, monkeypatch):
    from sparta_core.metrics import ensembles

    ensemble, truth = made_up(days=33)
    whole = score(ensemble, truth, AREA)
    monkeypatch.setattr(ensembles, "DAYS_AT_ONCE", 5)
    assert torch.allclose(score(ensemble, truth, AREA), whole, rtol=1e-9)


@pytest.mark.parametrize("score", SCORES)
def test_nan_and_shapes_that_do_not_fit_are_refused(score):
    ensemble, truth = made_up(days=18)
    for spoilt in ("ensemble", "truth"):
        given = {"ensemble": ensemble.clone(), "truth": truth.clone()}
        given[spoilt][17, ..., 0, 0] = torch.nan
        with pytest.raises(DataError, match=f"{spoilt} has NaN"):
            score(**given, area=AREA)
    for bad in (ensemble[:, :1], ensemble[:17], ensemble[0], ensemble[..., :3]):
        with pytest.raises(DataError, match="does not fit a truth"):
            score(bad, truth, AREA)
    with pytest.raises(DataError, match="area has shape"):
        score(ensemble, truth, AREA[:1])
