"""SPARTA's own training steps, as training.fit takes them, and its views by themselves."""

from itertools import cycle
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.training.device import make_fabric
from sparta_core.training.fit import Objective
from sparta_core.training.schedules import Schedule
from sparta_core.training.stages import fresh, set_up, stage_of
from sparta_core.views.augment import Views
from sparta_core.views.sampling import Sampler

STAGES = {"pretrain": "stage 1", "blend": "stage 2", "decoder": "stage 3"}
SOFT_GAP = 252  # days: 504 anchors, twelve of the paper's batches
EPOCH = 1  # past the first, where the blend gives the reconstruction no weight


class Training:
    """What an objective trains, with the optimisers that it brings."""

    def __init__(self, fabric: Fabric, objective: Objective, schedule: Schedule, seed: int) -> None:
        self.fabric, self.objective = fabric, objective
        plain = objective.optimisers(schedule.rate, schedule.weight_decay)
        self.optimisers: dict[str, Any] = {name: fabric.setup_optimizers(each) for name, each in plain.items()}
        self.generator = torch.Generator(fabric.device).manual_seed(seed)

    def step(self, batch: Tensor, epoch: int) -> None:
        """Every optimiser's steps on a batch."""
        for name, losses in self.objective.steps(self.objective.load(batch), epoch, self.generator):
            self.optimisers[name].zero_grad(set_to_none=True)
            self.fabric.backward(losses["loss"])
            self.optimisers[name].step()


class TrainingStep(Training):
    """One step: views of the next batch, losses, gradients, Adam; in the precision that SPARTA chooses.

    Calling it returns without waiting for the device.
    """

    def __init__(self, experiment: Experiment, stage: str, record: Record, precision: str | None = None) -> None:
        fabric = make_fabric(experiment.replace(precision=precision or experiment.precision))
        model, chosen = fresh(experiment, stage, record), stage_of(experiment, stage)
        self.precision = fabric._precision.precision
        set_up(model, fabric)
        schedule = Schedule(chosen.epochs, chosen.rate)
        super().__init__(fabric, chosen.objective(record, model), schedule, experiment.seed)
        self.batches = cycle(self.objective.batches("train", self.generator)[:-1])  # the last is partial

    def __call__(self) -> None:
        self.step(next(self.batches), EPOCH)

    def flops(self) -> int:
        """Floating-point operations of one step, which it takes."""
        with FlopCounterMode(display=False) as counter:
            self()
        return counter.get_total_flops()


class EpochOfViews:
    """All nine views of every anchor of a short split, negatives drawn anew, in batches of the experiment's size.

    The split is short and its soft negatives near, so that an epoch takes seconds; a draw costs the same.
    """

    def __init__(self, experiment: Experiment, record: Record) -> None:
        near = experiment.replace(soft_gap=SOFT_GAP)
        days = range(2 * (near.soft_gap + near.max_offset))  # the fewest that have soft negatives
        self.sampler = Sampler.of(near, "train", days, True, record.clock)
        self.record, self.views = record, Views(experiment, record.domain).to(record.device)
        self.generator = torch.Generator(record.device).manual_seed(experiment.seed)

    @property
    def anchors(self) -> int:
        return len(self.sampler.anchors)

    def masked(self) -> None:
        """As training sees them."""
        for days, offsets in self._drawn():
            self.views.augmented(self.record.take(days), self.generator)
            for neighbours in (days + offsets, days - offsets):
                self.views.augmented_sparse(self.record.take(neighbours), self.generator)

    def unmasked(self) -> None:
        """Enlarged, cropped and smoothed only."""
        for days, offsets in self._drawn():
            for shown in (days, days + offsets, days - offsets):
                self.views.augmented(self.record.take(shown), self.generator)

    def _drawn(self) -> list[tuple[Tensor, Tensor]]:
        batches = self.sampler.batches(self.generator)
        return [(days, self.sampler.offsets(len(days), self.generator)) for days in batches]
