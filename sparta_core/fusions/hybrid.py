"""Hybrid fusion: one encoder a variable beside one of all, side by side through a linear layer (Wang et al., 2025)."""

from collections.abc import Sequence

from torch import Tensor, nn

from sparta_core.fusions import Backbone, Fusion, LateFusion, one_each


class HybridChoice(Fusion, name="hybrid"):
    """Encoders of each variable and of all."""

    def build(self, backbone: Backbone, variables: Sequence[str], planes: int, embedding: int) -> nn.Module:
        encoders = one_each(backbone, variables, planes)
        fusion = ConcatFusion(len(variables) + 1, embedding)
        return LateFusion(encoders, fusion, backbone(planes * len(variables)))


class ConcatFusion(nn.Module):
    """All embeddings (B, N, E) side by side, one linear layer back to (B, E)."""

    def __init__(self, embeddings: int, embedding: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embeddings * embedding, embedding)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.linear(embeddings.flatten(1))
