"""Losses against slow float64 references, an outside library, closed forms and symmetries."""

import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss, SupConLoss
from torch.nn import functional as F

from sparta_core.losses import (
    barlow_twins,
    cycle_consistency,
    nt_xent,
    reconstruction,
    supervised_contrast,
    vicreg,
    weighted_contrast,
)


def double_loop(p, q, temperature):
    """Equation 4, term by term."""
    z = torch.cat([p, q]).double()
    count = len(p)

    def s(a, b):
        return float(F.cosine_similarity(z[a], z[b], dim=0)) / temperature

    total = 0.0
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        others = sum(math.exp(s(i, k)) for k in range(2 * count) if k != i)
        total += -math.log(math.exp(s(i, partner)) / others)
    return total / (2 * count)


@pytest.mark.parametrize("temperature", [0.1, 0.3, 1.0])
def test_nt_xent_is_the_double_loop(temperature):
    p, q = torch.randn(2, 7, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert float(nt_xent(p, q, temperature)) == pytest.approx(double_loop(p, q, temperature), abs=1e-12)


def test_nt_xent_is_pytorch_metric_learnings():
    p, q = torch.randn(2, 42, 128, generator=torch.Generator().manual_seed(1))
    outside = SelfSupervisedLoss(NTXentLoss(temperature=0.3))(p, q)
    assert float(nt_xent(p, q, 0.3)) == pytest.approx(float(outside), abs=1e-5)


def test_nt_xent_is_symmetric_and_ignores_lengths_and_order():
    p, q = torch.randn(2, 9, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    loss = float(nt_xent(p, q, 0.3))
    order = torch.randperm(9)
    assert float(nt_xent(q, p, 0.3)) == pytest.approx(loss, abs=1e-12)
    assert float(nt_xent(3 * p, q / 7, 0.3)) == pytest.approx(loss, abs=1e-12)
    assert float(nt_xent(p[order], q[order], 0.3)) == pytest.approx(loss, abs=1e-12)
    assert float(nt_xent(p, q[order], 0.3)) != pytest.approx(loss, abs=1e-3)


@pytest.mark.parametrize("count", [2, 5, 126])
def test_equal_projections_cannot_be_told_apart(count):
    same = torch.ones(count, 4, dtype=torch.float64)
    assert float(nt_xent(same, same, 0.3)) == pytest.approx(math.log(2 * count - 1))


def test_nt_xent_gradient():
    p, q = torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    assert torch.autograd.gradcheck(lambda a, b: nt_xent(a, b, 0.3), (p.requires_grad_(), q.requires_grad_()))


def test_cycle_consistency_of_known_motions():
    """Zero on a straight line; (2 c d^2)^2 on the parabola c t^2 at distance d."""
    t, start, speed = 7.0, torch.randn(3, 4), torch.randn(3, 4)
    line = [start + speed * (t + d) for d in (-2, 0, 2)]
    assert float(cycle_consistency(*line)) == pytest.approx(0, abs=1e-9)
    parabola = [torch.full((3, 4), 0.5 * (t + d) ** 2) for d in (-2, 0, 2)]
    assert float(cycle_consistency(*parabola)) == pytest.approx((2 * 0.5 * 4) ** 2)


def test_cycle_consistency_of_white_noise_is_six_variances():
    noise = torch.randn(3, 2000, 100, generator=torch.Generator().manual_seed(4))
    assert float(cycle_consistency(*noise)) == pytest.approx(6, abs=0.1)


def test_reconstruction_is_the_sum_of_the_variables_errors():
    decoded, truth = torch.randn(2, 6, 5, 8, 16, generator=torch.Generator().manual_seed(5))
    by_variable = [float(((decoded - truth)[:, c] ** 2).mean()) for c in range(5)]
    assert float(reconstruction(decoded, truth)) == pytest.approx(sum(by_variable), rel=1e-6)
    assert float(reconstruction(truth + 2, truth)) == pytest.approx(5 * 4, rel=1e-5)


def two_views(count=6, size=8, seed=4):
    return torch.randn(2, count, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_supervised_contrast_is_the_double_loop():
    """Equation 2 of Khosla et al., term by term."""
    z, labels, temperature = torch.cat([*two_views()]), torch.tensor([0, 1, 1, 2, 0, 2] * 2), 0.2
    total = 0.0
    for i in range(12):
        others = [k for k in range(12) if k != i]
        s = {k: math.exp(float(F.cosine_similarity(z[i], z[k], dim=0)) / temperature) for k in others}
        positives = [k for k in others if labels[k] == labels[i]]
        total += -sum(math.log(s[k] / sum(s.values())) for k in positives) / len(positives)
    assert float(supervised_contrast(z, labels, temperature)) == pytest.approx(total / 12, abs=1e-12)


def test_supervised_contrast_is_pytorch_metric_learnings():
    z = torch.randn(40, 16, generator=torch.Generator().manual_seed(5))
    labels = torch.arange(40) % 4
    outside = SupConLoss(temperature=0.1)(z, labels)
    assert float(supervised_contrast(z, labels, 0.1)) == pytest.approx(float(outside), rel=1e-5)


def test_where_every_label_occurs_once_it_is_nt_xent():
    p, q = two_views()
    made = supervised_contrast(torch.cat([p, q]), torch.arange(6).repeat(2), 0.3)
    assert float(made) == pytest.approx(float(nt_xent(p, q, 0.3)), abs=1e-12)


def test_contrast_soft_in_time_is_the_double_loop_and_ends_as_nt_xent():
    """Every other view counts by the weight of its day; with all weight on the same day it is NT-Xent."""
    p, q = two_views()
    z, days = torch.cat([p, q]), torch.tensor([0.0, 1, 2, 5, 9, 20]).double()
    weights = 2 * torch.sigmoid(-0.5 * (days[:, None] - days).abs()).repeat(2, 2)
    total = 0.0
    for i in range(12):
        others = [k for k in range(12) if k != i]
        s = {k: math.exp(float(F.cosine_similarity(z[i], z[k], dim=0)) / 0.3) for k in others}
        whole = sum(float(weights[i, k]) for k in others)
        total += -sum(float(weights[i, k]) * math.log(s[k] / sum(s.values())) for k in others) / whole
    assert float(weighted_contrast(z, weights, 0.3)) == pytest.approx(total / 12, abs=1e-12)
    alone = 2 * torch.sigmoid(-1e4 * (days[:, None] - days).abs()).repeat(2, 2)
    assert float(weighted_contrast(z, alone, 0.3)) == pytest.approx(float(nt_xent(p, q, 0.3)), abs=1e-12)


def test_barlow_twins_is_the_double_loop():
    p, q = two_views(10, 5)
    total = 0.0
    for i in range(5):
        for j in range(5):
            c = float(np.corrcoef(p[:, i], q[:, j])[0, 1])
            total += (1 - c) ** 2 if i == j else 0.02 * c**2
    assert float(barlow_twins(p, q, 0.02)) == pytest.approx(total, abs=1e-12)


def test_barlow_twins_ignores_the_scale_and_the_mean_of_features():
    p, q = two_views(10, 5)
    scale = torch.tensor([1.0, 2, 3, 4, 0.1])
    assert float(barlow_twins(p * scale + 7, q, 0.01)) == pytest.approx(float(barlow_twins(p, q, 0.01)), abs=1e-12)


def test_vicreg_by_hand():
    """All three terms by numpy: 25, 25 and 1 of them."""
    p, q = (0.7 * x for x in two_views(10, 5))
    expected = 25 * float((p - q).square().mean())
    for x in (p.numpy(), q.numpy()):
        matrix = np.cov(x.T)
        expected += 25 * np.clip(1 - np.sqrt(np.diag(matrix) + 1e-4), 0, None).mean()
        expected += (np.square(matrix).sum() - np.square(np.diag(matrix)).sum()) / 5
    assert float(vicreg(p, q, 25.0, 25.0, 1.0)) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("loss", [
    lambda p, q: supervised_contrast(torch.cat([p, q]), torch.tensor([0, 1, 0, 1, 2, 2]).repeat(2), 0.3),
    lambda p, q: barlow_twins(p, q, 0.01), lambda p, q: vicreg(0.2 * p, 0.2 * q, 25.0, 25.0, 1.0),
])  # fmt: skip
def test_gradients_of_two_views(loss):
    p, q = two_views()
    assert torch.autograd.gradcheck(loss, (p.requires_grad_(), q.requires_grad_()))
