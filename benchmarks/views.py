"""All nine views of an anchor: SPARTA's, on the device, against one worker of the per-sample pipeline."""

from collections.abc import Iterator
from itertools import islice

import torch

from benchmarks.ours import EpochOfViews, TrainingStep
from benchmarks.per_sample import PREFETCH, AnchorViews, Views, loader
from benchmarks.report import Goal, Row, amount
from benchmarks.setting import Setting, noise_record
from benchmarks.timing import Contender, Spread, interleaved, ratio, repeated

LOADED = 4  # batches of the per-sample loader in one timing
SHORT = 7  # years of days: enough for soft negatives


def views(setting: Setting) -> Iterator[Row]:
    experiment = setting.experiment(batch_size=128)
    record = noise_record(experiment, SHORT)
    ours = EpochOfViews(experiment, record)
    plain = AnchorViews(record.values.cpu(), range(len(record.time)), experiment, "pretrain")
    size = experiment.batch_size // 3
    contenders = {
        "ours": Contender(repeated(ours.masked, setting.repeats), setting.repeats * ours.anchors),
        "unmasked": Contender(repeated(ours.unmasked, setting.repeats), setting.repeats * ours.anchors),
        "worker": Contender(lambda batches: take(batches, LOADED), LOADED * size, lambda: running(plain, 1, "cpu")),
    }
    if setting.device == "cpu":
        contenders["one thread"] = Contender(lambda _: _on_one_thread(ours), ours.anchors)
    times = interleaved(contenders, setting.device, setting.rounds, warmup=1)
    rate = {name: f"{amount(1 / Spread.of(seconds).median)} anchors/s" for name, seconds in times.items()}
    yield Row("nine views; one worker on one core", rate["ours"], rate["worker"],
              ratio(times["worker"], times["ours"]), Goal(40))  # fmt: skip
    if "one thread" in times:
        yield Row("the same, ours on one core too", rate["one thread"], rate["worker"],
                  ratio(times["worker"], times["one thread"]))  # fmt: skip
    yield Row("nine views; the same of ours without masks", rate["ours"], rate["unmasked"],
              ratio(times["ours"], times["unmasked"]))  # fmt: skip
    yield _share_of_a_step(setting, ours)


def _share_of_a_step(setting: Setting, ours: EpochOfViews) -> Row:
    """The views' part in stage 1's step, at the step's batch, which the views' speed hardly depends on."""
    experiment = setting.experiment()
    step = TrainingStep(experiment, "pretrain", noise_record(experiment))
    step()
    contenders = {
        "views": Contender(repeated(ours.masked, setting.repeats), setting.repeats * ours.anchors),
        "step": Contender(repeated(step, setting.repeats), setting.repeats * setting.anchors),
    }
    times = interleaved(contenders, setting.device, setting.rounds)
    ours_ms, step_ms = (f"{amount(1e3 * Spread.of(times[name]).median)} ms/anchor" for name in ("views", "step"))
    share = ratio([100 * seconds for seconds in times["views"]], times["step"])
    goal = Goal(10, at_least=False) if setting.device == "cuda" else None
    return Row("views' share of stage 1's step, early fusion", ours_ms, f"step {step_ms}", share, goal, " %")


def running(dataset: AnchorViews, workers: int, device: str) -> Iterator[Views]:
    """A loader at work: the batches that its workers prepared before it was asked are taken off."""
    batches = iter(loader(dataset, workers, device))
    take(batches, PREFETCH * workers)
    return batches


def take(batches: Iterator[Views], count: int) -> None:
    for _ in islice(batches, count):
        pass


def _on_one_thread(ours: EpochOfViews) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ours.masked()
    finally:
        torch.set_num_threads(threads)
