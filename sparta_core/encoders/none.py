"""No network, not the paper's: the embedding is what the linear path makes of a view."""

from typing import TYPE_CHECKING

from torch import nn

from sparta_core.encoders import Encoder
from sparta_core.encoders.linear_path import check_alone
from sparta_core.layers.zeros import Zeros

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class NoEncoder(Encoder, name="none"):
    """The linear path alone."""

    decoder = "none"

    def check(self, experiment: "Experiment") -> None:
        check_alone("backbone", experiment)

    def build(self, channels: int, outputs: int, view_size: tuple[int, int]) -> nn.Module:
        return Zeros(outputs)
