"""Dropout that a CPU can afford: torch's own draws one slow Bernoulli number a value there."""

import torch
from torch import Tensor, nn

from sparta_core.draws import BITS, kept, random_bits


class Dropout(nn.Dropout):
    """torch's Dropout, with masks cut from 64-bit draws of the global generator on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and self.p and x.device.type == "cpu"):
            return super().forward(x)
        dense = torch.empty_like(x, device="meta")  # whose strides are those of `x` without gaps
        bits = random_bits(x.numel(), x.device).as_strided(x.shape, dense.stride())
        return x * kept(bits, torch.tensor(self.p), x.dtype).div_(1 - round(self.p * 2**BITS) / 2**BITS)
