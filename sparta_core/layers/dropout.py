"""ReLU and dropout in one that a CPU can afford: torch's own draws one slow Bernoulli number a value there."""

from typing import Any

import torch
from torch import Tensor, nn

from sparta_core.draws import BITS, keep_mask, random_bits


class ReLUDropout(nn.Dropout):
    """Dropout(ReLU(x)), on a CPU with masks cut from 64-bit draws of the global generator.

    Takes and gives tensors of any shape. Keeps nothing for the backward pass but the result: where it is positive,
    gradients pass.

    Example:
        >>> ReLUDropout(0.1).eval()(torch.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.p and x.device.type == "cpu":
            return _Thinned.apply(x, self.mask(x), 1 / (1 - round(self.p * 2**BITS) / 2**BITS))
        return super().forward(x.relu())

    def mask(self, x: Tensor) -> Tensor:
        """1 where a value of `x` stays, else 0; in dtype and layout as `x`."""
        dense = torch.empty_like(x, device="meta")  # whose strides are those of `x` without gaps
        mask = keep_mask(random_bits(x.numel(), x.device), torch.tensor(self.p), x.dtype)
        return mask.as_strided(x.shape, dense.stride())


class _Thinned(torch.autograd.Function):
    """scale * mask * ReLU(x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, scale: float) -> Tensor:
        y = x.relu().mul_(mask).mul_(scale)
        ctx.save_for_backward(y)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, y, 0).mul_(ctx.scale), None, None
