"""Stages of a representation: a finished one is loaded, a half-trained one resumed, a missing one trained.

What a stage needs is trained first.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from sparta_core.catalogue import Trained
from sparta_core.data.anomalies import Anomalies
from sparta_core.data.days import DataSettings
from sparta_core.data.record import Record
from sparta_core.encoders import Encoder
from sparta_core.encoders.linear_path import LinearPath
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment, Randomness
from sparta_core.models.sparta import Sparta
from sparta_core.observe import Errors, MaskRatio, Observation
from sparta_core.settings import Section
from sparta_core.training.device import arrange, local_device
from sparta_core.training.fit import MODEL, Job, Objective, fabric_of, finish, seeded
from sparta_core.training.modes import modes_of
from sparta_core.training.records import open_record, run_of
from sparta_core.training.runs import Run, reading
from sparta_core.training.schedules import PlateauSettings, Schedule
from sparta_core.views.augment import ViewSettings
from sparta_core.views.sampling import Batches

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# What every stage of a representation depends on.
REPRESENTATION: tuple[type[Section], ...] = (
    Randomness, DataSettings, Anomalies, ViewSettings, Observation, Errors, MaskRatio, Batches, Encoder, LinearPath,
    PlateauSettings,
)  # fmt: skip


class Stage(Trained):
    """One training of a representation; its settings are called after it: <name>_epochs and <name>_rate.

    `parts` are built, those of the stage `after` which it comes with its weights. A `baseline` has early fusion and
    the autoencoder's decoder. `family` and `variant` name the model in tables.
    """

    parts: ClassVar[tuple[str, ...]]
    after: ClassVar[str] = ""
    baseline: ClassVar[bool] = False
    family: ClassVar[str] = ""

    @property
    def epochs(self) -> int:
        epochs: int = getattr(self, f"{self.name}_epochs")
        return epochs

    @property
    def rate(self) -> float:
        rate: float = getattr(self, f"{self.name}_rate")
        return rate

    def needs(self, experiment: Experiment) -> tuple[str, ...]:
        before = self.before(experiment)
        return (before,) if before else ()

    def before(self, experiment: Experiment) -> str:
        """The stage whose weights it begins with; "" for fresh ones."""
        return self.after

    def negatives(self, experiment: Experiment) -> bool:
        """Whether there are days near an anchor beside it in its batches."""
        return True

    def family_of(self, experiment: Experiment) -> str:
        """What models like the one that it leaves are called in tables."""
        return self.family

    def variant(self, experiment: Experiment) -> str:
        """What tells the model from others of its family."""
        return "" if self.family else f"_{self.name}"

    def build(self, experiment: Experiment, record: Record) -> Sparta:
        """A fresh model for a record's fields, of whatever global randomness there is."""
        modes = modes_of(experiment, record) if experiment.linear_path else None
        return Sparta.build(experiment, self.parts, record.normaliser, modes, self.baseline)

    def objective(self, record: Record, model: Sparta) -> Objective:
        """What it minimises on the days of a record, by the parts of a model."""
        raise NotImplementedError


def stage_of(experiment: Experiment, name: str) -> Stage:
    """The stage called `name`; ExperimentError for a task."""
    stage = experiment.trained(name)
    if not isinstance(stage, Stage):
        raise ExperimentError(f"{name} is a task, not a stage of a representation")
    return stage


def train_stage(experiment: Experiment, name: str) -> Sparta:
    """Train a stage, and before it what it needs, as far as that is not done.

    Args:
        experiment: What to train.
        name: Of the stage.

    Returns:
        The finished representation, frozen: encoder, and projector and decoder where the stage has them, on the
        experiment's device.
    """
    run, after = run_of(experiment, name), stage_of(experiment, name).before(experiment)
    finish(run, lambda: job(experiment, name, train_stage(experiment, after) if after else None))
    return loaded(experiment, run)


def loaded(experiment: Experiment, run: Run) -> Sparta:
    """The finished representation of a stage's run, frozen, on the experiment's device."""
    with reading(run.path(MODEL), f"delete it to train {run.stage} again, nothing else is lost"):
        return frozen(experiment, run.stage, *run.load(MODEL))


def frozen(experiment: Experiment, stage: str, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> Sparta:
    """The representation that a file holds, in evaluation mode, on the experiment's device; errors as `restored`'s."""
    device = torch.device(local_device(experiment.device))
    model = Sparta.restored(experiment, tensors, about, device, stage_of(experiment, stage).baseline)
    arrange(model, device.type)
    return model.eval().requires_grad_(False)


def fresh(experiment: Experiment, name: str, record: Record | None = None) -> Sparta:
    """Fresh modules of a stage, initialised from the experiment's seed, for its days or another `record`'s."""
    record = open_record(experiment) if record is None else record
    with seeded(experiment.seed, name, "build"):
        return stage_of(experiment, name).build(experiment, record).to(record.device)


autoencoder = partial(train_stage, name="autoencoder")
pretrain = partial(train_stage, name="pretrain")
blend = partial(train_stage, name="blend")
decoder = partial(train_stage, name="decoder")


def representation(experiment: Experiment) -> Sparta:
    """The encoder and decoder that the downstream tasks of `experiment` use, frozen."""
    return train_stage(experiment, experiment.representation)


def job(experiment: Experiment, name: str, earlier: Sparta | None = None) -> Job:
    """The training of a stage, from the modules of the `earlier` one as far as it has them, else from fresh ones."""
    run, stage, model = run_of(experiment, name), stage_of(experiment, name), fresh(experiment, name)
    fabric = fabric_of(experiment, run)
    for part, module in (earlier.parts if earlier else {}).items():
        if part in model.parts:
            model.parts[part].load_state_dict(module.state_dict())
    set_up(model, fabric)
    return Job(stage.objective(open_record(experiment), model), Schedule(stage.epochs, stage.rate), experiment, run,
               fabric, experiment.seed, model.attached(), model.about() | {"stage": name})  # fmt: skip


def set_up(model: Sparta, fabric: "Fabric") -> None:
    """Have a fabric place and run every part of a model, in the memory layout that pays in its precision."""
    arrange(model, fabric.device.type, fabric._precision.precision)
    for part, module in model.parts.items():
        setattr(model, part, fabric.setup_module(module))
