"""Losses against slow float64 references, an outside library, closed forms and symmetries."""

import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss, SelfSupervisedLoss
from torch.nn import functional as F

from sparta_core.losses import cycle_consistency, nt_xent, reconstruction


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
