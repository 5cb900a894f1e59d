"""Peak memory of the stages, and how memory and time grow with batch, days and grid; a process for each case."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

from benchmarks.ours import STAGES, TrainingStep
from benchmarks.report import Goal, Row, amount, gigabytes
from benchmarks.setting import PAPER_GRID, PAPER_YEARS, Grid, Setting, noise_record, setting_for
from benchmarks.timing import Contender, Spread, interleaved, ratio, repeated
from sparta_core.training.device import make_fabric, prepare_process

ROUNDS = 3
YEARS = (10, 30, 65)
GRIDS = ((32, 64), (64, 128), (121, 240))
SHORT = 10  # years where the number of days does not matter
SOFT_GAP = 300  # days: ten years are too short for the paper's 1,000, and nothing here depends on it


@dataclass(frozen=True)
class Case:
    """Steps of `stage` on `batch` samples, early fusion; views grow with the grid as the paper's do with its own."""

    device: str
    precision: str
    stage: str
    batch: int
    years: int = SHORT
    grid: Grid = PAPER_GRID


@dataclass(frozen=True)
class Found:
    peak: int  # bytes of the device's memory; on a CPU of the process, less what its libraries take
    days: int  # bytes of the record in it
    seconds: list[float]  # a sample


def memory(setting: Setting) -> Iterator[Row]:
    precision = make_fabric(setting.experiment())._precision.precision
    case = Case(setting.device, precision, "blend", setting.batch)
    for stage in STAGES:
        found = measured(replace(case, stage=stage, years=PAPER_YEARS))
        yield Row(f"peak of {STAGES[stage]}, {case.batch} samples, {precision}", gigabytes(found.peak),
                  f"the days in it {gigabytes(found.days)}")  # fmt: skip
    yield from _growth("samples", [replace(case, batch=case.batch // part) for part in (4, 2, 1)], "batch")
    yield from _growth("years of days", [replace(case, years=years) for years in YEARS], "years")
    yield from _growth("grid", [replace(case, batch=setting.grid_batch, grid=grid) for grid in GRIDS], "grid")


def _growth(of: str, cases: list[Case], field: str) -> Iterator[Row]:
    """Stage 2 in larger cases over the smallest: time per sample, and memory beside the days."""
    first = measured(cases[0])
    for case in cases[1:]:
        found = measured(case)
        small, large = (_named(getattr(c, field)) for c in (cases[0], case))
        points = case.grid[0] * case.grid[1] / (cases[0].grid[0] * cases[0].grid[1])
        goal = Goal(points, at_least=False) if points > 1 else None
        yield Row(f"stage 2's time per sample, {large} {of} over {small}", _per_sample(found), _per_sample(first),
                  ratio(found.seconds, first.seconds), goal)  # fmt: skip
        grown = (found.peak - found.days) / (first.peak - first.days)
        yield Row(f"its memory, {large} {of} over {small}, beside the days", gigabytes(found.peak - found.days),
                  gigabytes(first.peak - first.days), Spread.of([grown]))  # fmt: skip


def _named(value: int | Grid) -> str:
    return str(value) if isinstance(value, int) else "{}x{}".format(*value)


def _per_sample(found: Found) -> str:
    return f"{amount(1e3 * Spread.of(found.seconds).median)} ms"


@lru_cache
def measured(case: Case) -> Found:
    """What a process of its own finds, which has held nothing else."""
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{case} failed: {done.stderr.strip()[-2000:]}")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def probe(case: Case) -> Found:
    """Take some steps of `case` in this process."""
    (rows, columns), (height, width) = case.grid, PAPER_GRID
    experiment = setting_for(case.device).experiment(
        batch_size=case.batch, soft_gap=SOFT_GAP, view_size=(round(72 * rows / height), round(144 * columns / width)),
        crop_from=(80 * rows // height, 160 * columns // width))  # fmt: skip
    before = peak(case.device)
    record = noise_record(experiment, case.years, case.grid)
    step = TrainingStep(experiment, case.stage, record, case.precision)
    times = interleaved({"step": Contender(repeated(step), case.batch // 3 * 3)}, case.device, ROUNDS, warmup=1)
    return Found(peak(case.device) - before, record.values.nbytes, times["step"])


def peak(device: str) -> int:
    """The most bytes that this process has held: of the GPU's memory there, else of the machine's."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss there starts from the size of the process that started this one
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    prepare_process()
    given = json.loads(sys.argv[1])
    print(json.dumps(asdict(probe(Case(**given | {"grid": tuple(given["grid"])})))))
