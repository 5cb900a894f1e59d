"""SPARTA: the encoder, the projector that contrast is measured in, and the decoder."""

from collections.abc import Sequence

from torch import Tensor, nn

from sparta_core.decoders import Decoder
from sparta_core.encoders import Encoder, Latent
from sparta_core.encoders.linear_path import LinearPathDecoder, LinearPathEncoder
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.fusions import Fusion
from sparta_core.fusions.early import EarlyChoice
from sparta_core.modes import Modes


class Projector(nn.Sequential):
    """Embeddings (B, embedding) to projections (B, outputs); paper, section 3.2.

    Its norms use the batch's own statistics, in training and in evaluation.
    """

    def __init__(self, embedding: int, outputs: int) -> None:
        def normed(size: int) -> list[nn.Module]:
            return [nn.Linear(size, outputs), nn.BatchNorm1d(outputs, track_running_stats=False), nn.ReLU()]

        super().__init__(*normed(embedding), *normed(outputs), nn.Linear(outputs, outputs))


def build_encoder(experiment: Experiment, modes: Modes | None = None, baseline: bool = False) -> nn.Module:
    """The encoder of `experiment`: views (B, planes * variables, h, w) to embeddings (B, embedding).

    Planes are the values, with `mask_input` what is seen of them; the linear path, of the `modes`, adds its fields.
    A `baseline` has early fusion.
    """
    encoder, size = experiment.of(Encoder), experiment.of(Latent).embedding
    fusion = EarlyChoice() if baseline else experiment.of(Fusion)
    planes = 1 + experiment.mask_input + (modes is not None)
    network = fusion.build(lambda channels: encoder.build(channels, size, experiment.view_size),
                           experiment.variables, planes, size)  # fmt: skip
    return network if modes is None else LinearPathEncoder(modes, network)


def build_decoder(experiment: Experiment, grid: tuple[int, int], modes: Modes | None = None,
                  baseline: bool = False) -> nn.Module:  # fmt: skip
    """The decoder of `experiment`: embeddings (B, embedding) to fields (B, variables, H, W)."""
    size, channels = experiment.of(Latent).embedding, len(experiment.variables)
    network = experiment.of(Decoder).build(size, channels, grid, baseline)
    return network if modes is None else LinearPathDecoder(modes, network)


class Sparta(nn.Module):
    """The parts that one stage hands to the next; a part that the stage does not have is None."""

    def __init__(self, encoder: nn.Module, projector: nn.Module | None = None,
                 decoder: nn.Module | None = None) -> None:  # fmt: skip
        super().__init__()
        self.encoder, self.projector, self.decoder = encoder, projector, decoder

    @classmethod
    def build(cls, experiment: Experiment, parts: Sequence[str], grid: tuple[int, int], modes: Modes | None = None,
              baseline: bool = False) -> "Sparta":  # fmt: skip
        """Fresh modules for the `parts`, on fields of the experiment's variables and `grid` (H, W)."""
        if experiment.linear_path and grid != experiment.view_size:
            raise ExperimentError(f"view_size is {experiment.view_size}, the data's grid {grid}; "
                                  "linear_path needs them equal")
        encoder = build_encoder(experiment, modes, baseline)
        projector = Projector(experiment.embedding, experiment.projection) if "projector" in parts else None
        decoder = build_decoder(experiment, grid, modes, baseline) if "decoder" in parts else None
        return cls(encoder, projector, decoder)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The parts that are there, by name."""
        return dict(self.named_children())

    def forward(self, view: Tensor) -> Tensor:
        """Views (B, C, h, w) to reconstructed standardised fields (B, C, H, W)."""
        assert self.decoder is not None
        return self.decoder(self.encoder(view))
