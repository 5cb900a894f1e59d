"""SPARTA: the encoder, the projector that contrast is measured in, and the decoder."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from sparta_core import __version__
from sparta_core.data.normaliser import Normaliser
from sparta_core.decoders import Decoder
from sparta_core.encoders import Encoder, Latent
from sparta_core.encoders.linear_path import LinearPathDecoder, LinearPathEncoder
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.fusions import Fusion
from sparta_core.fusions.early import EarlyChoice
from sparta_core.layers.globe import around
from sparta_core.modes import Modes
from sparta_core.residuals import Residuals
from sparta_core.tensors import named, under
from sparta_core.views.augment import Views, view_size_of

FORMAT = 3  # of a file that holds a representation


class Projector(nn.Sequential):
    """Embeddings (B, embedding) to projections (B, outputs); paper, section 3.2.

    Its norms use the batch's own statistics, in training and in evaluation.
    """

    def __init__(self, embedding: int, outputs: int) -> None:
        def normed(size: int) -> list[nn.Module]:
            return [nn.Linear(size, outputs), nn.BatchNorm1d(outputs, track_running_stats=False), nn.ReLU()]

        super().__init__(*normed(embedding), *normed(outputs), nn.Linear(outputs, outputs))


def build_encoder(experiment: Experiment, view_size: tuple[int, int], modes: Modes | None = None,
                  baseline: bool = False) -> nn.Module:  # fmt: skip
    """The encoder of `experiment`: views (B, planes * variables, h, w) to embeddings (B, embedding).

    Planes are the values, with `mask_input` what is observed of them; the linear path, of the `modes`, adds its fields.
    A `baseline` has early fusion.
    """
    encoder, size = experiment.of(Encoder), experiment.of(Latent).embedding
    fusion = EarlyChoice() if baseline else experiment.of(Fusion)
    planes = 1 + experiment.mask_input + (modes is not None)
    network = fusion.build(lambda channels: encoder.build(channels, size, view_size),
                           experiment.variables, planes, size)  # fmt: skip
    return network if modes is None else LinearPathEncoder(modes, network)


def build_decoder(experiment: Experiment, grid: tuple[int, int], modes: Modes | None = None,
                  baseline: bool = False) -> nn.Module:  # fmt: skip
    """The decoder of `experiment`: embeddings (B, embedding) to fields (B, variables, H, W)."""
    size, channels = experiment.of(Latent).embedding, len(experiment.variables)
    network = experiment.of(Decoder).build(size, channels, grid, baseline)
    return network if modes is None else LinearPathDecoder(modes, network)


class Sparta(nn.Module):
    """A representation: what one stage hands to the next, with all that it takes to use it on fields.

    Args:
        experiment: Its settings.
        normaliser: The fields that it knows.
        modes: Of the linear path, if it has one.
        parts: By name "encoder", and "projector" and "decoder" where the stage has them.
    """

    PARTS = ("encoder", "projector", "decoder")
    encoder: nn.Module
    projector: nn.Module | None
    decoder: nn.Module | None

    def __init__(self, experiment: Experiment, normaliser: Normaliser, modes: Modes | None,
                 parts: Mapping[str, nn.Module]) -> None:  # fmt: skip
        super().__init__()
        self.experiment, self.normaliser, self.modes = experiment, normaliser, modes
        self.views = Views(experiment, normaliser.domain)
        for name in self.PARTS:
            self.register_module(name, parts.get(name))
        around(self, normaliser.domain.periodic_x)

    @classmethod
    def build(cls, experiment: Experiment, parts: Sequence[str], normaliser: Normaliser, modes: Modes | None = None,
              baseline: bool = False) -> "Sparta":  # fmt: skip
        """Build fresh modules for the `parts`, of whatever global randomness there is.

        Raises:
            ExperimentError: For a linear path on another grid than the fields'.
        """
        grid = normaliser.grid
        view_size = view_size_of(experiment, grid)
        if modes is not None and grid != view_size:
            raise ExperimentError(f"view_size is {view_size}, the data's grid {grid}; linear_path needs them equal: "
                                  "set view_size and crop_from to null")
        made: dict[str, nn.Module] = {"encoder": build_encoder(experiment, view_size, modes, baseline)}
        if "projector" in parts:
            made["projector"] = Projector(experiment.embedding, experiment.projection)
        if "decoder" in parts:
            made["decoder"] = build_decoder(experiment, grid, modes, baseline)
        return cls(experiment, normaliser, modes, made)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """The parts that are there, by name."""
        return {name: module for name, module in self.named_children() if name in self.PARTS}

    @property
    def device(self) -> torch.device:
        """What computes."""
        return self.normaliser.device

    @cached_property
    def residuals(self) -> Residuals | None:
        """What is known of that which the modes of the linear path leave out."""
        if self.modes is None:
            return None
        return Residuals(self.modes, self.normaliser.domain.positions(), self.experiment.residual_reach)

    def attached(self) -> dict[str, Tensor]:
        """What a file keeps of it beside the weights, so that nobody needs the days that it learned from."""
        modes = {} if self.modes is None else named("modes", self.modes.tensors())
        return modes | named("normaliser", self.normaliser.tensors())

    def about(self) -> dict[str, Any]:
        """What a file says of it: settings, parts, and the fields that it knows."""
        return {"format": FORMAT, "version": __version__, "experiment": self.experiment.told(),
                "parts": list(self.parts), "fields": self.normaliser.record()}  # fmt: skip

    @classmethod
    def restored(cls, experiment: Experiment, tensors: Mapping[str, Tensor], about: Mapping[str, Any],
                 device: str | torch.device, baseline: bool) -> "Sparta":  # fmt: skip
        """Restore a representation from the weights, what was `attached` to them, and what is said `about` it.

        Raises:
            KeyError, ValueError: For tensors of another model.
        """
        normaliser = Normaliser.restored(under("normaliser", tensors), about["fields"]).to(device)
        if normaliser.variables != experiment.variables:
            raise ValueError(f"its variables are {', '.join(normaliser.variables)}")
        found = {name: x.to(device) for name, x in under("modes", tensors).items()}
        modes = Modes(**found) if found else None
        model = cls.build(experiment, about["parts"], normaliser, modes, baseline)
        for name, part in model.parts.items():
            try:
                part.load_state_dict(under(name, tensors))
            except RuntimeError as error:
                raise ValueError(f"its {name} does not fit: {str(error).splitlines()[-1].strip()}") from error
        return model.to(device)

    def forward(self, view: Tensor) -> Tensor:
        """Views (B, C, h, w) to reconstructed standardised fields (B, C, H, W)."""
        assert self.decoder is not None
        decoded: Tensor = self.decoder(self.encoder(view))
        return decoded

    def reconstructed(self, view: Tensor, error: Tensor | None = None) -> Tensor:
        """The same, corrected with a linear path by what the view shows beyond it; `error` as `corrected` has it."""
        return self.corrected(self(view), view, error)

    def corrected(self, decoded: Tensor, view: Tensor, error: Tensor | None = None) -> Tensor:
        """Fields that are decoded of a view, corrected by what it shows beyond the modes of a linear path.

        `error` (B or 1, C, H, W) is the variance of the observations' errors; None: they have none.
        """
        if self.residuals is None:
            return decoded
        values, observed = view.chunk(2, dim=1)
        return self.residuals.corrected(decoded, values, observed, error)
