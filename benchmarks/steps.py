"""The training step of every stage and fusion against the plain one, and what late fusion costs."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice

from torch.utils.data import default_collate

from benchmarks.ours import STAGES, TrainingStep
from benchmarks.per_sample import AnchorViews, PlainStep, Views, affordable_workers
from benchmarks.report import Goal, Row, amount
from benchmarks.setting import Setting, noise_record
from benchmarks.timing import Contender, Spread, interleaved, matmul_peak, ratio, repeated
from benchmarks.views import running
from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.training.stages import fresh

FUSIONS = ("early", "attention", "gnn")


def step(setting: Setting) -> Iterator[Row]:
    record = noise_record(setting.experiment())
    for fusion in FUSIONS:
        for stage in STAGES:
            yield from Duel(setting, setting.experiment(fusion=fusion), stage, record).rows()


class Duel:
    """Our step of one stage and fusion, the plain one, and the plain one behind its loader."""

    def __init__(self, setting: Setting, experiment: Experiment, stage: str, record: Record) -> None:
        self.setting, self.stage = setting, stage
        self.name = f"{experiment.fusion}, {STAGES[stage]}"
        self.ours = TrainingStep(experiment, stage, record)
        self.theirs = PlainStep(fresh(experiment, stage, record), experiment, stage, setting.device)
        self.data = AnchorViews(record.values.cpu(), record.splits["train"], experiment, stage)
        self.workers = affordable_workers(self.data, setting.workers)

    def rows(self) -> Iterator[Row]:
        batch = default_collate([self.data[index] for index in range(self.setting.anchors)])
        flops = self.ours.flops()  # which warms up, as the next line does
        self.theirs(batch)
        times = interleaved(self.contenders(batch), self.setting.device, self.setting.rounds)
        speed = flops / self.setting.anchors / Spread.of(times["ours"]).median
        peak = matmul_peak(self.setting.device, self.ours.precision)
        ours = (f"{rate(times['ours'])}; {amount(speed / 1e9)} GFLOP/s, {speed / peak:.0%} of the matmul peak "
                f"in {self.ours.precision}")  # fmt: skip
        goal = None if self.setting.pipeline else Goal(2)
        yield Row(f"{self.name}; the plain step alone", ours, rate(times["step"]),
                  ratio(times["step"], times["ours"]), goal)  # fmt: skip
        for workers in self.pipelines:
            name = f"{self.name}; views and step, {workers} worker{'s' * (workers > 1)}"
            taken = times[f"pipeline {workers}"]
            yield Row(name, rate(times["ours"]), rate(taken), ratio(taken, times["ours"]), Goal(10))

    @property
    def pipelines(self) -> list[int]:
        """The numbers of workers that the whole plain pipeline is timed with."""
        return sorted({1, self.workers}) if self.setting.pipeline else []

    def contenders(self, batch: Views) -> dict[str, Contender]:
        anchors, repeats = self.setting.anchors, self.setting.repeats
        found = {
            "ours": Contender(repeated(self.ours, repeats), repeats * anchors),
            "step": Contender(repeated(partial(self.theirs, batch), repeats), repeats * anchors),
        }
        for workers in self.pipelines:
            count = max(workers, 4)  # batches: one of every worker
            found[f"pipeline {workers}"] = Contender(
                partial(self.train_on, count), count * anchors,
                partial(running, self.data, workers, self.setting.device))  # fmt: skip
        return found

    def train_on(self, count: int, batches: Iterator[Views]) -> None:
        """The plain step on as many batches of a loader."""
        for batch in islice(batches, count):
            self.theirs(batch)


def rate(seconds: list[float]) -> str:
    return f"{amount(1 / Spread.of(seconds).median)} anchors/s"


def in_turn(steps: Mapping[str, TrainingStep], setting: Setting) -> dict[str, list[float]]:
    """Seconds an anchor of every step, one per round."""
    repeats = setting.repeats
    contenders = {name: Contender(repeated(step, repeats), repeats * setting.anchors) for name, step in steps.items()}
    return interleaved(contenders, setting.device, setting.rounds)


def fusion(setting: Setting) -> Iterator[Row]:
    """Stage 1 with late fusion over the same with early fusion, both ours."""
    record = noise_record(setting.experiment())
    steps = {name: TrainingStep(setting.experiment(fusion=name), "pretrain", record) for name in FUSIONS}
    flops = {name: ours.flops() for name, ours in steps.items()}
    times = in_turn(steps, setting)
    for name in FUSIONS[1:]:
        arithmetic = f"{amount(flops[name] / flops['early'])} times the arithmetic"
        slower = ratio(times[name], times["early"])
        yield Row(f"stage 1's step, {name} over early fusion; {arithmetic}", rate(times[name]),
                  f"early {rate(times['early'])}", slower, Goal(4, at_least=False))  # fmt: skip
