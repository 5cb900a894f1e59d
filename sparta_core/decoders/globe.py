"""A decoder that knows the globe, not the paper's: the globe's encoder in reverse."""

from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn

from sparta_core.decoders import Decoder
from sparta_core.layers.globe import GROUP, GlobeBlock, GlobeConv, check_groups, stage_widths
from sparta_core.settings import Count, setting

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class GlobeChoice(Decoder, name="globe"):
    """Convolutions around the globe."""

    width: Count = setting(64, "channels of the first stage")

    def check(self, experiment: "Experiment") -> None:
        check_groups("width", self.width, "the globe's")

    def build(self, embedding: int, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
        return GlobeDecoder(embedding, channels, grid, self.width)


class GlobeDecoder(nn.Module):
    """Embeddings (B, embedding) to fields (B, channels, *grid): the encoder's maps in reverse.

    Args:
        embedding: its size.
        channels: variables.
        grid: rows and columns.
        width: channels of the last stage, a multiple of eight.

    Example:
        >>> import torch
        >>> GlobeDecoder(48, 5, (16, 32), 8)(torch.zeros(2, 48)).shape
        torch.Size([2, 5, 16, 32])
    """

    def __init__(self, embedding: int, channels: int, grid: tuple[int, int], width: int) -> None:
        super().__init__()
        self.grid, widths = grid, stage_widths(grid[0], width)[::-1]
        rows, columns = (-(-size // 2 ** (len(widths) - 1)) for size in grid)
        self.seed = nn.Sequential(nn.Linear(embedding, widths[0] * rows * columns),
                                  nn.Unflatten(1, (widths[0], rows, columns)))
        self.stages = nn.Sequential(
            GlobeBlock(widths[0]),
            *(nn.Sequential(nn.Upsample(scale_factor=2), GlobeConv(a, b), GlobeBlock(b)) for a, b in pairwise(widths)))
        self.last = nn.Sequential(nn.GroupNorm(widths[-1] // GROUP, widths[-1]), nn.GELU(),
                                  GlobeConv(widths[-1], channels))  # fmt: skip

    def forward(self, embedding: Tensor) -> Tensor:
        fields: Tensor = self.last(self.stages(self.seed(embedding)))
        return fields[..., : self.grid[0], : self.grid[1]]
