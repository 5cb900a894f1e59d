"""The days, their views and the device, ready for the stages of one experiment."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from sparta_core.data.checksums import checksum
from sparta_core.data.fields import Fields, load_fields
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.processes import agreed
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.device import arrange, join_launch, local_device, make_fabric
from sparta_core.training.fit import CHECKPOINT, MODEL, Job, fit, seeded
from sparta_core.training.modes import modes_checksum, modes_of
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
        join_launch(experiment)
        device = local_device(experiment.device)
        chosen = {name: getattr(experiment, name) for name in _DAYS}
        fields = _fields(Experiment(mask_grid="native", **chosen), device)
        views = Views(experiment, fields.latitude, fields.longitude).to(device)
        return cls(experiment, fields, views)

    @property
    def device(self) -> torch.device:
        return self.fields.device

    @property
    def data(self) -> str:
        """What tells these days, the stations that observe them and their modes from others of the same name."""
        marks, stations = [self.fields.fingerprint], self.experiment.stations
        if stations:
            marks.append(checksum(Path(stations))[:16])
        if self.experiment.linear_path:
            marks.append(modes_checksum(self.experiment, self.fields))
        return "-".join(marks)

    def run(self, stage: str, variant: str = "") -> Run:
        """Where `stage` of this experiment lives."""
        return Run.of(self.experiment, stage, self.data, variant)

    def fabric(self, run: Run) -> Fabric:
        """Places and runs the stage's modules; unfinished work goes on in the precision it began with."""
        return make_fabric(self.experiment, run.record(CHECKPOINT).get("precision"))

    def finish(self, run: Run, job: Callable[[], Job]) -> None:
        """Do the training that `job` makes, unless it is done; one that another process is at is waited for."""
        if not agreed(run.finished):
            with run.alone():
                if not agreed(run.finished):
                    fit(job())
        run.drop(CHECKPOINT)  # not with the training: who is killed between the two finishes it here

    def build(self, stage: str) -> Sparta:
        """Fresh modules of a representation stage, initialised from the experiment's seed."""
        modes = modes_of(self.experiment, self.fields) if self.experiment.linear_path else None
        trained: Any = self.experiment.trained(stage)
        with seeded(self.experiment.seed, stage, "build"):
            return Sparta.build(self.experiment, trained.parts, self.fields.grid, modes, trained.baseline)

    def load(self, run: Run) -> Sparta:
        """The finished model of a representation stage: on the device, in evaluation mode, frozen."""
        model = self.build(run.stage)
        tensors, _ = run.load(MODEL)
        load_weights(model.parts, tensors)
        arrange(model, self.device.type)
        return model.to(self.device).eval().requires_grad_(False)


# The settings that decide which days there are: experiments that differ elsewhere share them in memory.
_DAYS = ("storage", "data", "variables", "level", "days", "split", "downstream_split", "gaps", "departures")


@lru_cache(maxsize=1)
def _fields(experiment: Experiment, device: str) -> Fields:
    return load_fields(experiment, device)
