"""What `python -m sparta_core` does besides training: prepare, simulate or audit days, hold a model to its bars."""

import argparse
import sys
from collections.abc import Callable, Sequence

from sparta_core.data import audit
from sparta_core.data.days import WEATHERBENCH2_VARIABLES, read_days
from sparta_core.data.era5 import URLS, prepare
from sparta_core.data.simulate import simulate
from sparta_core.errors import ExperimentError
from sparta_core.evaluation.bars import bars
from sparta_core.experiment import Experiment
from sparta_core.parameters import seeds_of, years_of
from sparta_core.presets import PRESETS
from sparta_core.progress import say
from sparta_core.typed import nearest


def prepare_command(words: Sequence[str]) -> None:
    """Daily means of ERA5 from WeatherBench 2's public bucket, or of another store, as a local Zarr store.

    Stopped at any moment, the same command goes on where it was.
    """
    parser = _parser("prepare", prepare_command)
    parser.add_argument("--years", help="the first and the last, such as 1959-2022; all, if left out")
    parser.add_argument("--resolution", default="5.625", choices=URLS, help="grid spacing of the public store, degrees")
    parser.add_argument("--source", help="path or URL of another store, instead of a public one")
    parser.add_argument("--regrid", type=float, metavar="DEGREES", help="grid spacing to regrid to, conservatively")
    parser.add_argument("--target", help="the local store; data/era5_DEGREESdeg.zarr, if left out")
    _add_fields(parser)
    parser.add_argument("--scheduler", help="address of a dask scheduler whose workers read; else threads")
    options = parsed(parser, words)
    years = None if options.years is None else years_of("years", options.years)
    spacing = options.resolution if options.regrid is None else options.regrid
    target = f"data/era5_{spacing}deg.zarr" if options.target is None else options.target
    made = prepare(options.source or URLS[options.resolution], target, options.variables, options.level,
                   years, options.regrid, options.scheduler)  # fmt: skip
    say(f"{made} is ready: python -m sparta_core --data {made} ...")


def simulate_command(words: Sequence[str]) -> None:
    """Years of simulated climate of the bundled kind, as a local Zarr store; needs the package jcm.

    Stopped at any moment, the same command goes on where it was.
    """
    parser = _parser("simulate", simulate_command)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--target", help="the local store; data/simulated_YEARS.zarr, if left out")
    options = parsed(parser, words)
    target = f"data/simulated_{options.years}.zarr" if options.target is None else options.target
    made = simulate(target, options.years)
    say(f"{made} is ready: python -m sparta_core --data {made} ...")


def audit_command(words: Sequence[str]) -> None:
    """What is in a store or file of days, and what is wrong or odd with it. Ends with status 1 if anything is wrong."""
    parser = _parser("audit", audit_command)
    parser.add_argument("data", help="path of a Zarr store or NetCDF file, or: bundled")
    _add_fields(parser)
    parser.add_argument("--gaps", action="store_true", help="NaN and absent days are meant")
    options = parsed(parser, words)
    days = read_days(Experiment(data=options.data, variables=tuple(options.variables), level=options.level))
    found = audit.survey(days)
    say(f"{days.time.size - days.absent.size} days from {days.time[0]} to {days.time[-1]}, "
        f"{days.latitude.size} x {days.longitude.size} grid points: {days.source}")
    print(audit.inventory(days, found).to_string(float_format="{:.6g}".format))
    findings = audit.audit(days, found, options.gaps)
    say("\n".join(map(str, findings)) or "nothing is wrong or odd")
    if any(finding.level == "error" for finding in findings):
        sys.exit(1)


def bars_command(words: Sequence[str]) -> None:
    """What a model should beat, and by how much it does: its errors beside the baselines', over seeds.

    Trains and scores what is missing; stopped at any moment, the same command goes on where it was. Ends with status 1
    if a bar is missed.
    """
    parser = _parser("bars", bars_command)
    parser.add_argument("--preset", default="bars", choices=PRESETS)
    parser.add_argument("--data", help="path of a Zarr store or NetCDF file; the preset's, if left out")
    parser.add_argument("--seeds", default="0,1,2", help="numbers with commas between them; 0,1,2")
    parser.add_argument("--runs", default="runs", help="folder of all runs")
    options = parsed(parser, words)
    given = {} if options.data is None else {"data": options.data}
    table = bars(Experiment.from_preset(options.preset, runs=options.runs, **given), seeds_of("seeds", options.seeds))
    print(table.to_string(float_format="{:.4g}".format))
    if not table.cleared.all():
        sys.exit(1)


def parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """What `parser` makes of `words`, flags and others in any order; ExperimentError for one that it does not know."""
    options, unknown = parser.parse_known_intermixed_args(words)
    for word in unknown:
        flag, names = word.partition("=")[0], vars(options)
        if flag.startswith("-"):
            raise ExperimentError(f"there is no flag {flag}{nearest(flag.lstrip('-'), names, '--')}; --help lists all")
        raise ExperimentError(f"{word!r} is one word too many; --help lists what there is to say")
    return options


def _parser(name: str, command: Callable[..., None]) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(f"python -m sparta_core {name}", description=command.__doc__)


def _add_fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variables", type=lambda text: text.split(","), default=list(WEATHERBENCH2_VARIABLES),
                        help="names with commas between them; the paper's five, if left out")  # fmt: skip
    parser.add_argument("--level", type=int, default=850, help="hPa")


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "prepare": prepare_command, "simulate": simulate_command, "audit": audit_command,
    "bars": bars_command}  # fmt: skip
