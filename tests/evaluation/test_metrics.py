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
    assert skill(torch.tensor([0.0, 1, 2]), torch.ones(3)).tolist() == [1, 0, -1]


def test_psnr_of_a_constant_error():
    """A tenth of the range everywhere is 20 dB; the range is each variable's."""
    truth = torch.zeros(2, 1, 2, 16, 16)
    low, high = torch.tensor([0.0, -5.0]), torch.tensor([1.0, 15.0])
    error = torch.tensor([0.1, 0.2])[:, None, None]
    assert psnr(truth + error, truth, low, high)[0].tolist() == pytest.approx([20, 40], rel=1e-6)


def test_psnr_of_equal_fields_is_infinite():
    truth = random(2, 1, 1, 4, 4)
    assert psnr(truth, truth, torch.zeros(1), torch.ones(1)).tolist() == [[math.inf]]


def test_psnr_pools_the_samples_before_the_logarithm():
    """Errors 0.2 and 0: mean square 0.02; the mean of the samples' decibels would be infinite."""
    truth = torch.zeros(2, 1, 1, 4, 4, dtype=torch.float64)
    forecast = truth.clone()
    forecast[0] = 0.2
    score = psnr(forecast, truth, torch.zeros(1), torch.ones(1))
    assert score.shape == (1, 1) and float(score) == pytest.approx(-10 * math.log10(0.02))


def slow_ssim(a, b):
    """Wang et al. (2004) by loops: Gaussian windows of 11 points, sigma 1.5, mirrored at the edges."""
    line = np.exp(-np.arange(-5, 6) ** 2 / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    x, y = (np.pad(field, 5, mode="reflect") for field in (a, b))
    total = 0.0
    for i, j in np.ndindex(*a.shape):
        p, q = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
        m, n = (window * p).sum(), (window * q).sum()
        v, w = (window * (p - m) ** 2).sum(), (window * (q - n) ** 2).sum()
        c = (window * (p - m) * (q - n)).sum()
        total += (2 * m * n + 1e-4) * (2 * c + 9e-4) / ((m**2 + n**2 + 1e-4) * (v + w + 9e-4))
    return total / a.size


def test_ssim_by_loops_on_scaled_fields():
    """Mean of the samples, each variable in its own range."""
    generator = torch.Generator().manual_seed(5)
    o = torch.rand(2, 2, 2, 12, 14, dtype=torch.float64, generator=generator)
    f = 0.6 * o + 0.4 * torch.rand(2, 2, 2, 12, 14, dtype=torch.float64, generator=generator)
    low, span = torch.tensor([-3.0, 250.0]), torch.tensor([8.0, 60.0])
    wide = [x * span.view(-1, 1, 1) + low.view(-1, 1, 1) for x in (f, o)]
    made = ssim(*wide, low, low + span)
    for lead, variable in np.ndindex(2, 2):
        pairs = zip(f[:, lead, variable].numpy(), o[:, lead, variable].numpy(), strict=True)
        expected = np.mean([slow_ssim(x, y) for x, y in pairs])
        assert 0.3 < expected < 0.95
        assert float(made[lead, variable]) == pytest.approx(expected, abs=2e-5)  # in float32


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


def test_a_climatology_that_is_not_finite_or_of_another_shape_is_refused():
    with pytest.raises(DataError, match="climatology has NaN or infinite"):
        acc(ONES, ONES, ONES * math.nan, AREA)
    with pytest.raises(DataError, match=r"climatology has shape \(1, 1, 1, 2, 1\)"):
        acc(ONES, ONES, ONES[..., :1], AREA)


ZERO, ONE = torch.zeros(1), torch.ones(1)
ARGUMENTS = {
    "rmse area": lambda bad: rmse(ONES, ONES, bad(AREA)),
    "bias area": lambda bad: bias(ONES, ONES, bad(AREA)),
    "acc area": lambda bad: acc(ONES, ONES, ONES, bad(AREA)),
    "psnr low": lambda bad: psnr(ONES, ONES, bad(ZERO), ONE),
    "psnr high": lambda bad: psnr(ONES, ONES, ZERO, bad(ONE)),
    "ssim low": lambda bad: ssim(ONES, ONES, bad(ZERO), ONE),
    "ssim high": lambda bad: ssim(ONES, ONES, ZERO, bad(ONE)),
    "skill error": lambda bad: skill(bad(AREA), AREA),
    "skill reference": lambda bad: skill(AREA, bad(AREA)),
}


@pytest.mark.parametrize("call", ARGUMENTS)
def test_weights_ranges_and_errors_are_checked_by_name(call):
    name = call.split()[1]
    with pytest.raises(DataError, match=f"{name} has NaN or infinite"):
        ARGUMENTS[call](lambda x: x + math.nan)
    wrong = "error|reference" if "skill" in call else name  # either of two that do not agree
    with pytest.raises(DataError, match=rf"({wrong}) has shape"):
        ARGUMENTS[call](lambda x: torch.cat([x, x[:1]]))


def test_one_weight_or_range_is_not_stretched_over_many():
    two = torch.ones(1, 1, 2, 2, 2)
    with pytest.raises(DataError, match=r"area has shape \(1,\); the score needs \(2,\)"):
        rmse(two, two, ONE)
    with pytest.raises(DataError, match=r"low has shape \(1,\); the score needs \(2,\)"):
        psnr(two, two, ZERO, torch.ones(2))


@pytest.mark.parametrize("score", [psnr, ssim])
def test_a_range_of_nothing_is_refused(score):
    with pytest.raises(DataError, match="high is not above low"):
        score(ONES, ONES, ONE, ONE)


@pytest.mark.parametrize("name", CALLS)
def test_shapes_that_would_broadcast_are_refused(name):
    with pytest.raises(DataError, match=r"forecast has shape \(1, 1, 1, 1, 2\)"):
        CALLS[name](ONES[..., :1, :], ONES)
