"""Batch norm over all processes' samples: torch's own does that on GPUs only."""

import torch
from torch import Tensor, nn

from sparta_core.processes import Share, summed


class BatchNorm2d(nn.BatchNorm2d):
    """torch's of maps (B, C, H, W); while several processes train, with the statistics of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or Share.here().processes == 1:
            return super().forward(x)
        precise = x.to(torch.promote_types(x.dtype, torch.float32))
        count = summed(precise.new_tensor(x.numel() / x.shape[1]))
        mean = summed(precise.sum((0, 2, 3))) / count
        centred = precise - mean.view(-1, 1, 1)
        variance = summed(centred.square().sum((0, 2, 3))) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """As torch does, the variance unbiased."""
        assert self.momentum is not None and self.running_mean is not None and self.running_var is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
