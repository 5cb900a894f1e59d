"""Modes and sparse days, made up."""

import numpy as np
import torch

from sparta_core.modes import Modes

RATIOS = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)  # of masked values


def some_modes(count=24, variables=3, grid=(8, 16)):
    """Orthonormal patterns whose variances fall, with errors of every variable's own."""
    generator = np.random.default_rng(0)
    values = variables * grid[0] * grid[1]
    patterns = np.linalg.qr(generator.normal(size=(values, count)))[0].T
    made = patterns, 50 / (1 + np.arange(count)) ** 1.5, 0.1 + 0.2 * np.arange(variables)
    return Modes(*(torch.from_numpy(np.ascontiguousarray(x)).float() for x in made))


def sparse_days(grid=(8, 16), variables=3, days=4):
    """Values, without those masked, and the masks: `days` at each of the ratios, and one with half of the globe."""
    generator = torch.Generator().manual_seed(1)
    values = 2 * torch.randn(len(RATIOS) * days + 1, variables, *grid, generator=generator)
    masked = torch.tensor(RATIOS).repeat_interleave(days)[:, None, None, None]
    seen = (torch.rand(values[1:].shape, generator=generator) >= masked).float()
    half = torch.ones_like(values[:1])
    half[..., grid[1] // 2 :] = 0
    seen = torch.cat([seen, half])
    return values * seen, seen
