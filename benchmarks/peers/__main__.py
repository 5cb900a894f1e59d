"""`python -m benchmarks.peers [--peers kriging dineof ...]`: ours and others' methods on the same sparse days."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from benchmarks.peers import PEERS, load
from benchmarks.peers.measured import Plan, measure
from benchmarks.peers.ours import ours
from benchmarks.peers.table import text
from benchmarks.report import machine, record, versions
from sparta_core.errors import SpartaError
from sparta_core.experiment import Experiment
from sparta_core.training.device import prepare_process
from sparta_core.training.records import open_record

RESULTS = Path(__file__).parent.with_name("RESULTS.md")


def main(arguments: Sequence[str] | None = None) -> None:
    prepare_process()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), metavar="peer",
                        help=f"of {', '.join(PEERS)}; all by default")  # fmt: skip
    parser.add_argument("--days", type=int, default=54, help="of the last split that are scored, evenly over it")
    parser.add_argument("--seeds", type=int, default=1, help="places of observations that are scored")
    parser.add_argument("--preset", default="demo", help="demo or smoke")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the model, and of what is reached")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file that is updated")
    options = parser.parse_args(arguments)
    if min(options.days, options.seeds) < 1:
        parser.error("--days and --seeds must be 1 at least")
    try:
        run(options)
    except SpartaError as error:
        sys.exit(str(error))


def run(options: argparse.Namespace) -> None:
    """Measure peers, then ours, which may have to train first; what each has reached is kept."""
    peers = {name: load(name) for name in options.peers}
    experiment = Experiment.from_preset(options.preset, runs=str(options.runs), device="cpu")
    torch.set_num_threads(1)
    days = open_record(experiment).anomalies
    plan = Plan(days, options.days, options.seeds, options.runs / "peers" / options.preset)
    with threadpool_limits(1):
        results = measure(peers | ours(experiment), plan)
    dates = days.dates(plan.scored)
    what = (f"{len(dates)} days from {dates[0]} to {dates[-1]} of the last split ({days.source}), preset "
            f"{options.preset}, places of {options.seeds} seed{'s' * (options.seeds > 1)}, one thread.")  # fmt: skip
    said = text(results, days.variables, what)
    packages = "".join(f", {package} {version}" for peer in peers.values()
                       for package, version in peer.made_with().items())  # fmt: skip
    record(options.results, machine("cpu"), "peers", f"{versions()}{packages}.\n\n{said}")
    print(f"\n{said}\n\nsee {options.results}")


if __name__ == "__main__":
    main()
