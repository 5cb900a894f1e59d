"""Sparsity: which values of a day are observed. A dropped value becomes 0, the training mean."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sparta_core.draws import keep_mask, random_bits


def draw_ratios(count: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """One ratio of dropped values per sample, uniform in [low, high); shape (count,)."""
    low, high = bounds
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def random_points(shape: Sequence[int], ratio: float | Tensor, generator: torch.Generator,
                  dtype: torch.dtype = torch.bool) -> Tensor:  # fmt: skip
    """Keep-mask (B, C, H, W): every variable and point is dropped by itself with probability `ratio`.

    `ratio` is one number or one per sample (B,), below 1, and met to 2**-16. True, or 1, where the value is observed.
    """
    ratio = torch.as_tensor(ratio, device=generator.device).view(-1, *[1] * (len(shape) - 1))
    return keep_mask(random_bits(math.prod(shape), generator.device, generator).view(*shape), ratio, dtype)
