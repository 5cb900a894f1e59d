"""An encoder that knows the globe, not the paper's: its last map is flattened, not pooled, so that places are kept."""

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from sparta_core.encoders import Encoder
from sparta_core.layers.globe import GROUP, GlobeBlock, GlobeConv, check_groups, stage_widths
from sparta_core.settings import Count, setting

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class GlobeChoice(Encoder, name="globe"):
    """Convolutions around the globe."""

    decoder = "globe"
    width: Count = setting(64, "channels of the first stage")

    def check(self, experiment: "Experiment") -> None:
        check_groups("width", self.width, "the globe's")

    def build(self, channels: int, outputs: int, view_size: tuple[int, int]) -> nn.Module:
        return GlobeEncoder(channels, outputs, view_size, self.width)


class GlobeEncoder(nn.Module):
    """Views (B, channels, h, w) to embeddings (B, outputs).

    Args:
        channels: of a view.
        outputs: size of the embedding.
        view_size: rows and columns of a view.
        width: channels of the first stage, a multiple of eight.

    Example:
        >>> import torch
        >>> GlobeEncoder(5, 48, (16, 32), 8)(torch.zeros(2, 5, 16, 32)).shape
        torch.Size([2, 48])
    """

    def __init__(self, channels: int, outputs: int, view_size: tuple[int, int], width: int) -> None:
        super().__init__()
        widths = stage_widths(view_size[0], width)
        self.stem = GlobeConv(channels, widths[0])
        self.stages = nn.Sequential(
            GlobeBlock(widths[0]),
            *(nn.Sequential(GlobeConv(a, b, stride=2), GlobeBlock(b)) for a, b in pairwise(widths)))
        rows, columns = (-(-size // 2 ** (len(widths) - 1)) for size in view_size)
        self.head = nn.Sequential(nn.GroupNorm(widths[-1] // GROUP, widths[-1]), nn.GELU(), nn.Flatten(),
                                  nn.Linear(widths[-1] * rows * columns, outputs))  # fmt: skip

    def forward(self, view: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(view)))
