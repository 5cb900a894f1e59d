"""Attention fusion: a learned token asks the variables' embeddings (paper, section 3.2)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.fusions import Backbone, Fusion, LateFusion, one_each
from sparta_core.settings import Count, setting

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment

TOKEN_STD = 0.02  # of fresh tokens: small beside embeddings, as in vision transformers


class AttentionChoice(Fusion, name="attention"):
    """One encoder a variable, whose embeddings a learned token attends to."""

    attention_heads: Count = setting(8, "heads of the attention fusion")

    def check(self, experiment: "Experiment") -> None:
        if experiment.embedding % self.attention_heads:
            raise ExperimentError(f"attention_heads is {self.attention_heads}; it must divide the embedding's "
                                  f"size, here {experiment.embedding}")

    def build(self, backbone: Backbone, variables: Sequence[str], planes: int, embedding: int) -> nn.Module:
        encoders = one_each(backbone, variables, planes)
        return LateFusion(encoders, AttentionFusion(len(variables), embedding, self.attention_heads))


class AttentionFusion(nn.Module):
    """A learned CLS token attends to the variables' embeddings, each marked by a learned vector: (B, C, E) to (B, E).

    Args:
        variables: how many there are.
        embedding: size of an embedding, a multiple of the heads.
        heads: of the attention.

    Example:
        >>> fusion, embeddings = AttentionFusion(5, 8, heads=2), torch.zeros(3, 5, 8)
        >>> fusion(embeddings).shape, fusion.weights(embeddings).shape
        (torch.Size([3, 8]), torch.Size([3, 6, 6]))
    """

    def __init__(self, variables: int, embedding: int, heads: int) -> None:
        super().__init__()
        self.cls = nn.Parameter(TOKEN_STD * torch.randn(1, 1, embedding))
        self.modal = nn.Parameter(TOKEN_STD * torch.randn(1, variables + 1, embedding))
        self.attention = nn.MultiheadAttention(embedding, heads, batch_first=True)

    def forward(self, embeddings: Tensor) -> Tensor:
        tokens = self._tokens(embeddings)
        # Of all outputs only the one at CLS is used, so only CLS asks.
        return self.attention(tokens[:, :1], tokens, tokens, need_weights=False)[0][:, 0]

    def weights(self, embeddings: Tensor) -> Tensor:
        """Attention (B, C + 1, C + 1), mean over heads; CLS is first."""
        tokens = self._tokens(embeddings)
        return self.attention(tokens, tokens, tokens)[1]

    def _tokens(self, embeddings: Tensor) -> Tensor:
        return torch.cat([self.cls.expand(len(embeddings), -1, -1), embeddings], dim=1) + self.modal
