"""The decoder that goes with the encoder."""

from typing import TYPE_CHECKING

from sparta_core.decoders import Decoder
from sparta_core.encoders import Encoder

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class Same(Decoder, name="same"):
    """As the encoder has it."""

    def resolved(self, experiment: "Experiment") -> Decoder:
        return experiment.every[Decoder.kind(experiment.of(Encoder).decoder)]
