"""SPARTA: the encoder, the projector that contrast is measured in, and the decoder."""

from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.decoder import Decoder
from sparta_core.models.fusion import AttentionFusion, ConcatFusion, GraphFusion, LateFusion
from sparta_core.models.globe import GlobeDecoder, GlobeEncoder
from sparta_core.models.linear_path import LinearPathDecoder, LinearPathEncoder
from sparta_core.models.resnet import ResNet18
from sparta_core.modes import Modes


class Projector(nn.Sequential):
    """Embeddings (B, embedding) to projections (B, outputs); paper, section 3.2.

    Its norms use the batch's own statistics, in training and in evaluation.
    """

    def __init__(self, embedding: int, outputs: int) -> None:
        def normed(size: int) -> list[nn.Module]:
            return [nn.Linear(size, outputs), nn.BatchNorm1d(outputs, track_running_stats=False), nn.ReLU()]

        super().__init__(*normed(embedding), *normed(outputs), nn.Linear(outputs, outputs))


def build_encoder(experiment: Experiment, channels: int, modes: Modes | None = None) -> nn.Module:
    """The encoder of `experiment`: views (B, planes * channels, h, w) to embeddings (B, embedding).

    Planes are the values, with `mask_input` what is seen of them; the linear path, of the `modes`, adds its fields.
    """
    if modes is not None:
        return LinearPathEncoder(modes, _network(experiment, channels, planes=3))
    return _network(experiment, channels, 1 + experiment.mask_input)


def _network(experiment: Experiment, channels: int, planes: int) -> nn.Module:
    """A new backbone or fusion is a branch here or below, and a name in the experiment's CHOICES."""
    size, fusion = experiment.embedding, experiment.fusion
    if fusion == "early":
        return _backbone(experiment, planes * channels)
    encoders = [_backbone(experiment, planes) for _ in range(channels)]
    if fusion == "attention":
        return LateFusion(encoders, AttentionFusion(channels, size, experiment.attention_heads))
    if fusion == "gnn":
        place = experiment.variables.index
        edges = [(place(a), place(b)) for a, b in experiment.edges]
        return LateFusion(encoders, GraphFusion(channels, size, edges))
    return LateFusion(encoders, ConcatFusion(channels + 1, size), _backbone(experiment, planes * channels))


def _backbone(experiment: Experiment, channels: int) -> nn.Module:
    if experiment.backbone == "globe":
        return GlobeEncoder(channels, experiment.embedding, experiment.view_size, experiment.width)
    return ResNet18(channels, experiment.embedding, experiment.view_size, experiment.width,
                    experiment.norm_groups, experiment.head)  # fmt: skip


def build_decoder(experiment: Experiment, channels: int, grid: tuple[int, int], modes: Modes | None,
                  autoencoder: bool) -> nn.Module:  # fmt: skip
    """The backbone's decoder, or the other's: embeddings (B, embedding) to fields (B, channels, H, W)."""
    kind = experiment.backbone if experiment.decoder_backbone == "same" else experiment.decoder_backbone
    if kind == "globe":
        network: nn.Module = GlobeDecoder(experiment.embedding, channels, grid, experiment.width)
    else:
        network = Decoder(experiment.embedding, channels, grid, autoencoder)
    return network if modes is None else LinearPathDecoder(modes, network)


class Sparta(nn.Module):
    """The parts that one stage hands to the next; a part that the stage does not have is None."""

    def __init__(self, encoder: nn.Module, projector: nn.Module | None = None,
                 decoder: nn.Module | None = None) -> None:  # fmt: skip
        super().__init__()
        self.encoder, self.projector, self.decoder = encoder, projector, decoder

    @classmethod
    def build(cls, experiment: Experiment, stage: str, channels: int, grid: tuple[int, int],
              modes: Modes | None = None) -> "Sparta":  # fmt: skip
        """Fresh modules for `stage`, on fields of `channels` variables and `grid` (H, W)."""
        if experiment.linear_path and grid != experiment.view_size:
            raise ExperimentError(f"view_size is {experiment.view_size}, the data's grid {grid}; "
                                  "linear_path needs them equal")
        fused = experiment.replace(fusion="early") if stage == "autoencoder" else experiment  # the baseline has one
        encoder = build_encoder(fused, channels, modes)
        projector = None if stage in ("autoencoder", "decoder") else Projector(
            experiment.embedding, experiment.projection)  # fmt: skip
        decoder = None if stage == "pretrain" else build_decoder(
            experiment, channels, grid, modes, autoencoder=stage == "autoencoder")  # fmt: skip
        return cls(encoder, projector, decoder)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The parts that are there, by name."""
        return dict(self.named_children())

    def forward(self, view: Tensor) -> Tensor:
        """Views (B, C, h, w) to reconstructed standardised fields (B, C, H, W)."""
        assert self.decoder is not None
        return self.decoder(self.encoder(view))
