"""Scores against hand-worked numbers and plain loops in float64."""

import math

import numpy as np
import pytest
import torch

from sparta_core.metrics.fields import acc, bias, rmse, rrmse

AREA = torch.tensor([[0.5, 0.5], [1.5, 1.5]])  # two latitudes


def fields(values):
    """One sample and one lead of a 2x2 grid per variable."""
    return torch.tensor(values, dtype=torch.float64)[None, None]


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_rrmse_by_hand():
    """Errors 1, 1, 3, 3 and 0: root of 20 / 8 over the mean of 2, 2, 2, 2, 6, 6, 6, 6."""
    truth = fields([[[2, 2], [2, 2]], [[6, 6], [6, 6]]])
    forecast = truth + fields([[[1, -1], [3, -3]], [[0, 0], [0, 0]]])
    assert float(rrmse(forecast, truth)) == pytest.approx(100 * math.sqrt(20 / 8) / 4)


def test_rrmse_pools_samples_before_the_root_and_keeps_leads_apart():
    truth = torch.ones(2, 2, 1, 2, 2)
    forecast = truth.clone()
    forecast[0, 1] += 2
    assert rrmse(forecast, truth).tolist() == pytest.approx([0, 100 * math.sqrt(2)])


def test_rrmse_divides_by_the_mean_not_the_mean_size():
    """Errors of 1 over the mean of 3, 3, -1, -1, as winds of either sign have it."""
    truth = fields([[[3, 3], [-1, -1]]])
    assert float(rrmse(truth + 1, truth)) == pytest.approx(100)


def test_rrmse_of_float32_fields_has_the_digits_of_float64():
    """A geopotential near 13,000 m2/s2 pooled over 10^5 values with one near 0."""
    scale = torch.tensor([13_000.0, 0.01])[:, None, None]
    truth = ((1 + 0.1 * random(50, 1, 2, 32, 64)) * scale).float()
    forecast = (truth.double() + 0.02 * random(50, 1, 2, 32, 64, seed=1) * scale).float()
    f, o = forecast.double().numpy(), truth.double().numpy()
    expected = 100 * math.sqrt(np.mean((f - o) ** 2)) / np.mean(o)
    assert float(rrmse(forecast, truth)) == pytest.approx(expected, rel=1e-12)


def test_rmse_and_bias_by_hand():
    """Errors 2 in the small row, 0 in the large: mean square 4 x 0.5 / 2, mean 2 x 0.5 / 2."""
    truth = fields([[[1, 1], [1, 1]]])
    forecast = fields([[[3, 3], [1, 1]]])
    assert float(rmse(forecast, truth, AREA)) == pytest.approx(1.0)
    assert float(bias(forecast, truth, AREA)) == pytest.approx(0.5)


def test_rmse_bias_and_acc_by_loops():
    f, o, c = random(3, 2, 2, 4, 6), random(3, 2, 2, 4, 6, seed=1), random(3, 2, 2, 4, 6, seed=2)
    area = torch.tensor([0.4, 1.6, 1.6, 0.4])[:, None] * torch.tensor([0.5, 1.5, 1, 1, 1.5, 0.5])
    weight = area.double().numpy() / 24
    for lead in range(2):
        for variable in range(2):
            errors, errors2, correlations = [], [], []
            for n in range(3):
                x, y, z = (a[n, lead, variable].numpy() for a in (f, o, c))
                errors.append((weight * (x - y)).sum())
                errors2.append((weight * (x - y) ** 2).sum())
                a, b = x - z, y - z
                correlations.append(
                    (weight * a * b).sum() / math.sqrt((weight * a**2).sum() * (weight * b**2).sum()))
            at = (lead, variable)
            assert float(bias(f, o, area)[at]) == pytest.approx(np.mean(errors), abs=1e-7)
            assert float(rmse(f, o, area)[at]) == pytest.approx(math.sqrt(np.mean(errors2)), abs=1e-7)
            assert float(acc(f, o, c, area)[at]) == pytest.approx(np.mean(correlations), abs=1e-7)


def test_acc_of_the_truth_its_opposite_and_the_climatology():
    o, c = random(4, 1, 2, 2, 8), random(4, 1, 2, 2, 8, seed=1)
    area = AREA[:, :1].expand(2, 8)
    assert acc(o, o, c, area).flatten().tolist() == pytest.approx([1, 1])
    assert acc(2 * c - o, o, c, area).flatten().tolist() == pytest.approx([-1, -1])
    assert acc(c, o, c, area).flatten().tolist() == [0, 0]
