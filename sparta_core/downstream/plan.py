"""What a command will train, in order, and what it will cost: days, steps, and time from timed first steps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sparta_core.downstream import calendar, classification, diffusion, forecast
from sparta_core.evaluation.baselines import Baselines
from sparta_core.experiment import Experiment, trainings
from sparta_core.processes import agreed
from sparta_core.progress import duration
from sparta_core.training import stages
from sparta_core.training.fit import CHECKPOINT, Job, timed_epoch
from sparta_core.training.runs import Run
from sparta_core.training.workbench import Workbench
from sparta_core.typed import Table

STAGES = tuple(name for name, kind in trainings().items() if not issubclass(kind, Baselines))
Training = tuple[Run, Callable[[], Job]]  # the run of a training, and what makes its Job on modules that know nothing


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
    return experiment.ancestry(*names)


def train(experiment: Experiment, name: str) -> None:
    """Train the stage called `name` and what it needs, as far as that is not done."""
    if isinstance(experiment.trained(name), stages.Stage):
        stages.train_stage(experiment, name)
    else:
        TRAIN[name](experiment)


def costs(experiment: Experiment, names: Sequence[str]) -> Iterator[Cost]:
    """Of each training in `ordered` that is not finished; a few steps of fresh modules are timed, nothing is kept."""
    bench = Workbench.of(experiment)
    for name in ordered(experiment, names):
        for run, job in _jobs(bench, name):
            if not agreed(run.finished):
                yield _cost(bench, name, run, job())


def _jobs(bench: Workbench, name: str) -> list[Training]:
    """What a stage trains: several where it has several seeds, nothing where the date says the season."""
    if isinstance(bench.experiment.trained(name), stages.Stage):
        return [(bench.run(name), partial(stages.job, bench, name))]
    return JOBS[name](bench)


def _forecasters(experiment: Experiment) -> None:
    for seed in experiment.forecast_seeds:
        forecast.forecast(experiment, seed)


def _forecaster_jobs(bench: Workbench) -> list[Training]:
    return [(bench.run("forecast", f"-seed{seed}"), partial(_untaught, forecast.job, bench, seed))
            for seed in bench.experiment.forecast_seeds]  # fmt: skip


def _denoiser_jobs(bench: Workbench) -> list[Training]:
    return [(bench.run("diffusion"), partial(_untaught, diffusion.job, bench))]


def _classifier(experiment: Experiment) -> None:
    CLASSIFIERS[experiment.classifier][0](experiment)


def _classifier_jobs(bench: Workbench) -> list[Training]:
    return CLASSIFIERS[bench.experiment.classifier][1](bench)


def _network_jobs(bench: Workbench) -> list[Training]:
    return [(bench.run("classification"), partial(_untaught, classification.job, bench))]


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


# Of each kind of classifier, what makes it and what that trains: the date has no network.
CLASSIFIERS: Table[tuple[Callable[[Experiment], object], Callable[[Workbench], list[Training]]]] = Table("classifier", {
    "mlp": (classification.classification, _network_jobs),
    "date": (lambda experiment: calendar.temperature(Workbench.of(experiment)), lambda bench: []),
})  # fmt: skip
TRAIN: Table[Callable[[Experiment], object]] = Table("stage", {
    "forecast": _forecasters, "diffusion": diffusion.diffusion, "classification": _classifier,
})  # fmt: skip
JOBS: Table[Callable[[Workbench], list[Training]]] = Table("task", {
    "forecast": _forecaster_jobs, "diffusion": _denoiser_jobs, "classification": _classifier_jobs,
})  # fmt: skip
