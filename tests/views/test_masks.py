"""Masks keep what they should, and variables and points are dropped independently."""

import pytest
import torch

from sparta_core.observe.masks import draw_ratios, random_points


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.7, 0.9, 0.999])
def test_kept_fraction_within_four_sigma(ratio):
    keep = random_points((8, 5, 72, 144), ratio, generator())
    sigma = (ratio * (1 - ratio) / keep.numel()) ** 0.5
    assert abs(keep.double().mean() - (1 - ratio)) <= 4 * sigma


def test_each_sample_has_its_own_ratio():
    ratio = torch.tensor([0.1, 0.5, 0.9])
    kept = random_points((3, 5, 72, 144), ratio, generator()).double().mean((1, 2, 3))
    assert kept.tolist() == pytest.approx((1 - ratio).tolist(), abs=4 * 0.5 / (5 * 72 * 144) ** 0.5)


def test_variables_are_dropped_independently():
    """The correlation of two variables' masks is 0 within four sigma, 1 / sqrt(pixels)."""
    keep = random_points((4, 5, 72, 144), 0.7, generator()).double().transpose(0, 1).flatten(1)
    off_diagonal = torch.corrcoef(keep) - torch.eye(5)
    assert off_diagonal.abs().max() < 4 / keep.shape[1] ** 0.5


def test_neighbouring_points_are_dropped_independently():
    keep = random_points((4, 5, 72, 144), 0.7, generator()).double() - 0.3
    correlation = (keep[..., 1:] * keep[..., :-1]).mean() / 0.21
    assert abs(correlation) < 4 / (4 * 5 * 72 * 143) ** 0.5


def test_ratios_are_uniform_between_their_bounds():
    ratios = draw_ratios(100_000, (0.5, 0.9), generator())
    assert ratios.min() >= 0.5 and ratios.max() < 0.9 + 1e-6
    for quantile in (0.1, 0.5, 0.9):
        assert ratios.quantile(quantile) == pytest.approx(0.5 + 0.4 * quantile, abs=0.003)
