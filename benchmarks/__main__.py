"""`python -m benchmarks [views step fusion forecast diffusion memory compiled preparing throughput]`: measure, keep."""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.compiled import compiled
from benchmarks.diffusion import diffusion
from benchmarks.forecast import forecast
from benchmarks.memory import memory
from benchmarks.preparing import preparing
from benchmarks.report import HEAD, Row, line, machine, record, table, versions
from benchmarks.setting import Setting, setting_for
from benchmarks.steps import fusion, step
from benchmarks.throughput import throughput
from benchmarks.views import views
from sparta_core.progress import duration
from sparta_core.training.device import prepare_process, resolve_device

RESULTS = Path(__file__).with_name("RESULTS.md")
BENCHMARKS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "views": views, "step": step, "fusion": fusion, "forecast": forecast, "diffusion": diffusion, "memory": memory,
    "compiled": compiled, "preparing": preparing, "throughput": throughput,
}  # fmt: skip
# Roughly how long each takes, in seconds on two cores and on a GPU, for the time left.
EXPECTED = {"views": (60, 20), "step": (300, 180), "fusion": (60, 20), "forecast": (80, 20), "diffusion": (50, 40),
            "memory": (150, 120), "compiled": (40, 60), "preparing": (40, 40), "throughput": (70, 0)}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    prepare_process()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(BENCHMARKS), metavar="name",
                        help=f"of {', '.join(BENCHMARKS)}; all by default")  # fmt: skip
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that is updated")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; choose of {', '.join(BENCHMARKS)}")
    run(options.names, setting_for(resolve_device(options.device)), options.results)


def run(names: Sequence[str], setting: Setting, results: Path) -> None:
    """Measure one benchmark after the other; what each found is on disk before the next begins."""
    begun = time.monotonic()
    where = machine(setting.device)
    print(f"{where}; {versions()}; {setting.describe()}", flush=True)
    for position, name in enumerate(names):
        print(f"\n{name}: {duration(time_left(names[position:], names[:position], begun, setting))} left\n{line(HEAD)}")
        rows = []
        for row in BENCHMARKS[name](setting):
            rows.append(row)
            print(line(row.cells), flush=True)
        record(results, where, name, f"{versions()}; {setting.describe()}.\n\n{table(rows)}")
    print(f"\ntook {duration(time.monotonic() - begun)}; see {results}")


def time_left(coming: Sequence[str], done: Sequence[str], begun: float, setting: Setting) -> float:
    """Seconds that the coming benchmarks need if they are off from expectation as those done were."""
    expected, past = (sum(EXPECTED[name][setting.device == "cuda"] for name in names) for names in (coming, done))
    return expected * ((time.monotonic() - begun) / past if past else 1)


if __name__ == "__main__":
    main()
