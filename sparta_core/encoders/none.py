"""No network, not the paper's: the embedding is what the linear path makes of a view."""

from typing import TYPE_CHECKING

from torch import nn

from sparta_core.encoders import Encoder
from sparta_core.errors import ExperimentError
from sparta_core.layers.zeros import Zeros

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class NoEncoder(Encoder, name="none"):
    """The linear path alone."""

    decoder = "none"

    def check(self, experiment: "Experiment") -> None:
        if not experiment.linear_path:
            raise ExperimentError("backbone is 'none', which leaves the linear path alone; set linear_path=True, or "
                                  "choose a network")

    def build(self, channels: int, outputs: int, view_size: tuple[int, int]) -> nn.Module:
        return Zeros(outputs)
