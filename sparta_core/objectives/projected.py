"""What objectives have in common that compare projections of views."""

import torch
from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.models.sparta import Sparta
from sparta_core.objectives.days import DayObjective
from sparta_core.processes import Part

SMALLEST = 1e-6  # of the largest variance: components with less are in its units


class Projected(DayObjective):
    """Encoder and projector learn."""

    trains: tuple[str, ...] = ("encoder", "projector")

    def __init__(self, record: Record, model: Sparta) -> None:
        super().__init__(record, model)
        self.unit = torch.ones((), device=record.device)
        if model.modes is not None:  # scores are as large as their modes: unscaled, a few would be all of a loss
            variance = model.modes.variance
            self.unit = variance.clamp_min(SMALLEST * variance.max()).sqrt()

    def scaled(self, embeddings: Tensor, part: Part) -> Tensor:
        """All processes' embeddings (B, E), of whose this one's `part` is given, in units of the modes."""
        return self.share.gather(embeddings / self.unit, part)
