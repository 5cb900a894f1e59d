"""Tasks: what is made of the embeddings, one folder each; command line, score card and comparison ask the folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import pandas as pd
import xarray as xr

from sparta_core.catalogue import Trained, trainings
from sparta_core.data.days import DownstreamSplit
from sparta_core.data.sample import Sample
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.objectives import Recipe
from sparta_core.observe import DownstreamMask
from sparta_core.settings import Uses
from sparta_core.tensors import Tensors
from sparta_core.training.fit import Job, finish
from sparta_core.training.records import run_of
from sparta_core.training.runs import Run
from sparta_core.training.stages import representation
from sparta_core.typed import check_choice


class Option(NamedTuple):
    """A whole number, or a text, that says more of what `Task.predict` shall make."""

    name: str
    default: int | None
    help: str
    kind: type[int] | type[str] = int


class Training(NamedTuple):
    """One training of a task: its run, and what makes its Job on the modules of a representation."""

    run: Run
    job: Callable[[Sparta], Job]


class Target(NamedTuple):
    """What a model should reach: an error, below a limit in every case."""

    name: str
    error: xr.DataArray
    limit: xr.DataArray


@dataclass(frozen=True)
class Measure:
    """One number of a task, lower being better, as tables and figures head it."""

    task: str
    metric: str
    label: str
    setup: str = ""  # empty: any
    whole: str = ""  # the set-up of baselines that have none of their own

    def of(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows of `frame` that hold it; baselines that have no set-up of their own count for each."""
        rows = frame[(frame.task == self.task) & (frame.metric == self.metric)]
        return rows[rows.setup.isin((self.setup, self.whole))] if self.setup else rows


class Task(Trained):
    """What is made of the embeddings that an objective has learned: how it trains, and how it is scored.

    A task's settings are its fields, `uses` names the sections whose settings its result depends on.
    """

    uses: ClassVar[Uses] = (DownstreamSplit, DownstreamMask, Recipe)
    benchmark: ClassVar[str] = ""  # the baseline that a model should beat
    options: ClassVar[tuple[Option, ...]] = ()  # that `predict` takes
    full_fields: ClassVar[bool] = False  # whether `predict` takes these instead of anomalies
    empty_days: ClassVar[bool] = False  # whether it takes days of which nothing is observed
    checks: ClassVar[bool] = False  # whether it sets gross errors aside itself, as `quality_control` says
    takes: ClassVar[tuple[str, ...]] = ()  # other tasks whose state it takes, too, each under its name

    def lacks(self, experiment: Experiment) -> str:
        """What models of the experiment lack for it, and what to set, in a sentence; "" for nothing."""
        return ""

    def needs(self, experiment: Experiment) -> tuple[str, ...]:
        return (experiment.representation,)

    def trainings(self, experiment: Experiment) -> list[Training]:
        """What it trains: several where it has several seeds, nothing where it only scores."""
        return []

    def train(self, experiment: Experiment) -> None:
        """Train what is not trained yet."""
        for run, job in self.trainings(experiment):
            finish(run, partial(_on_representation, job, experiment))

    def runs(self, experiment: Experiment) -> list[Run]:
        """Where its scores lie."""
        return [run for run, _ in self.trainings(experiment)] or [run_of(experiment, experiment.representation)]

    def score(self, experiment: Experiment) -> xr.Dataset:
        """The model's scores, kept beside its runs; trains what is missing."""
        raise NotImplementedError

    def score_baselines(self, experiment: Experiment) -> xr.Dataset:
        """The baselines' scores on the same days, along a dimension model."""
        raise NotImplementedError

    def baselines(self, experiment: Experiment) -> Run:
        """Where these lie."""
        return run_of(experiment, "baselines", f"-{self.name}")

    def state(self, model: Sparta) -> Tensors:
        """What predicting takes besides the representation `model`, for a model's file; trains what is missing."""
        return {}

    def predict(self, model: Sparta, state: Tensors, days: Sample, **options: Any) -> xr.Dataset:
        """Make of anybody's days what the task makes of days.

        Args:
            model: The representation.
            state: What `state` gave, or a file.
            days: (T, C, H, W) as they are observed: anomalies, or full fields if it takes `full_fields`.
            **options: The task's own.

        Returns:
            A Dataset with the names, units and coordinates of the CF conventions, along time where it is of days.

        Raises:
            ExperimentError: For a task that makes nothing of days.
        """
        raise ExperimentError(f"{self.name} makes nothing of days; choose another task")

    def each_day(self, options: Mapping[str, Any]) -> bool:
        """Whether it makes of each day something by itself, with these options of `predict`."""
        return False

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        """What a comparison shows of it."""
        return ()

    def targets(self, experiments: Sequence[Experiment]) -> Iterator[Target]:
        """What its model should reach, means over the experiments, which differ by their seed."""
        yield from ()


def tasks(experiment: Experiment) -> dict[str, Task]:
    """The tasks that the experiment's models can have, by name."""
    return {name: task for name, task in _all(experiment).items() if not task.lacks(experiment)}


def _all(experiment: Experiment) -> dict[str, Task]:
    every = {name: experiment.trained(name) for name in trainings()}
    return {name: task for name, task in every.items() if isinstance(task, Task)}


def task_of(experiment: Experiment, name: str) -> Task:
    """The task called `name`; ExperimentError, which lists the names, for any other."""
    every = _all(experiment)
    check_choice("task", name, tuple(every))
    return every[name]


def _on_representation(job: Callable[[Sparta], Job], experiment: Experiment) -> Job:
    return job(representation(experiment))


def mean_over(what: str, experiments: Sequence[Experiment], score: Callable[[Experiment], xr.Dataset]) -> xr.Dataset:
    """The mean of scores over experiments, each scored in its turn, which is said."""
    parts = []
    for experiment in experiments:
        print(f"{what}, seed {experiment.seed}", flush=True)
        scores = score(experiment)
        parts.append(scores.mean("seed", keep_attrs=True) if "seed" in scores.dims else scores)
    return xr.concat(parts, "repetition", coords="minimal", compat="override").mean("repetition", keep_attrs=True)


def by_model(models: Mapping[str, Experiment], score: Callable[[Experiment], xr.Dataset]) -> xr.Dataset:
    """The scores of every model, along a dimension of their names."""
    parts = [score(one).expand_dims(model=[name]) for name, one in models.items()]
    return xr.concat(parts, "model", coords="minimal", compat="override")
