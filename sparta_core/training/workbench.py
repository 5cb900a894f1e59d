"""The days, their views and the device, ready for the stages of one experiment."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from lightning_fabric import Fabric

from sparta_core.data.fields import Fields, load_fields
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.device import arrange, local_device, make_fabric
from sparta_core.training.fit import CHECKPOINT, MODEL, seeded
from sparta_core.training.runs import Run
from sparta_core.views.augment import Views


@dataclass(frozen=True)
class Workbench:
    """What every stage needs: `fields`, and the `views` of them, made on the device."""

    experiment: Experiment
    fields: Fields
    views: Views

    @classmethod
    def of(cls, experiment: Experiment) -> "Workbench":
        device = local_device(experiment.device)
        fields = _fields(Experiment(**{name: getattr(experiment, name) for name in _DAYS}), device)
        views = Views(experiment, fields.grid).to(device)
        return cls(experiment, fields, views)

    @property
    def device(self) -> torch.device:
        return self.fields.device

    def run(self, stage: str, variant: str = "") -> Run:
        """Where `stage` of this experiment lives."""
        return Run.of(self.experiment, stage, self.fields.fingerprint, variant)

    def fabric(self, run: Run) -> Fabric:
        """Places and runs the stage's modules; unfinished work goes on in the precision it began with."""
        precision = run.record(CHECKPOINT)["precision"] if run.has(CHECKPOINT) else None
        return make_fabric(self.experiment, precision)

    def build(self, stage: str) -> Sparta:
        """Fresh modules of a representation stage, initialised from the experiment's seed."""
        with seeded(self.experiment.seed, stage, "build"):
            return Sparta.build(self.experiment, stage, len(self.fields.variables), self.fields.grid)

    def load(self, run: Run) -> Sparta:
        """The finished model of a representation stage: on the device, in evaluation mode, frozen."""
        model = self.build(run.stage)
        tensors, _ = run.load(MODEL)
        load_weights(model.parts, tensors)
        arrange(model, self.device.type)
        return model.to(self.device).eval().requires_grad_(False)


# The settings that decide which days there are: experiments that differ elsewhere share them in memory.
_DAYS = ("storage", "data", "variables", "level", "days", "split", "downstream_split")


@lru_cache(maxsize=1)
def _fields(experiment: Experiment, device: str) -> Fields:
    return load_fields(experiment, device)
