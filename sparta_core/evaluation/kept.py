"""Scores kept beside the run that they judge, as NetCDF, so that nothing is scored twice."""

import json
from collections.abc import Callable
from typing import Any

import xarray as xr

from sparta_core.errors import RunError
from sparta_core.training.runs import Run


def kept(run: Run, name: str, score: Callable[[], xr.Dataset], **settings: Any) -> xr.Dataset:
    """The Dataset `name` beside `run`: scored if it is missing or was scored with other `settings`.

    RunError for a file that cannot be read.
    """
    wanted = json.dumps(settings, sort_keys=True)
    if run.has(name):
        run.check_owner()
        there = _read(run, name)
        if there.attrs.get("scored_with") == wanted:
            return there
    scores = score().assign_attrs(scored_with=wanted)
    run.open()
    run.write(name, bytes(scores.to_netcdf(engine="h5netcdf")))
    return scores


def _read(run: Run, name: str) -> xr.Dataset:
    try:
        return xr.load_dataset(run.folder / name, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise RunError(f"{run.folder / name} is damaged ({error}); delete it to score again") from error
