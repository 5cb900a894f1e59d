"""What `python -m sparta_core` does besides training: prepare, simulate or audit days, hold a model to its bars."""

import argparse
import re
import sys
from collections.abc import Callable, Sequence

from sparta_core.data import audit
from sparta_core.data.days import read_days
from sparta_core.data.era5 import URLS, prepare
from sparta_core.data.simulate import simulate
from sparta_core.evaluation.bars import bars
from sparta_core.experiment import WEATHERBENCH2_VARIABLES, Experiment
from sparta_core.presets import PRESETS


def prepare_command(words: Sequence[str]) -> None:
    """Daily means of ERA5 from WeatherBench 2's public bucket, or of another store, as a local Zarr store.

    Stopped at any moment, the same command goes on where it was.
    """
    parser = _parser("prepare", prepare_command)
    parser.add_argument("--years", type=_years, help="the first and the last, such as 1959-2022; all, if left out")
    parser.add_argument("--resolution", default="5.625", choices=URLS, help="grid spacing of the public store, degrees")
    parser.add_argument("--source", help="path or URL of another store, instead of a public one")
    parser.add_argument("--regrid", type=float, metavar="DEGREES", help="grid spacing to regrid to, conservatively")
    parser.add_argument("--target", help="the local store; data/era5_DEGREESdeg.zarr, if left out")
    _add_fields(parser)
    parser.add_argument("--scheduler", help="address of a dask scheduler whose workers read; else threads")
    options = parser.parse_args(words)
    target = options.target or f"data/era5_{options.regrid or options.resolution}deg.zarr"
    made = prepare(options.source or URLS[options.resolution], target, options.variables, options.level,
                   options.years, options.regrid, options.scheduler)  # fmt: skip
    print(f"{made} is ready: python -m sparta_core --data {made} ...")


def simulate_command(words: Sequence[str]) -> None:
    """Years of simulated climate of the bundled kind, as a local Zarr store; needs the package jcm.

    Stopped at any moment, the same command goes on where it was.
    """
    parser = _parser("simulate", simulate_command)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--target", help="the local store; data/simulated_YEARS.zarr, if left out")
    options = parser.parse_args(words)
    made = simulate(options.target or f"data/simulated_{options.years}.zarr", options.years)
    print(f"{made} is ready: python -m sparta_core --data {made} ...")


def audit_command(words: Sequence[str]) -> None:
    """What is in a store or file of days, and what is wrong or odd with it. Ends with status 1 if anything is wrong."""
    parser = _parser("audit", audit_command)
    parser.add_argument("data", help="path of a Zarr store or NetCDF file, or: bundled")
    _add_fields(parser)
    parser.add_argument("--gaps", action="store_true", help="NaN and absent days are meant")
    options = parser.parse_args(words)
    days = read_days(Experiment(data=options.data, variables=tuple(options.variables), level=options.level))
    found = audit.survey(days)
    print(f"{days.time.size - days.absent.size} days from {days.time[0]} to {days.time[-1]}, "
          f"{days.latitude.size} x {days.longitude.size} grid points: {days.source}")
    print(audit.inventory(days, found).to_string(float_format="{:.6g}".format))
    findings = audit.audit(days, found, options.gaps)
    print("\n".join(map(str, findings)) or "nothing is wrong or odd")
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
    parser.add_argument("--seeds", type=_seeds, default=(0, 1, 2), help="numbers with commas between them; 0,1,2")
    parser.add_argument("--runs", default="runs", help="folder of all runs")
    options = parser.parse_args(words)
    given = {"data": options.data} if options.data else {}
    table = bars(Experiment.from_preset(options.preset, runs=options.runs, **given), options.seeds)
    print(table.to_string(float_format="{:.4g}".format))
    if not table.cleared.all():
        sys.exit(1)


def _parser(name: str, command: Callable[..., None]) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(f"python -m sparta_core {name}", description=command.__doc__)


def _add_fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variables", type=lambda text: text.split(","), default=list(WEATHERBENCH2_VARIABLES),
                        help="names with commas between them; the paper's five, if left out")  # fmt: skip
    parser.add_argument("--level", type=int, default=850, help="hPa")


def _years(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a year or two with a hyphen between them")
    return int(match[1]), int(match[2] or match[1])


def _seeds(text: str) -> tuple[int, ...]:
    if re.fullmatch(r"\d+(,\d+)*", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of seeds, such as 0,1,2")
    return tuple(map(int, text.split(",")))


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "prepare": prepare_command, "simulate": simulate_command, "audit": audit_command,
    "bars": bars_command}  # fmt: skip
