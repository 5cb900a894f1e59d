"""No network, not the paper's: the fields are the sum of the linear path's modes."""

from typing import TYPE_CHECKING

from torch import nn

from sparta_core.decoders import Decoder
from sparta_core.errors import ExperimentError
from sparta_core.layers.zeros import Zeros

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class NoDecoder(Decoder, name="none"):
    """The linear path alone."""

    def check(self, experiment: "Experiment") -> None:
        if not experiment.linear_path:
            raise ExperimentError("decoder_backbone is 'none', which leaves the linear path alone; set "
                                  "linear_path=True, or choose a network")

    def build(self, embedding: int, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
        return Zeros(channels, *grid)
