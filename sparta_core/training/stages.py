"""Stages of a representation: a finished one is loaded, a half-trained one resumed, a missing one trained.

What a stage needs is trained first.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from torch import nn

from sparta_core.catalogue import Trained
from sparta_core.data.days import DataSettings
from sparta_core.data.departures import Departures
from sparta_core.encoders import Encoder
from sparta_core.encoders.linear_path import LinearPath
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment, Randomness
from sparta_core.models.sparta import Sparta
from sparta_core.observe import Errors, MaskRatio, Observation
from sparta_core.settings import Section
from sparta_core.training.device import arrange
from sparta_core.training.fit import Job, Objective
from sparta_core.training.schedules import PlateauSettings, Schedule
from sparta_core.training.workbench import Workbench
from sparta_core.views.augment import ViewSettings
from sparta_core.views.sampling import Batches

# What every stage of a representation depends on.
REPRESENTATION: tuple[type[Section], ...] = (
    Randomness, DataSettings, Departures, ViewSettings, Observation, Errors, MaskRatio, Batches, Encoder, LinearPath,
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
        return (self.after,) if self.after else ()

    def variant(self, experiment: Experiment) -> str:
        """What tells the model from others of its family."""
        return "" if self.family else f"_{self.name}"

    def objective(self, bench: Workbench, parts: Mapping[str, nn.Module]) -> Objective:
        """What it minimises, on the modules that are its parts."""
        raise NotImplementedError


def stage_of(experiment: Experiment, name: str) -> Stage:
    """The stage called `name`; ExperimentError for a task."""
    stage = experiment.trained(name)
    if not isinstance(stage, Stage):
        raise ExperimentError(f"{name} is a task, not a stage of a representation")
    return stage


def train_stage(experiment: Experiment, name: str) -> Sparta:
    """The finished model of a stage, frozen; trains what is missing.

    Args:
        experiment: what to train.
        name: of the stage.

    Returns:
        Its encoder, and projector and decoder where it has them, on the experiment's device.
    """
    bench, after = Workbench.of(experiment), stage_of(experiment, name).after
    run = bench.run(name)
    bench.finish(run, lambda: job(bench, name, train_stage(experiment, after) if after else None))
    return bench.load(run)


autoencoder = partial(train_stage, name="autoencoder")
pretrain = partial(train_stage, name="pretrain")
blend = partial(train_stage, name="blend")
decoder = partial(train_stage, name="decoder")


def representation(experiment: Experiment) -> Sparta:
    """The encoder and decoder that the downstream tasks of `experiment` use, frozen."""
    return train_stage(experiment, experiment.representation)


def job(bench: Workbench, name: str, earlier: Sparta | None = None) -> Job:
    """The training of a stage, from the modules of the `earlier` one as far as it has them, else from fresh ones."""
    experiment, run, stage = bench.experiment, bench.run(name), stage_of(bench.experiment, name)
    model, fabric = bench.build(name), bench.fabric(run)
    for part, module in (earlier.parts if earlier else {}).items():
        if part in model.parts:
            model.parts[part].load_state_dict(module.state_dict())
    arrange(model, fabric.device.type, fabric._precision.precision)
    parts = {part: fabric.setup_module(module) for part, module in model.parts.items()}
    return Job(stage.objective(bench, parts), Schedule(stage.epochs, stage.rate), experiment, run, fabric,
               experiment.seed)  # fmt: skip
