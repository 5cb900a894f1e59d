"""SPARTA: the encoder, the projector that contrast is measured in, and the decoder."""

from torch import Tensor, nn

from sparta_core.experiment import Experiment
from sparta_core.models.decoder import Decoder
from sparta_core.models.fusion import AttentionFusion, ConcatFusion, GraphFusion, LateFusion
from sparta_core.models.resnet import ResNet18


class Projector(nn.Sequential):
    """Embeddings (B, embedding) to projections (B, outputs); paper, section 3.2.

    Its norms use the batch's own statistics, in training and in evaluation.
    """

    def __init__(self, embedding: int, outputs: int) -> None:
        def normed(size: int) -> list[nn.Module]:
            return [nn.Linear(size, outputs), nn.BatchNorm1d(outputs, track_running_stats=False), nn.ReLU()]

        super().__init__(*normed(embedding), *normed(outputs), nn.Linear(outputs, outputs))


def build_encoder(experiment: Experiment, channels: int) -> nn.Module:
    """The encoder of `experiment`: views (B, channels, h, w) to embeddings (B, embedding).

    A new backbone or fusion is a branch here and a name in the experiment's CHOICES.
    """
    size, fusion = experiment.embedding, experiment.fusion
    if fusion == "early":
        return _backbone(experiment, channels)
    encoders = [_backbone(experiment, 1) for _ in range(channels)]
    if fusion == "attention":
        return LateFusion(encoders, AttentionFusion(channels, size, experiment.attention_heads))
    if fusion == "gnn":
        place = experiment.variables.index
        edges = [(place(a), place(b)) for a, b in experiment.edges]
        return LateFusion(encoders, GraphFusion(channels, size, edges))
    return LateFusion(encoders, ConcatFusion(channels + 1, size), _backbone(experiment, channels))


def _backbone(experiment: Experiment, channels: int) -> nn.Module:
    return ResNet18(channels, experiment.embedding, experiment.view_size, experiment.width,
                    experiment.norm_groups, experiment.head)  # fmt: skip


class Sparta(nn.Module):
    """The parts that one stage hands to the next; a part that the stage does not have is None."""

    def __init__(self, encoder: nn.Module, projector: nn.Module | None = None,
                 decoder: nn.Module | None = None) -> None:  # fmt: skip
        super().__init__()
        self.encoder, self.projector, self.decoder = encoder, projector, decoder

    @classmethod
    def build(cls, experiment: Experiment, stage: str, channels: int, grid: tuple[int, int]) -> "Sparta":
        """Fresh modules for `stage`, on fields of `channels` variables and `grid` (H, W)."""
        fused = experiment.replace(fusion="early") if stage == "autoencoder" else experiment  # the baseline has one
        encoder = build_encoder(fused, channels)
        projector = None if stage in ("autoencoder", "decoder") else Projector(
            experiment.embedding, experiment.projection)  # fmt: skip
        decoder = None if stage == "pretrain" else Decoder(
            experiment.embedding, channels, grid, autoencoder=stage == "autoencoder")  # fmt: skip
        return cls(encoder, projector, decoder)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The parts that are there, by name."""
        return dict(self.named_children())

    def forward(self, view: Tensor) -> Tensor:
        """Views (B, C, h, w) to reconstructed standardised fields (B, C, H, W)."""
        assert self.decoder is not None
        return self.decoder(self.encoder(view))
