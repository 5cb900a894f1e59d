"""From an embedding back to the globe (paper, section 3.1): transposed convolutions from a 1x2 map."""

from itertools import pairwise

from torch import Tensor, nn

from sparta_core.decoders import Decoder
from sparta_core.errors import ExperimentError
from sparta_core.layers.dropout import ReLUDropout

NARROWEST = 15  # channels of the paper's last block; blocks beyond its five keep them


class ResNet18Choice(Decoder, name="resnet18"):
    """The paper's decoder (section 3.1)."""

    def build(self, embedding: int, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
        return TransposedDecoder(embedding, channels, grid, autoencoder)


class ResidualBlock(nn.Module):
    """[conv, ReLU, (dropout), conv] added to its input; `expansion` widens the middle."""

    def __init__(self, channels: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, expansion * channels, 3, padding=1)
        self.conv2 = nn.Conv2d(expansion * channels, channels, 3, padding=1)
        self.active = ReLUDropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.active(self.conv1(x)))
        return self.active(x + y)


class TransposedDecoder(nn.Module):
    """Embeddings (B, embedding) to standardised fields (B, channels, *grid), any grid.

    Starts one row high and doubles until the grid is covered (32x64: five blocks from 1x2), then crops.

    Args:
        embedding: its size.
        channels: variables.
        grid: rows and columns.
        autoencoder: whether its residual blocks are the baseline's: not widened, no dropout.

    Raises:
        ExperimentError: for an embedding that the first map does not divide.

    Example:
        >>> import torch
        >>> TransposedDecoder(48, 5, (32, 64))(torch.zeros(2, 48)).shape
        torch.Size([2, 5, 32, 64])
    """

    def __init__(self, embedding: int, channels: int, grid: tuple[int, int], autoencoder: bool = False) -> None:
        super().__init__()
        self.grid = grid
        blocks = (grid[0] - 1).bit_length()
        self.seed_map = (1, -(-grid[1] // 2**blocks))
        if embedding % self.seed_map[1]:
            raise ExperimentError(
                f"embedding is {embedding}; on a {grid[0]}x{grid[1]} grid the decoder starts from a "
                f"1x{self.seed_map[1]} map, so it must be a multiple of {self.seed_map[1]}")
        widths = [embedding // self.seed_map[1]]
        for _ in range(blocks):
            widths.append(max(widths[-1] // 2, NARROWEST))
        expansion, dropout = (1, 0.0) if autoencoder else (2, 0.1)
        self.blocks = nn.Sequential(*(
            nn.Sequential(nn.ConvTranspose2d(before, after, 2, stride=2), ResidualBlock(after, expansion, dropout))
            for before, after in pairwise(widths)
        ))  # fmt: skip
        self.last = nn.Conv2d(widths[-1], channels, 1)

    def forward(self, embedding: Tensor) -> Tensor:
        x = embedding.view(len(embedding), -1, *self.seed_map)
        return self.last(self.blocks(x))[..., : self.grid[0], : self.grid[1]]
