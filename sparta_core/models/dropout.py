"""Dropout that a CPU can afford: torch's own draws one slow Bernoulli number a value there."""

import torch
from torch import Tensor, nn

BITS = 16  # random bits a value: the share dropped is exact to 2**-16


class Dropout(nn.Dropout):
    """torch's Dropout, with masks cut from 64-bit draws of the global generator on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.p and x.device.type == "cpu"):
            return super().forward(x)
        dropped = round(self.p * 2**BITS)
        kept = _bits(x) >= dropped - 2 ** (BITS - 1)
        return x * kept.to(x.dtype).div_(1 - dropped / 2**BITS)


def _bits(x: Tensor) -> Tensor:
    """Uniform int16 of the shape and memory layout of `x`: four from each draw."""
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    dense = torch.empty_like(x, device="meta")  # whose strides are those of `x` without gaps
    return draws.view(torch.int16)[: x.numel()].as_strided(x.shape, dense.stride())
