"""Points at random: every variable and grid point by itself, as in the paper."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.observe import Observation
from sparta_core.observe.masks import random_points


class PointsChoice(Observation, name="points"):
    """Every value by itself."""

    placed = False

    def build(self, domain: Domain) -> nn.Module:
        return Points()


class Points(nn.Module):
    def forward(self, shape: Sequence[int], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        return random_points(shape, ratio, generator, torch.float32)
