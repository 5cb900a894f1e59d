"""What is observed of a day, one file a kind: which values, and with which errors."""

from typing import TYPE_CHECKING, ClassVar

from torch import nn

from sparta_core.data.domain import Domain
from sparta_core.errors import ExperimentError
from sparta_core.settings import Amount, Choice, Section, Share, setting
from sparta_core.typed import Table

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


NATIVE = Table("mask_grid", {"enlarged": False, "native": True})  # whether values are masked before enlarging


class MaskRatio(Section):
    mask_ratio: tuple[Share, Share] = setting((0.5, 0.9), "range of the share of masked values, drawn for each day")

    def check(self, experiment: "Experiment") -> None:
        check_range("mask_ratio", self.mask_ratio)


class DownstreamMask(Section):
    downstream_mask_ratio: Share = setting(0.7, "share of masked values of the days that tasks see")


class Observation(Choice, slot="sparsity", default="points"):
    """Which values are observed."""

    placed: ClassVar[bool] = True  # whether what is observed has places on the globe, which an enlarged view has not

    def build(self, domain: Domain) -> nn.Module:
        """What draws masks (B, C, H, W), 1 where observed, of a shape, a ratio (one or (B,)) and a generator."""
        raise NotImplementedError


class Errors(Section):
    """Observations' errors, and variables that are missing as a whole."""

    variable_dropout: Share = setting(0.0, "share of days on which a variable is missing as a whole")
    noise: Amount = setting(0.0, "standard deviation of the observations' errors", "training standard deviations")
    noise_length: Amount = setting(0.0, "length over which the errors are correlated", "km")


def check_range(name: str, bounds: tuple[float, float]) -> None:
    """ExperimentError unless the shares `bounds` rise."""
    low, high = bounds
    if low > high:
        raise ExperimentError(f"{name} is {bounds}; it must be 0 <= low <= high < 1")


def placed(experiment: "Experiment") -> list[str]:
    """The settings that put observations at places on the globe, which an enlarged view has not."""
    kind = [f"sparsity={experiment.sparsity!r}"] * experiment.of(Observation).placed
    return kind + [name for name in ("noise_length", "gaps") if getattr(experiment, name)]
