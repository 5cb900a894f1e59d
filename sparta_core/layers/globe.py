"""Layers that know the globe: longitude goes round, places are kept, and norms see many values.

Not the paper's. Convolutions wrap longitude and repeat the rows next to the poles, group norms have eight channels,
blocks are pre-activated (He et al., 2016b), and the last map is flattened, not pooled.
"""

from torch import Tensor, nn

from sparta_core.data.domain import pad_globe
from sparta_core.errors import ExperimentError

GROUP = 8  # channels of a norm's group
COARSEST = 4  # rows of the last map, at least
WIDEST = 4  # times the first stage's channels, at most


def check_groups(name: str, width: int, whose: str) -> None:
    """ExperimentError for a `width`, the setting called `name`, that is no whole number of groups."""
    if width % GROUP:
        raise ExperimentError(f"{name} is {width}; {whose} norms have eight channels a group, so it must be a "
                              f"multiple of {GROUP}")


class GlobeConv(nn.Conv2d):
    """A 3x3 convolution of maps (B, inputs, H, W) whose columns go round the globe, to (B, outputs, H, W).

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

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad_globe(x, 1, periodic=True))


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
