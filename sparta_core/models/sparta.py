"""SPARTA: the encoder, the projector that contrast is measured in, and the decoder."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.decoder import Decoder
from sparta_core.models.fusion import AttentionFusion, ConcatFusion, GraphFusion, LateFusion
from sparta_core.models.globe import GlobeDecoder, GlobeEncoder
from sparta_core.models.linear_path import LinearPathDecoder, LinearPathEncoder
from sparta_core.models.resnet import ResNet18
from sparta_core.modes import Modes
from sparta_core.typed import Table


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
    return FUSIONS[experiment.fusion](experiment, channels, planes)


def _early(experiment: Experiment, channels: int, planes: int) -> nn.Module:
    """One encoder for all variables."""
    return _backbone(experiment, planes * channels)


def _attention(experiment: Experiment, channels: int, planes: int) -> nn.Module:
    encoders = _one_each(experiment, channels, planes)
    return LateFusion(encoders, AttentionFusion(channels, experiment.embedding, experiment.attention_heads))


def _graph(experiment: Experiment, channels: int, planes: int) -> nn.Module:
    """The graph of the experiment's edges; of those that it has by default only the ones whose variables are there."""
    encoders, variables = _one_each(experiment, channels, planes), experiment.variables
    edges = [(variables.index(a), variables.index(b)) for a, b in experiment.edges if {a, b} <= set(variables)]
    return LateFusion(encoders, GraphFusion(channels, experiment.embedding, edges))


def _hybrid(experiment: Experiment, channels: int, planes: int) -> nn.Module:
    encoders = _one_each(experiment, channels, planes)
    fusion = ConcatFusion(channels + 1, experiment.embedding)
    return LateFusion(encoders, fusion, _backbone(experiment, planes * channels))


def _one_each(experiment: Experiment, channels: int, planes: int) -> list[nn.Module]:
    return [_backbone(experiment, planes) for _ in range(channels)]


def _backbone(experiment: Experiment, channels: int) -> nn.Module:
    return BACKBONES[experiment.backbone](experiment, channels)


def _resnet18(experiment: Experiment, channels: int) -> nn.Module:
    return ResNet18(channels, experiment.embedding, experiment.view_size, experiment.width,
                    experiment.norm_groups, experiment.head)  # fmt: skip


def _globe(experiment: Experiment, channels: int) -> nn.Module:
    return GlobeEncoder(channels, experiment.embedding, experiment.view_size, experiment.width)


def build_decoder(experiment: Experiment, channels: int, grid: tuple[int, int], modes: Modes | None,
                  autoencoder: bool) -> nn.Module:  # fmt: skip
    """The backbone's decoder, or the other's: embeddings (B, embedding) to fields (B, channels, H, W)."""
    network = DECODERS[experiment.decoder_backbone](experiment, channels, grid, autoencoder)
    return network if modes is None else LinearPathDecoder(modes, network)


def _decoder_alike(experiment: Experiment, *given: Any) -> nn.Module:
    return DECODERS[experiment.backbone](experiment, *given)


def _resnet18_decoder(experiment: Experiment, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
    return Decoder(experiment.embedding, channels, grid, autoencoder)


def _globe_decoder(experiment: Experiment, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
    return GlobeDecoder(experiment.embedding, channels, grid, experiment.width)


# A new fusion or backbone is an entry here, and a name in the experiment's CHOICES.
FUSIONS = Table("fusion", {"early": _early, "attention": _attention, "gnn": _graph, "hybrid": _hybrid})
BACKBONES = Table("backbone", {"resnet18": _resnet18, "globe": _globe})
DECODERS: Table[Callable[..., nn.Module]] = Table(
    "decoder_backbone", {"same": _decoder_alike, "resnet18": _resnet18_decoder, "globe": _globe_decoder})
# The parts that a stage has besides the encoder.
PARTS = Table("stage", {"autoencoder": {"decoder"}, "pretrain": {"projector"}, "blend": {"projector", "decoder"},
                        "decoder": {"decoder"}})  # fmt: skip


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
        parts = PARTS[stage]
        fused = experiment.replace(fusion="early") if stage == "autoencoder" else experiment  # the baseline has one
        encoder = build_encoder(fused, channels, modes)
        projector = Projector(experiment.embedding, experiment.projection) if "projector" in parts else None
        decoder = build_decoder(experiment, channels, grid, modes, autoencoder=stage == "autoencoder"
                                ) if "decoder" in parts else None  # fmt: skip
        return cls(encoder, projector, decoder)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The parts that are there, by name."""
        return dict(self.named_children())

    def forward(self, view: Tensor) -> Tensor:
        """Views (B, C, h, w) to reconstructed standardised fields (B, C, H, W)."""
        assert self.decoder is not None
        return self.decoder(self.encoder(view))
