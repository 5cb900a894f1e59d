"""Commands on whole models: hold one to its targets, export it as a file, use that file on anybody's days."""

import sys
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from sparta_core.commands.words import parsed, parser_of
from sparta_core.data.tables import TABLES
from sparta_core.errors import ExperimentError, cannot_write
from sparta_core.evaluation.targets import check_targets
from sparta_core.experiment import Experiment
from sparta_core.files import replace
from sparta_core.loading import load
from sparta_core.model import TASKS, Model
from sparta_core.parameters import names_of, seeds_of
from sparta_core.presets import PRESETS
from sparta_core.progress import say
from sparta_core.tasks import task_of, tasks
from sparta_core.tasks.reconstruction.scores import TASK as RECONSTRUCTION

VERBS = {"embed": "latent", "reconstruct": "reconstruction", "season": "classification",
         "assimilate": "assimilation"}  # the tasks that are meant


def targets_command(words: Sequence[str]) -> None:
    """What a model should beat, and by how much it does: its errors beside the baselines', over seeds.

    Trains and scores what is missing; stopped at any moment, the same command goes on where it was. Ends with status 1
    if a target is missed.
    """
    parser = parser_of("targets", targets_command)
    parser.add_argument("--preset", default="targets", choices=PRESETS)
    parser.add_argument("--data", help="path of a Zarr store or NetCDF file; the preset's, if left out")
    parser.add_argument("--seeds", default="0,1,2", help="numbers with commas between them; 0,1,2")
    parser.add_argument("--runs", default="runs", help="folder of all runs")
    options = parsed(parser, words)
    given = {} if options.data is None else {"data": options.data}
    experiment = Experiment.from_preset(options.preset, runs=options.runs, **given)
    table = check_targets(experiment, seeds_of("seeds", options.seeds))
    print(table.to_string(float_format="{:.4g}".format))
    if not table.passed.all():
        sys.exit(1)


def export_command(words: Sequence[str]) -> None:
    """A trained model as one file, with its card beside it; trains what is missing."""
    parser = parser_of("export", export_command)
    parser.add_argument("--preset", default="demo", choices=PRESETS)
    parser.add_argument("--data", help="path of a Zarr store or NetCDF file; the preset's, if left out")
    parser.add_argument("--runs", default="runs", help="folder of all runs")
    parser.add_argument("--tasks", default=",".join(TASKS), help="that it holds, with commas between them")
    parser.add_argument("--scores", default="off", choices=("on", "off"), help="score it, and baselines, for its card")
    parser.add_argument("--output", default="model.safetensors", help="the file")
    options = parsed(parser, words)
    given = {} if options.data is None else {"data": options.data}
    experiment = Experiment.from_preset(options.preset, runs=options.runs, **given)
    every = tasks(experiment)
    names = names_of("tasks", options.tasks, every) if options.tasks else []
    if options.scores == "on":
        for task in (every[name] for name in dict.fromkeys([RECONSTRUCTION, *names])):
            say(f"scoring {task.name}")
            task.score(experiment)
            if task.benchmark:
                task.score_baselines(experiment)
    path = Model.of(experiment, names).save(options.output)
    say(f"{path} is ready, {path.stat().st_size / 1e6:.1f} MB; its card is {path.with_suffix('.md')}")


def predict_command(words: Sequence[str]) -> None:
    """What a model's file makes of days of one's own: NetCDF, Zarr or a table of stations in, NetCDF out."""
    name, *words = words
    task = task_of(Experiment(), VERBS.get(name, name))
    parser = parser_of(name, predict_command)
    parser.add_argument("--model", help="the file that export wrote; if left out, the small one of the package")
    parser.add_argument("--input", required=True, help="NetCDF file, Zarr store, or table of stations, NaN unobserved")
    parser.add_argument("--output", required=True, help="the NetCDF file to write")
    parser.add_argument("--device", default="auto", help="what computes")
    parser.add_argument("--quality_control", default="on", choices=("on", "off"), help="set gross errors aside")
    parser.add_argument("--regrid", default="off", choices=("on", "off"), help="move fields to the model's grid")
    for option in task.options:
        parser.add_argument(f"--{option.name}", type=option.kind, default=option.default, help=option.help)
    options = vars(parsed(parser, words))
    source, output = options.pop("input"), Path(options.pop("output"))
    reading = {name: options.pop(name) == "on" for name in ("regrid", "quality_control")}
    model = load(options.pop("model"), options.pop("device"))
    days = model.observations(source) if source.lower().endswith(TABLES) else source
    made = model.predict(task.name, days, **reading, **options)
    _write(made, output)
    say(f"{output} is ready: {', '.join(map(str, made.data_vars))} along {', '.join(map(str, made.sizes))}")


def _write(made: xr.Dataset, path: Path) -> None:
    """Write a NetCDF file whole or not at all."""
    if path.suffix != ".nc":
        raise ExperimentError(f"output is {str(path)!r}; it must be the path of a NetCDF file, *.nc")
    try:
        replace(path, bytes(made.to_netcdf(engine="h5netcdf")))
    except OSError as error:
        raise cannot_write(path, error) from error
