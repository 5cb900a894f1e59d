"""What stands where no network does."""

from torch import Tensor, nn


class Zeros(nn.Module):
    """Zeros (B, *shape) for whatever comes in (B, ...).

    Example:
        >>> import torch
        >>> Zeros(48)(torch.ones(2, 5, 16, 32)).shape
        torch.Size([2, 48])
    """

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x), *self.shape)
