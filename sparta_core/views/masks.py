"""Sparsity: which values of a day are observed. A dropped value becomes 0, the training mean."""

from collections.abc import Sequence

import torch
from torch import Tensor


def draw_ratios(count: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """One ratio of dropped values per sample, uniform in [low, high); shape (count,)."""
    low, high = bounds
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def random_points(shape: Sequence[int], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
    """Keep-mask (B, C, H, W): every variable and point is dropped by itself with probability `ratio`.

    `ratio` is one number or one per sample (B,). Returns True where the value is observed.
    """
    draw = torch.rand(tuple(shape), generator=generator, device=generator.device)
    if isinstance(ratio, Tensor):
        ratio = ratio.view(-1, *[1] * (len(shape) - 1))
    return draw >= ratio
