"""How a learning rate changes while a stage trains: torch's schedulers, told of every step and every epoch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol

from pydantic import Field
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, CosineAnnealingLR, LinearLR, LRScheduler, ReduceLROnPlateau

from sparta_core.experiment import Experiment
from sparta_core.settings import LARGEST, Amount, Section, setting

WARM = 50  # steps


class PlateauSettings(Section):
    """When the learning rate falls: where the validation loss has stayed on a plateau."""

    plateau_patience: Annotated[int, Field(ge=0, lt=LARGEST)] = setting(10, "until the rate falls", "epochs")
    plateau_factor: Amount = setting(0.1, "by which the rate falls")
    plateau_threshold: Amount = setting(1e-4, "relative gain that counts as one")


class RateSchedule(Protocol):
    """Changes the learning rate of one optimiser, made as Class(optimiser, experiment, epochs)."""

    scheduler: LRScheduler
    """Torch's, whose state a checkpoint holds."""

    def each_step(self, steps: int) -> None:
        """Be told that a batch, of `steps` an epoch, has been trained on."""

    def each_epoch(self, loss: float) -> None:
        """Be told the monitored validation `loss` of an epoch that has ended."""


class Plateau(RateSchedule):
    """Multiplies the rate by plateau_factor after plateau_patience epochs without improvement, and one more."""

    def __init__(self, optimiser: Optimizer, experiment: Experiment, epochs: int) -> None:
        self.scheduler: ReduceLROnPlateau = ReduceLROnPlateau(
            optimiser, factor=experiment.plateau_factor, patience=experiment.plateau_patience,
            threshold=experiment.plateau_threshold)  # fmt: skip

    def each_epoch(self, loss: float) -> None:
        self.scheduler.step(loss)


class WarmupCosine(RateSchedule):
    """Raises the rate linearly to its full value at step WARM, and lowers it along half a cosine to 0 after the last.

    Step k, from 0, of N in all has the share min(1, (k + 1) / WARM) (1 + cos(pi k / N)) / 2 of the rate.
    """

    def __init__(self, optimiser: Optimizer, experiment: Experiment, epochs: int) -> None:
        self.epochs = epochs
        self.cosine = CosineAnnealingLR(optimiser, T_max=epochs)  # in steps, as soon as it is known how many
        self.scheduler = ChainedScheduler([LinearLR(optimiser, 1 / WARM, total_iters=WARM - 1), self.cosine])

    def each_step(self, steps: int) -> None:
        self.cosine.T_max = self.epochs * steps
        self.scheduler.step()


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage trains."""

    epochs: int
    rate: float
    weight_decay: float = 0.0
    follows: Callable[[Optimizer, Experiment, int], RateSchedule] = Plateau
