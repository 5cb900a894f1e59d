"""Graph fusion: variables that are joined see each other's embeddings (paper, section 3.2)."""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.fusions import Backbone, Fusion, LateFusion, one_each
from sparta_core.settings import setting

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment

USUAL_EDGES = (("2m_temperature", "geopotential"), ("u_component_of_wind", "v_component_of_wind"))


class GnnChoice(Fusion, name="gnn"):
    """One encoder a variable, and graph attention over their embeddings."""

    edges: tuple[tuple[str, str], ...] = setting(
        USUAL_EDGES, "variables that see each other in the gnn fusion; of the default those that are there")

    def check(self, experiment: "Experiment") -> None:
        named = {name for edge in self.edges for name in edge}
        if self.edges != USUAL_EDGES and not named <= set(experiment.variables):
            raise ExperimentError(f"edges are {self.edges}; they may only join the variables {experiment.variables}")

    def build(self, backbone: Backbone, variables: Sequence[str], planes: int, embedding: int) -> nn.Module:
        encoders = one_each(backbone, variables, planes)
        edges = [(variables.index(a), variables.index(b)) for a, b in self.edges if {a, b} <= set(variables)]
        return LateFusion(encoders, GraphFusion(len(variables), embedding, edges))


class GraphFusion(nn.Module):
    """One graph-attention layer over the variables, then their mean: (B, C, E) to (B, E).

    Args:
        variables: how many there are.
        embedding: size of an embedding.
        edges: pairs of variables by index that see each other; every variable also sees itself.

    Example:
        >>> fusion, embeddings = GraphFusion(5, 8, [(0, 3)]), torch.zeros(2, 5, 8)
        >>> fusion(embeddings).shape, fusion.weights(embeddings)[0, 0]
        (torch.Size([2, 8]), tensor([0.5000, 0.0000, 0.0000, 0.5000, 0.0000], ...))
    """

    edges: Tensor  # (2, edges): from, to

    def __init__(self, variables: int, embedding: int, edges: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        from torch_geometric.nn import GATConv  # here: importing it takes seconds

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
