"""Late fusion: an encoder per variable, and the ways in which their embeddings become one (paper, section 3.2).

The attention and graph fusions also say who attended to whom: `weights` is (B, to, from), rows sum to 1.
"""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch_geometric.nn import GATConv

TOKEN_STD = 0.02  # of fresh tokens: small beside embeddings, as in vision transformers


class AttentionFusion(nn.Module):
    """A learned CLS token attends to the variables' embeddings (B, C, E), each marked by a learned vector; (B, E)."""

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


class GraphFusion(nn.Module):
    """One graph-attention layer over the variables, then their mean: (B, C, E) to (B, E).

    `edges` joins variables by index, both ways; every variable also sees itself.
    """

    edges: Tensor  # (2, edges): from, to

    def __init__(self, variables: int, embedding: int, edges: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.layer = GATConv(embedding, embedding, heads=1, add_self_loops=False)
        joined = {*chain.from_iterable(((a, b), (b, a)) for a, b in edges), *((k, k) for k in range(variables))}
        self.register_buffer("edges", torch.tensor(sorted(joined)).T.contiguous(), persistent=False)

    def forward(self, embeddings: Tensor) -> Tensor:
        nodes = self.layer(embeddings.flatten(0, 1), self._batched(embeddings))
        return nodes.view_as(embeddings).mean(1)

    def weights(self, embeddings: Tensor) -> Tensor:
        """Attention (B, C, C); 0 where there is no edge."""
        batch, variables, _ = embeddings.shape
        edges, alpha = self.layer(embeddings.flatten(0, 1), self._batched(embeddings), return_attention_weights=True)[1]
        dense = embeddings.new_zeros(batch, variables, variables)
        dense[edges[1] // variables, edges[1] % variables, edges[0] % variables] = alpha[:, 0].to(dense.dtype)
        return dense

    def _batched(self, embeddings: Tensor) -> Tensor:
        """The graph of every sample as one graph without edges between samples, (2, B * edges)."""
        batch, variables, _ = embeddings.shape
        first = variables * torch.arange(batch, device=embeddings.device)
        return (self.edges[:, None] + first[:, None]).flatten(1)


class ConcatFusion(nn.Module):
    """All embeddings (B, N, E) side by side, one linear layer back to (B, E)."""

    def __init__(self, embeddings: int, embedding: int) -> None:
        super().__init__()
        self.linear = nn.Linear(embeddings * embedding, embedding)

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.linear(embeddings.flatten(1))


class LateFusion(nn.Module):
    """Views (B, C or a multiple, h, w) to embeddings (B, E): one encoder per variable, then `fusion`.

    Channel k, and every C-th after it, are planes of variable k: its values, what is seen of them.

    `shared`, the hybrid fusion's, sees all variables and hands its embedding to `fusion` beside theirs.
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
        """Who attends to whom for each sample, (B, to, from); of the attention and graph fusions."""
        assert isinstance(self.fusion, (AttentionFusion, GraphFusion))
        return self.fusion.weights(self.per_variable(view))
