"""What a command will train, in order, and what it will cost: days, steps, and time from timed first steps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sparta_core.catalogue import trainings
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.processes import agreed
from sparta_core.progress import duration
from sparta_core.tasks import Task
from sparta_core.training.fit import CHECKPOINT, Job, timed_epoch
from sparta_core.training.records import open_record, run_of
from sparta_core.training.runs import Run
from sparta_core.training.stages import Stage, fresh, job, train_stage

STAGES = tuple(name for name, kind in trainings().items() if issubclass(kind, Stage | Task))


@dataclass(frozen=True)
class Cost:
    """Of one training still to do: training days, steps an epoch, epochs left, seconds in all."""

    name: str
    days: int
    steps: int
    epochs: int
    seconds: float

    def __str__(self) -> str:
        return (f"{self.name}: {self.days:,} days, {self.steps:,} steps an epoch, {self.epochs:,} epochs: "
                f"about {duration(self.seconds)}")  # fmt: skip


def train(experiment: Experiment, name: str) -> None:
    """Train the stage or task called `name` and what it needs, as far as that is not done."""
    trained = experiment.trained(name)
    if isinstance(trained, Task):
        trained.train(experiment)
    else:
        train_stage(experiment, name)


def check(experiment: Experiment, names: Sequence[str]) -> None:
    """ExperimentError for a task that models of the experiment cannot have."""
    for trained in map(experiment.trained, names):
        if isinstance(trained, Task) and (lack := trained.lacks(experiment)):
            raise ExperimentError(lack)


def costs(experiment: Experiment, names: Sequence[str]) -> Iterator[Cost]:
    """Of each training of some epochs that is not finished; a few steps of fresh modules are timed, nothing is kept."""
    for name in experiment.ancestry(*names):
        for run, make in _jobs(experiment, name):
            if not agreed(run.finished) and (training := make()).schedule.epochs:
                yield _cost(experiment, name, run, training)


def _jobs(experiment: Experiment, name: str) -> list[tuple[Run, Callable[[], Job]]]:
    trained = experiment.trained(name)
    if isinstance(trained, Task):
        return [(run, partial(_untaught, make, experiment)) for run, make in trained.trainings(experiment)]
    return [(run_of(experiment, name), partial(job, experiment, name))]


def _untaught(make: Callable[[Sparta], Job], experiment: Experiment) -> Job:
    """A task's training on the embeddings of an encoder that is not trained."""
    return make(fresh(experiment, experiment.representation).eval().requires_grad_(False))


def _cost(experiment: Experiment, name: str, run: Run, job: Job) -> Cost:
    part = experiment.learns_from(name)
    done = run.record(CHECKPOINT).get("epoch", 0)
    steps, seconds = timed_epoch(job)
    left = job.schedule.epochs - done
    return Cost(run.folder.name, len(open_record(experiment).splits[part]), steps, left, left * seconds)
