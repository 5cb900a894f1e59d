"""Contrast between days (paper, sections 3.3 to 3.5), and stage 1, which trains on it alone."""

from typing import ClassVar

import torch
from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.fusions import Fusion
from sparta_core.losses import cycle_consistency, nt_xent
from sparta_core.models.sparta import Sparta
from sparta_core.objectives import Recipe
from sparta_core.objectives.days import DayObjective, Days, Losses
from sparta_core.objectives.projected import Projected
from sparta_core.settings import Amount, Count, Epochs, Positive, Section, Uses, setting
from sparta_core.training.stages import REPRESENTATION, Stage
from sparta_core.views.augment import Crops


class ContrastSettings(Section):
    """What is contrasted with what."""

    hard_negatives: bool = setting(True, "whether days near an anchor in time are its negatives")
    cycle_weight: Amount = setting(1.0, "weight of the cycle loss; 0: none")
    temperature: Positive = setting(0.3, "of NT-Xent")
    projection: Count = setting(128, "size of the projections")
    offset_decay: Amount = setting(0.1, "P(d) ~ exp(-offset_decay d) of a positive's distance d", "1 / days")


class Contrasted(Stage):
    """A stage of the paper's method."""

    uses: ClassVar[Uses] = (*REPRESENTATION, Fusion, ContrastSettings, Crops)
    family = "sparta"

    def folder(self, experiment: Experiment) -> str:
        losses = ["hn"] * experiment.hard_negatives + ["cycle"] * bool(experiment.cycle_weight)
        return "-".join([experiment.fusion, *losses])

    def negatives(self, experiment: Experiment) -> bool:
        return experiment.hard_negatives

    def variant(self, experiment: Experiment) -> str:
        return "_" + self.folder(experiment).replace("-", "_")


class Pretrain(Contrasted, name="pretrain"):
    """Stage 1: encoder and projector on the contrastive and cycle losses."""

    parts = ("encoder", "projector")
    pretrain_epochs: Epochs = setting(100, "epochs of stage 1")
    pretrain_rate: Positive = setting(1e-4, "learning rate of stage 1")

    def objective(self, record: Record, model: Sparta) -> DayObjective:
        return Contrast(record, model)


class Contrastive(Recipe, name="contrastive"):
    """The paper's three stages."""

    stages = ("pretrain", "blend", "decoder")


def at_equal_steps(experiment: Experiment) -> Experiment:
    """Without hard negatives, as many steps as with them: an epoch without has a third of the steps.

    The paper compares equal epochs instead. An experiment with hard negatives stays as it is.
    """
    if experiment.hard_negatives:
        return experiment
    epochs = {f"{stage}_epochs": 3 * getattr(experiment, f"{stage}_epochs") for stage in Contrastive.stages}
    return experiment.replace(**epochs, blend_decay=experiment.blend_decay / 3,
                              plateau_patience=3 * experiment.plateau_patience)  # fmt: skip


class Contrast(Projected):
    """Contrastive loss of an anchor with its sparse neighbours in time, and the cycle loss."""

    def __init__(self, record: Record, model: Sparta) -> None:
        self.hard_negatives = model.experiment.hard_negatives
        super().__init__(record, model)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """One epoch of days (3, B): the anchors with their negatives, and as many days after and before each."""
        anchors = [days for (days,) in super().batches(part, generator)]
        offsets = self.samplers[part].offsets(sum(map(len, anchors)), generator).split([len(days) for days in anchors])
        return [torch.stack([days, days + d, days - d]) for days, d in zip(anchors, offsets, strict=True)]

    def losses(self, batch: Days, epoch: int, generator: torch.Generator) -> Losses:
        losses, _ = self.contrast(batch, generator)
        return {"loss": losses["contrastive"] + self.experiment.cycle_weight * losses["cycle"], **losses}

    def contrast(self, batch: Days, generator: torch.Generator) -> tuple[Losses, list[Tensor]]:
        """The losses of the whole batch, and the embeddings of both positives of this process's part."""
        encoder, projector, part = self.modules["encoder"], self.modules["projector"], batch.part
        now, *neighbours = batch.roles
        own = [encoder(self.views.augmented(now, generator, part)),
               *(encoder(self.views.augmented_sparse(days, generator, part)) for days in neighbours)]  # fmt: skip
        z, after, before = (self.scaled(rows, part) for rows in own)
        anchor = projector(z)
        ahead, back = (nt_xent(anchor, projector(other), self.experiment.temperature) for other in (after, before))
        losses = {"contrastive": ahead + back, "cycle": cycle_consistency(before, z, after)}
        return losses, own[1:]
