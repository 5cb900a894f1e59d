"""Stage 2: from contrast to reconstruction (paper, section 5.2)."""

from math import exp
from typing import Any, ClassVar

import torch

from sparta_core.data.record import Record
from sparta_core.decoders import Decoder
from sparta_core.fusions import Fusion
from sparta_core.models.sparta import Sparta
from sparta_core.objectives.contrastive import Contrast, Contrasted
from sparta_core.objectives.days import DayObjective, Days, Losses
from sparta_core.settings import Amount, Epochs, Positive, Uses, setting


class Blend(Contrasted, name="blend"):
    """Everything trains, as alpha decays."""

    uses: ClassVar[Uses] = (*Contrasted.uses, Decoder)
    parts = ("encoder", "projector", "decoder")
    after = "pretrain"
    blend_epochs: Epochs = setting(250, "epochs of stage 2")
    blend_rate: Positive = setting(1e-4, "learning rate of stage 2")
    blend_decay: Amount = setting(0.01, "alpha = exp(-blend_decay epoch)", "1 / epochs")

    def objective(self, record: Record, model: Sparta) -> DayObjective:
        return BlendedLoss(record, model)

    def scaled(self, share: float) -> dict[str, Any]:
        """So that alpha ends where it did."""
        changes = super().scaled(share)
        steeper = (self.blend_epochs - 1) / (changes["blend_epochs"] - 1) if self.blend_epochs > 1 else 1
        return changes | {"blend_decay": self.blend_decay * steeper}


class BlendedLoss(Contrast):
    """From contrast to reconstruction, alpha = exp(-blend_decay epoch) (equation 17)."""

    trains = ("encoder", "projector", "decoder")
    monitored = "monitored"

    def losses(self, batch: Days, epoch: int, generator: torch.Generator) -> Losses:
        losses, positives = self.contrast(batch, generator)
        now, *truths = batch.roles
        ahead, back = (self.rebuilt(z, x, batch.part) for z, x in zip(positives, truths, strict=True))
        neighbours = ahead + back
        sparse = self.reconstruct(now, batch.part, generator)
        alpha = exp(-self.experiment.blend_decay * epoch)
        cycle = self.experiment.cycle_weight * losses["cycle"]
        without_cycle = alpha * (losses["contrastive"] + neighbours) + (1 - alpha) * sparse
        loss = without_cycle + alpha * cycle
        monitored = loss if self.experiment.of(Fusion).cycle_monitored else without_cycle
        return {"loss": loss, **losses, "neighbours": neighbours, "reconstruction": sparse,
                "monitored": monitored}  # fmt: skip
