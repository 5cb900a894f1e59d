"""ResNet-18 (He et al., 2016) with the paper's norms: BatchNorm in the stem, group norm after it."""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.encoders import Encoder
from sparta_core.errors import ExperimentError
from sparta_core.layers.norm import BatchNorm2d
from sparta_core.layers.strided import StridedConv2d
from sparta_core.settings import Count, setting
from sparta_core.typed import Table

POOLED = Table("head", {"pool": True, "flatten": False})  # whether a head takes the mean over the last map


class ResNet18Choice(Encoder, name="resnet18"):
    """The paper's encoder (section 3.1)."""

    width: Count = setting(64, "channels of the first stage")
    norm_groups: Count | None = setting(None, "groups of each norm; null: one a channel")
    head: Literal["pool", "flatten"] = setting("pool", "how the last map ends; flatten keeps where things are")

    def build(self, channels: int, outputs: int, view_size: tuple[int, int]) -> nn.Module:
        return ResNet18(channels, outputs, view_size, self.width, self.norm_groups, self.head)


def group_norm(channels: int, groups: int | None) -> nn.GroupNorm:
    """Group norm; None groups are the paper's one a channel. ExperimentError for groups that do not fit."""
    groups = groups or channels
    if channels % groups:
        raise ExperimentError(f"norm_groups is {groups}; it must divide every layer's channels, here {channels}")
    return nn.GroupNorm(groups, channels)


class MaxPool2d(nn.MaxPool2d):
    """torch's; on a CPU through channels-last, because in the usual layout it takes five times as long there."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not x.is_contiguous():
            return super().forward(x)
        if x.requires_grad:  # whoever made x would be slow with a gradient in another layout
            x.register_hook(Tensor.contiguous)
        return super().forward(x.contiguous(memory_format=torch.channels_last)).contiguous()


class BasicBlock(nn.Module):
    """Two 3x3 convolutions of maps (B, channels_in, h, w) beside a shortcut; halves the map when `stride` is 2."""

    def __init__(self, channels_in: int, channels: int, stride: int, groups: int | None) -> None:
        super().__init__()
        self.conv1 = StridedConv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.norm1 = group_norm(channels, groups)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = group_norm(channels, groups)
        self.shortcut = nn.Identity() if stride == 1 and channels_in == channels else nn.Sequential(
            StridedConv2d(channels_in, channels, 1, stride, bias=False), group_norm(channels, groups)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """Views (B, channels, h, w) to embeddings (B, outputs); paper, section 3.1.

    Args:
        channels: of a view.
        outputs: size of the embedding.
        view_size: rows and columns of a view.
        width: channels of the first stage.
        norm_groups: groups of each norm; None: one a channel, the paper's.
        head: "pool", the paper's mean over the last map, or "flatten", which keeps where things are.

    Raises:
        ExperimentError: for views so small that a norm would see one value, and groups that do not fit.

    Example:
        >>> ResNet18(5, 48, (72, 144), width=8)(torch.zeros(2, 5, 72, 144)).shape
        torch.Size([2, 48])
    """

    def __init__(self, channels: int, outputs: int, view_size: tuple[int, int], width: int = 64,
                 norm_groups: int | None = None, head: str = "pool") -> None:  # fmt: skip
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
            BatchNorm2d(width),
            MaxPool2d(3, stride=2, padding=1),
            nn.ReLU(),  # the same before the pooling, with four times the work
        )
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        self.stages = nn.Sequential(*(
            nn.Sequential(BasicBlock(before, after, 1 if before == after else 2, norm_groups),
                          BasicBlock(after, after, 1, norm_groups))
            for before, after in pairwise(widths)
        ))  # fmt: skip
        rows, columns = (-(-size // 32) for size in view_size)
        if norm_groups is None and rows * columns < 2:
            raise ExperimentError(
                f"view_size {view_size} leaves a 1x1 map, which one-channel norms set to 0; enlarge it past 32")
        pooled = POOLED[head]
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1) if pooled else nn.Identity(),
            nn.Flatten(),
            nn.Linear(widths[-1] * (1 if pooled else rows * columns), outputs),
        )
        self._initialise()

    def forward(self, view: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(view)))

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


