"""Commands that make or look at days: prepare, simulate, audit."""

import argparse
import sys
from collections.abc import Sequence

from sparta_core.commands.words import parsed, parser_of
from sparta_core.data import audit
from sparta_core.data.days import read_days
from sparta_core.data.variables import WEATHERBENCH2_VARIABLES
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.parameters import years_of
from sparta_core.progress import say


def prepare_command(words: Sequence[str]) -> None:
    """Daily means of ERA5 from WeatherBench 2's public bucket, or of another store, as a local Zarr store.

    Stopped at any moment, the same command goes on where it was.
    """
    from sparta_core.data.era5 import URLS, prepare  # here, as zarr takes a second to import, which no other needs

    parser = parser_of("prepare", prepare_command)
    parser.add_argument("--years", help="the first and the last, such as 1959-2022; all, if left out")
    parser.add_argument("--resolution", default="5.625", choices=URLS, help="grid spacing of the public store, degrees")
    parser.add_argument("--source", help="path or URL of another store, instead of a public one")
    parser.add_argument("--regrid", type=float, metavar="DEGREES", help="grid spacing to regrid to, conservatively")
    parser.add_argument("--area", type=float, nargs=4, metavar=("NORTH", "WEST", "SOUTH", "EAST"),
                        help="what to cut out of the globe, degrees; all, if left out")  # fmt: skip
    parser.add_argument("--target", help="the local store; data/era5_DEGREESdeg.zarr, if left out")
    _add_fields(parser)
    parser.add_argument("--scheduler", help="address of a dask scheduler whose workers read; else threads")
    options = parsed(parser, words)
    years = None if options.years is None else years_of("years", options.years)
    spacing = options.resolution if options.regrid is None else options.regrid
    target = f"data/era5_{spacing}deg.zarr" if options.target is None else options.target
    made = prepare(options.source or URLS[options.resolution], target, options.variables, options.level,
                   years, options.regrid, options.scheduler, options.area)  # fmt: skip
    say(f"{made} is ready: python -m sparta_core --data {made} ...")


def simulate_command(words: Sequence[str]) -> None:
    """Years of simulated climate of the bundled kind, as a local Zarr store; needs the package jcm.

    Stopped at any moment, the same command goes on where it was.
    """
    from sparta_core.data.simulate import simulate

    parser = parser_of("simulate", simulate_command)
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--target", help="the local store; data/simulated_YEARS.zarr, if left out")
    options = parsed(parser, words)
    target = f"data/simulated_{options.years}.zarr" if options.target is None else options.target
    made = simulate(target, options.years)
    say(f"{made} is ready: python -m sparta_core --data {made} ...")


def audit_command(words: Sequence[str]) -> None:
    """What is in a store or file of days, and what is wrong or odd with it. Ends with status 1 if anything is wrong."""
    parser = parser_of("audit", audit_command)
    parser.add_argument("path", nargs="?", help="of a Zarr store or NetCDF file, or: bundled")
    parser.add_argument("--data", help="the same, as the commands that train say it")
    _add_fields(parser)
    parser.add_argument("--gaps", nargs="?", choices=("true", "false"), const="true", default="false",
                        help="NaN and absent days are meant")  # fmt: skip
    options = parsed(parser, words)
    if (options.path is None) == (options.data is None):
        raise ExperimentError("say which days, once: python -m sparta_core audit days.nc")
    path = options.data or options.path
    days = read_days(Experiment(data=path, variables=tuple(options.variables), level=options.level))
    found = audit.survey(days)
    say(f"{days.time.size - days.absent.size} {days.domain.clock.fields} from {days.time[0]} to {days.time[-1]}, "
        f"{days.domain.shape[0]} x {days.domain.shape[1]} grid points: {days.source}")
    print(audit.inventory(days, found).to_string(float_format="{:.6g}".format))
    findings = audit.audit(days, found, options.gaps == "true")
    say("\n".join(map(str, findings)) or "nothing is wrong or odd")
    if any(finding.level == "error" for finding in findings):
        sys.exit(1)


def _add_fields(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variables", type=lambda text: text.split(","), default=list(WEATHERBENCH2_VARIABLES),
                        help="names with commas between them; the paper's five, if left out")  # fmt: skip
    parser.add_argument("--level", type=int, default=850, help="hPa")
