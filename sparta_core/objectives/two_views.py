"""Objectives on two views of each day, not of neighbours in time, as the background report has them."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.fusions import Fusion
from sparta_core.models.sparta import Sparta
from sparta_core.objectives.days import Days, Losses
from sparta_core.objectives.projected import Projected
from sparta_core.settings import Section, Uses, setting
from sparta_core.training.stages import REPRESENTATION, Stage
from sparta_core.views.augment import Crops


class ViewPair(Section):
    """The two views of a day."""

    sparse_views: bool = setting(True, "whether the second view of a day is sparse; the background report's is not")


class TwoViewStage(Stage):
    """Encoder and projector on two views of each day."""

    uses: ClassVar[Uses] = (*REPRESENTATION, Fusion, Crops, ViewPair)
    parts = ("encoder", "projector")

    def objective(self, record: Record, model: Sparta) -> "TwoViews":
        return TwoViews(record, model, self.compared)

    def compared(self, p: Tensor, q: Tensor, times: Tensor) -> Tensor:
        """The loss of projections (B, D) and (B, D) of days at `times` (B,), seconds since 1970."""
        raise NotImplementedError

    def folder(self, experiment: Experiment) -> str:
        return f"{experiment.fusion}-{self.name}"

    def negatives(self, experiment: Experiment) -> bool:
        return False

    def variant(self, experiment: Experiment) -> str:
        return f"_{self.name}_{experiment.fusion}"


class TwoViews(Projected):
    """A loss of the projections of two views of each day."""

    hard_negatives = False

    def __init__(self, record: Record, model: Sparta, compared: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__(record, model)
        self.compared = compared

    def losses(self, batch: Days, epoch: int, generator: torch.Generator) -> Losses:
        encoder, projector, part = self.modules["encoder"], self.modules["projector"], batch.part
        (days,) = batch.roles
        second = self.views.augmented_sparse if self.experiment.sparse_views else self.views.augmented
        views = self.views.augmented(days, generator, part), second(days, generator, part)
        p, q = (projector(self.scaled(encoder(view), part)) for view in views)
        times = self.share.gather(days.time.double(), part)
        return {"loss": self.compared(p, q, times)}
