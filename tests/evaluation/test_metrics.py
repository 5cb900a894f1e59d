"""Scores against hand-worked numbers and plain loops in float64."""

import math

import numpy as np
import pytest
import torch

from sparta_core.data.grid import cell_area
from sparta_core.errors import DataError
from sparta_core.evaluation.metrics import acc, bias, psnr, rmse, rrmse, skill, ssim

AREA = torch.tensor([0.5, 1.5])  # two latitudes


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


def test_rmse_and_bias_by_hand():
    """Errors 2 in the small row, 0 in the large: mean square 4 x 0.5 / 2, mean 2 x 0.5 / 2."""
    truth = fields([[[1, 1], [1, 1]]])
    forecast = fields([[[3, 3], [1, 1]]])
    assert float(rmse(forecast, truth, AREA)) == pytest.approx(1.0)
    assert float(bias(forecast, truth, AREA)) == pytest.approx(0.5)


def test_rmse_bias_and_acc_by_loops():
    f, o, c = random(3, 2, 2, 4, 6), random(3, 2, 2, 4, 6, seed=1), random(3, 2, 2, 4, 6, seed=2)
    area = torch.tensor([0.4, 1.6, 1.6, 0.4])
    weight = np.repeat(area.double().numpy()[:, None], 6, 1) / 24
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
    assert acc(o, o, c, AREA).flatten().tolist() == pytest.approx([1, 1])
    assert acc(2 * c - o, o, c, AREA).flatten().tolist() == pytest.approx([-1, -1])
    assert acc(c, o, c, AREA).flatten().tolist() == [0, 0]


def test_area_weights_sum_to_the_number_of_latitudes():
    latitude = np.linspace(-87.1875, 87.1875, 32)
    weights = cell_area(latitude)
    edges = np.deg2rad(np.linspace(-90, 90, 33))
    assert weights.sum() == pytest.approx(32)
    assert weights == pytest.approx(np.diff(np.sin(edges)) * 16, rel=1e-6)


def test_large_fields_keep_small_errors():
    """An error of 0.5 on a geopotential of 60,000 m2/s2, which float32 sums would blur."""
    truth = torch.full((4, 1, 1, 32, 64), 60_000.0)
    error = rmse(truth + 0.5, truth, torch.ones(32))
    assert float(error) == pytest.approx(0.5, rel=1e-9)


def test_skill():
    assert skill(torch.tensor([0.0, 1, 2]), torch.tensor(1.0)).tolist() == [1, 0, -1]


def test_psnr_of_a_constant_error():
    """A tenth of the range everywhere is 20 dB; the range is each variable's."""
    truth = torch.zeros(2, 1, 2, 16, 16)
    low, high = torch.tensor([0.0, -5.0]), torch.tensor([1.0, 15.0])
    error = torch.tensor([0.1, 0.2])[:, None, None]
    assert psnr(truth + error, truth, low, high)[0].tolist() == pytest.approx([20, 40], rel=1e-6)


def test_ssim_of_equal_and_of_constant_fields():
    """Two constants a and b have SSIM (2ab + C1) / (a^2 + b^2 + C1) with C1 = 0.01^2."""
    truth = random(2, 1, 1, 16, 16)
    zero, one = torch.zeros(1), torch.ones(1)
    assert float(ssim(truth, truth, zero, one)) == pytest.approx(1)
    a, b = torch.full((1, 1, 1, 16, 16), 0.2), torch.full((1, 1, 1, 16, 16), 0.6)
    expected = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert float(ssim(a, b, zero, one)) == pytest.approx(expected, rel=2e-4)  # in float32
    assert float(ssim(a * 10 - 5, b * 10 - 5, zero - 5, one * 5)) == pytest.approx(expected, rel=2e-4)


def test_ssim_sees_each_variable_by_itself():
    o = random(3, 2, 2, 16, 16).abs().clamp(max=1)
    f = o.clone()
    f[:, :, 1] = random(3, 2, 16, 16, seed=3).abs().clamp(max=1)
    scores = ssim(f, o, torch.zeros(2), torch.ones(2))
    assert scores[:, 0].tolist() == pytest.approx([1, 1]) and scores[:, 1].max() < 0.5


ONES = torch.ones(1, 1, 1, 2, 2)
CALLS = {
    "rrmse": lambda f, o: rrmse(f, o),
    "rmse": lambda f, o: rmse(f, o, AREA),
    "bias": lambda f, o: bias(f, o, AREA),
    "acc": lambda f, o: acc(f, o, ONES, AREA),
    "psnr": lambda f, o: psnr(f, o, torch.zeros(1), torch.ones(1)),
    "ssim": lambda f, o: ssim(f, o, torch.zeros(1), torch.ones(1)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(name, value):
    bad = ONES.clone()
    bad[..., 0, 0] = value
    with pytest.raises(DataError, match="forecast has NaN or infinite"):
        CALLS[name](bad, ONES)
    with pytest.raises(DataError, match="truth has NaN or infinite"):
        CALLS[name](ONES, bad)


@pytest.mark.parametrize("name", CALLS)
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(DataError, match=r"forecast has shape \(1, 1, 1, 1, 2\)"):
        CALLS[name](ONES[..., :1, :], ONES)
