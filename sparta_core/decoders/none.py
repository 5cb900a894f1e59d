"""No network, not the paper's: the fields are the sum of the linear path's modes."""

from typing import TYPE_CHECKING

from torch import nn

from sparta_core.decoders import Decoder
from sparta_core.encoders.linear_path import check_alone
from sparta_core.layers.zeros import Zeros

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class NoDecoder(Decoder, name="none"):
    """The linear path alone."""

    def check(self, experiment: "Experiment") -> None:
        check_alone("decoder_backbone", experiment)

    def build(self, embedding: int, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
        return Zeros(channels, *grid)
