"""Blocks of the grid that are missing as a whole, for all variables."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.observe import Observation
from sparta_core.observe.masks import random_points
from sparta_core.settings import Count, setting


class BlocksChoice(Observation, name="blocks"):
    """All but squares of the grid."""

    block_size: Count = setting(8, "side of a missing block", "grid points")

    def build(self, domain: Domain) -> nn.Module:
        return Blocks(self.block_size)


class Blocks(nn.Module):
    """Squares of `size` grid points, laid from a random place."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, shape: Sequence[int], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        start = torch.randint(self.size, (2,), generator=generator, device=generator.device)
        rows, columns = ((torch.arange(count, device=generator.device) + first) // self.size
                         for count, first in zip(shape[-2:], start, strict=True))
        squares = (shape[0], 1, *((count - 1) // self.size + 2 for count in shape[-2:]))
        return random_points(squares, ratio, generator, torch.float32)[..., rows[:, None], columns].expand(*shape)
