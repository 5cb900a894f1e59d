"""Early fusion: one encoder sees all variables."""

from collections.abc import Sequence

from torch import nn

from sparta_core.fusions import Backbone, Fusion


class EarlyChoice(Fusion, name="early"):
    """One encoder for all variables."""

    cycle_monitored = False

    def build(self, backbone: Backbone, variables: Sequence[str], planes: int, embedding: int) -> nn.Module:
        return backbone(planes * len(variables))
