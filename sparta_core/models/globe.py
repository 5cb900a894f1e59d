"""Encoder and decoder that know the globe: longitude goes round, places are kept, and norms see many values.

Not the paper's. Convolutions wrap longitude and repeat the rows next to the poles, group norms have eight channels,
blocks are pre-activated (He et al., 2016b), and the last map is flattened, not pooled.
"""

from itertools import pairwise

from torch import Tensor, nn

from sparta_core.data.domain import pad_globe

GROUP = 8  # channels of a norm's group
COARSEST = 4  # rows of the last map, at least
WIDEST = 4  # times the first stage's channels, at most


class GlobeConv(nn.Conv2d):
    """A 3x3 convolution of maps (B, C, H, W) whose columns go round the globe."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad_globe(x, 1, periodic=True))


class GlobeBlock(nn.Module):
    """Norm, GELU and convolution, twice, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(layer for _ in range(2) for layer in (
            nn.GroupNorm(channels // GROUP, channels), nn.GELU(), GlobeConv(channels, channels))))  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def stage_widths(rows: int, width: int) -> list[int]:
    """Channels of the stages, each on half the rows of the one before, down to COARSEST of them."""
    halvings = max(0, (rows // COARSEST).bit_length() - 1)
    return [min(2**stage, WIDEST) * width for stage in range(halvings + 1)]


class GlobeEncoder(nn.Module):
    """Views (B, channels, h, w) to embeddings (B, outputs)."""

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


class GlobeDecoder(nn.Module):
    """Embeddings (B, embedding) to fields (B, channels, H, W): the encoder's maps in reverse."""

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
