"""A linear path beside the network: optimal interpolation into the embedding, and the modes back out of it.

The embedding starts as the scores of the modes that are most likely given what is observed, and the decoder as their
sum; the networks learn what that leaves, from nothing (ReZero: Bachlechner, 2021).
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.modes import Modes
from sparta_core.observe import NATIVE
from sparta_core.optimal_interpolation import OptimalInterpolation
from sparta_core.settings import Amount, Section, setting

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class LinearPath(Section):
    linear_path: bool = setting(False, "start the embedding as optimal interpolation, and the decoder as modes")
    residual_reach: Amount = setting(4000.0, "distance within which observations correct what the modes leave out",
                                     "km")  # fmt: skip
    localisation: Amount = setting(8000.0, "length over which the linear path believes in covariances; 0: any", "km")

    def used(self) -> dict[str, Any]:
        return super().used() if self.linear_path else {"linear_path": False}

    def check(self, experiment: "Experiment") -> None:
        in_place = NATIVE[experiment.mask_grid] and experiment.crop_from in (None, experiment.view_size)
        if self.linear_path and not (experiment.mask_input and in_place and experiment.smoothing == 1):
            raise ExperimentError("linear_path needs values at their places and what is observed: set mask_input=True, "
                                  "mask_grid='native', crop_from to view_size and smoothing=1")


def check_alone(name: str, experiment: "Experiment") -> None:
    """ExperimentError where the setting called `name` is 'none' and there is no linear path to be left alone."""
    if not experiment.linear_path:
        raise ExperimentError(f"{name} is 'none', which leaves the linear path alone; set linear_path=True, or choose "
                              "a network")


class LinearPathEncoder(nn.Module):
    """Views (B, 2 C, h, w), values beside their mask, to embeddings (B, K): scores, and what `network` adds.

    The network is shown the interpolated fields as well, so its views are (B, 3 C, h, w).
    """

    patterns: Tensor  # (K, C H W)

    def __init__(self, modes: Modes, network: nn.Module) -> None:
        super().__init__()
        self.interpolation, self.network = OptimalInterpolation(modes), network
        self.register_buffer("patterns", modes.patterns, persistent=False)
        self.gain = nn.Parameter(torch.ones(len(modes.patterns)))
        self.share = nn.Parameter(torch.zeros(len(modes.patterns)))

    def forward(self, view: Tensor) -> Tensor:
        values, observed = view.chunk(2, dim=1)
        scores = self.interpolation(values, observed)
        fields = (scores @ self.patterns).view_as(values)
        return self.gain * scores + self.share * self.network(torch.cat([view, fields], dim=1))


class LinearPathDecoder(nn.Module):
    """Embeddings (B, K) to fields (B, C, H, W): the sum of the modes, and what `network` adds."""

    patterns: Tensor  # (K, C H W)

    def __init__(self, modes: Modes, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("patterns", modes.patterns, persistent=False)
        self.share = nn.Parameter(torch.zeros(len(modes.error), 1, 1))

    def forward(self, embedding: Tensor) -> Tensor:
        added = self.network(embedding)
        return (embedding @ self.patterns).view_as(added) + self.share * added
