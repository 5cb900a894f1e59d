"""What a command will train, in order, and what it will cost: days, steps, and time from timed first steps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sparta_core.downstream import calendar, classification, diffusion, forecast
from sparta_core.experiment import DOWNSTREAM, Experiment
from sparta_core.processes import agreed
from sparta_core.progress import duration
from sparta_core.training import stages
from sparta_core.training.fit import CHECKPOINT, Job, timed_epoch
from sparta_core.training.runs import Run
from sparta_core.training.workbench import Workbench

STAGES = (*stages.STAGES, *DOWNSTREAM)
# Of each task that trains once: its stage function, and what makes its Job.
TASKS: dict[str, tuple[Callable[[Experiment], object], Callable[..., Job]]] = {
    "diffusion": (diffusion.diffusion, diffusion.job),
    "classification": (classification.classification, classification.job),
}


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


def ordered(experiment: Experiment, names: Sequence[str]) -> list[str]:
    """The stages called `names` with all that they need first, in the order in which they train."""
    needed = set().union(*(experiment.ancestry(name) for name in names))
    return [name for name in STAGES if name in needed]


def train(experiment: Experiment, name: str) -> None:
    """Train the stage called `name` and what it needs, as far as that is not done."""
    if name in stages.STAGES:
        stages.STAGES[name](experiment)
    elif name == "forecast":
        for seed in experiment.forecast_seeds:
            forecast.forecast(experiment, seed)
    elif _by_date(experiment, name):
        calendar.temperature(Workbench.of(experiment))
    else:
        TASKS[name][0](experiment)


def costs(experiment: Experiment, names: Sequence[str]) -> Iterator[Cost]:
    """Of each training in `ordered` that is not finished; a few steps of fresh modules are timed, nothing is kept."""
    bench = Workbench.of(experiment)
    for name in ordered(experiment, names):
        for run, job in _jobs(bench, name):
            if not agreed(run.finished):
                yield _cost(bench, name, run, job())


def _jobs(bench: Workbench, name: str) -> list[tuple[Run, Callable[[], Job]]]:
    """The runs of a stage, and of each how to make its training, on modules that know nothing yet."""
    if name in stages.STAGES:
        return [(bench.run(name), partial(stages.job, bench, name))]
    if name == "forecast":
        return [(bench.run(name, f"-seed{seed}"), partial(_untaught, forecast.job, bench, seed))
                for seed in bench.experiment.forecast_seeds]  # fmt: skip
    if _by_date(bench.experiment, name):
        return []
    return [(bench.run(name), partial(_untaught, TASKS[name][1], bench))]


def _by_date(experiment: Experiment, name: str) -> bool:
    """Whether the season comes from the date, for which nothing is trained."""
    return name == "classification" and experiment.classifier == "date"


def _untaught(job: Callable[..., Job], bench: Workbench, *seed: int) -> Job:
    """A downstream task's training on the embeddings of an encoder that is not trained."""
    model = bench.build(bench.experiment.representation).to(bench.device)
    return job(bench, model.eval().requires_grad_(False), *seed)


def _cost(bench: Workbench, name: str, run: Run, job: Job) -> Cost:
    part = bench.experiment.learns_from(name)
    done = run.record(CHECKPOINT).get("epoch", 0)
    steps, seconds = timed_epoch(job)
    left = job.schedule.epochs - done
    return Cost(run.folder.name, len(bench.fields.splits[part]), steps, left, left * seconds)
