"""SPARTA's own training step, as training.fit takes it, and its views by themselves."""

from itertools import cycle
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sparta_core.data.fields import Fields
from sparta_core.experiment import Experiment
from sparta_core.objectives.blend import BlendedLoss
from sparta_core.objectives.contrastive import Contrast
from sparta_core.objectives.decoder import DecoderReconstruction
from sparta_core.training.stages import job
from sparta_core.training.workbench import Workbench
from sparta_core.views.augment import Views
from sparta_core.views.sampling import Sampler

NUMBERS = {"pretrain": "stage 1", "blend": "stage 2", "decoder": "stage 3"}
STAGES = {"pretrain": Contrast, "blend": BlendedLoss, "decoder": DecoderReconstruction}
SOFT_GAP = 252  # days: 504 anchors, twelve of the paper's batches
EPOCH = 1  # past the first, where the blend gives the reconstruction no weight


def workbench(experiment: Experiment, fields: Fields) -> Workbench:
    """What `Workbench.of` makes of an experiment's days, of `fields`."""
    return Workbench(experiment, fields, Views(experiment, fields.latitude, fields.longitude).to(fields.values.device))


class TrainingStep:
    """One step: views of the next batch, losses, gradients, Adam; in the precision that SPARTA chooses.

    Calling it returns without waiting for the device.
    """

    def __init__(self, experiment: Experiment, stage: str, fields: Fields, precision: str | None = None) -> None:
        made = job(workbench(experiment.replace(precision=precision or experiment.precision), fields), stage)
        self.fabric, self.objective = made.fabric, made.objective
        self.precision = self.fabric._precision.precision
        trained = [p for name in self.objective.trains for p in self.objective.modules[name].parameters()]
        adam = torch.optim.Adam(trained, lr=experiment.pretrain_rate, fused=True)
        self.optimiser: Any = self.fabric.setup_optimizers(adam)
        self.generator = torch.Generator(self.fabric.device).manual_seed(experiment.seed)
        self.batches = cycle(self.objective.batches("train", self.generator)[:-1])  # the last is partial

    def __call__(self) -> None:
        losses = self.objective.losses(self.objective.load(next(self.batches)), EPOCH, self.generator)
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(losses["loss"])
        self.optimiser.step()

    def flops(self) -> int:
        """Floating-point operations of one step, which it takes."""
        with FlopCounterMode(display=False) as counter:
            self()
        return counter.get_total_flops()


class EpochOfViews:
    """All nine views of every anchor of a short split, negatives drawn anew, in batches of the experiment's size.

    The split is short and its soft negatives near, so that an epoch takes seconds; a draw costs the same.
    """

    def __init__(self, experiment: Experiment, fields: Fields) -> None:
        near = experiment.replace(soft_gap=SOFT_GAP)
        days = range(2 * (near.soft_gap + near.max_offset))  # the fewest that have soft negatives
        self.sampler = Sampler.of(near, "train", days, True)
        self.values = fields.values
        self.views = Views(experiment, fields.latitude, fields.longitude).to(self.values.device)
        self.generator = torch.Generator(fields.values.device).manual_seed(experiment.seed)

    @property
    def anchors(self) -> int:
        return len(self.sampler.anchors)

    def masked(self) -> None:
        """As training sees them."""
        for days, offsets in self._drawn():
            self.views.augmented(self.values[days], self.generator)
            for neighbours in (days + offsets, days - offsets):
                self.views.augmented_sparse(self.values[neighbours], self.generator)

    def unmasked(self) -> None:
        """Enlarged, cropped and smoothed only."""
        for days, offsets in self._drawn():
            for shown in (days, days + offsets, days - offsets):
                self.views.augmented(self.values[shown], self.generator)

    def _drawn(self) -> list[tuple[Tensor, Tensor]]:
        batches = self.sampler.batches(self.generator)
        return [(days, self.sampler.offsets(len(days), self.generator)) for days in batches]
