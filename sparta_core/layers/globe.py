"""Layers that know where they are: longitude goes round on a globe, places are kept, and norms see many values.

Not the paper's. Convolutions wrap longitude where it closes and repeat the outer rows and columns elsewhere, group
norms have eight channels, blocks are pre-activated (He et al., 2016b), and the last map is flattened, not pooled.
"""

from typing import TypeVar

from torch import Tensor, nn

from sparta_core.data.domain import pad_globe
from sparta_core.errors import ExperimentError

GROUP = 8  # channels of a norm's group
COARSEST = 4  # rows of the last map, at least
WIDEST = 4  # times the first stage's channels, at most
M = TypeVar("M", bound=nn.Module)


def check_groups(name: str, width: int, whose: str) -> None:
    """ExperimentError for a `width`, the setting called `name`, that is no whole number of groups."""
    if width % GROUP:
        raise ExperimentError(f"{name} is {width}; {whose} norms have eight channels a group, so it must be a "
                              f"multiple of {GROUP}")


class GlobeConv(nn.Conv2d):
    """A 3x3 convolution of maps (B, inputs, H, W) to (B, outputs, H, W); columns go round unless told otherwise.

    Args:
        inputs: channels.
        outputs: channels.
        stride: 2 halves the map.

    Example:
        >>> import torch
        >>> GlobeConv(5, 8, stride=2)(torch.zeros(1, 5, 32, 64)).shape
        torch.Size([1, 8, 16, 32])
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride)
        self.periodic = True

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad_globe(x, 1, self.periodic))


def around(network: M, periodic: bool) -> M:
    """Tell every convolution of a network whether columns go round."""
    for module in network.modules():
        if isinstance(module, GlobeConv):
            module.periodic = periodic
    return network


class GlobeBlock(nn.Module):
    """Norm, GELU and convolution, twice, added to the input (B, channels, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(layer for _ in range(2) for layer in (
            nn.GroupNorm(channels // GROUP, channels), nn.GELU(), GlobeConv(channels, channels))))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def stage_widths(rows: int, width: int) -> list[int]:
    """Channels of the stages, each on half the rows of the one before, down to COARSEST of them.

    Example:
        >>> stage_widths(32, 64)
        [64, 128, 256, 256]
    """
    halvings = max(0, (rows // COARSEST).bit_length() - 1)
    return [min(2**stage, WIDEST) * width for stage in range(halvings + 1)]
