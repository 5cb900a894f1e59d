"""Fusions: how the variables of a view become one embedding (paper, section 3.2), one file each."""

from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from sparta_core.settings import Choice

Backbone = Callable[[int], nn.Module]  # a fresh network of views of so many channels


class Fusion(Choice, slot="fusion", default="early"):
    """Where variables meet.

    A kind is a class with its settings as fields, and `build`.

    Example:
        >>> backbone = lambda channels: nn.Sequential(nn.Flatten(), nn.Linear(channels * 32, 6))
        >>> encoder = Fusion.kind("hybrid")().build(backbone, ["u", "v"], 1, 6)
        >>> encoder(torch.zeros(3, 2, 4, 8)).shape
        torch.Size([3, 6])
    """

    cycle_monitored: ClassVar[bool] = True  # whether the authors' validation of the blend has the cycle loss in it

    def build(self, backbone: Backbone, variables: Sequence[str], planes: int, embedding: int) -> nn.Module:
        """A fresh encoder of views to embeddings.

        Args:
            backbone: makes a fresh network of views of so many channels to embeddings (B, embedding).
            variables: the names of the variables, in their order in the views.
            planes: channels of each variable: its values, and what is observed of them.
            embedding: its size.

        Returns:
            A module from (B, planes * variables, h, w) to (B, embedding).
        """
        raise NotImplementedError


def one_each(backbone: Backbone, variables: Sequence[str], planes: int) -> list[nn.Module]:
    """A network for each variable."""
    return [backbone(planes) for _ in variables]


class LateFusion(nn.Module):
    """Views (B, C or a multiple, h, w) to embeddings (B, E): one encoder per variable, then their fusion.

    Channel k, and every C-th after it, are planes of variable k: its values, what is observed of them.

    Args:
        encoders: one for each variable.
        fusion: of their embeddings (B, C, E) to one (B, E).
        shared: an encoder of all variables, whose embedding `fusion` sees before theirs.
    """

    def __init__(self, encoders: Sequence[nn.Module], fusion: nn.Module, shared: nn.Module | None = None) -> None:
        super().__init__()
        self.encoders, self.fusion, self.shared = nn.ModuleList(encoders), fusion, shared

    def forward(self, view: Tensor) -> Tensor:
        embeddings = self.per_variable(view)
        if self.shared is not None:
            embeddings = torch.cat([self.shared(view)[:, None], embeddings], dim=1)
        return self.fusion(embeddings)

    def per_variable(self, view: Tensor) -> Tensor:
        """The variables' own embeddings (B, C, E).

        One encoder after the other: as one grouped computation on a core they take 1.3 (bf16) to 1.5 times as long
        at the paper's size, forward and backward, and a sixth less only at `demo`.
        """
        variables = len(self.encoders)
        return torch.stack([encoder(view[:, k::variables]) for k, encoder in enumerate(self.encoders)], dim=1)

    def weights(self, view: Tensor) -> Tensor:
        """Who attends to whom for each sample, (B, to, from), rows sum to 1; of the attention and graph fusions."""
        weights: Tensor = self.fusion.weights(self.per_variable(view))  # type: ignore[operator]
        return weights
