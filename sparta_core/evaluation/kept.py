"""Scores kept beside the run that they judge, as NetCDF, so that nothing is scored twice."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr

from sparta_core.files import read, sealed, unsealed
from sparta_core.processes import first_process
from sparta_core.training.runs import Run, reading

MOST_BYTES = 2**30


def kept(run: Run, name: str, score: Callable[[], xr.Dataset], **settings: Any) -> xr.Dataset:
    """The Dataset `name` beside `run`: scored if it is missing or was scored with other `settings`.

    Scores that another process is at are waited for. RunError for a file that cannot be read.
    """
    wanted = json.dumps(settings, sort_keys=True)
    scores = _there(run, name, wanted)
    if scores is None:
        with run.alone():
            scores = _there(run, name, wanted)
            if scores is None:
                scores = score().assign_attrs(scored_with=wanted)
                _keep(run, name, scores)
    return scores


def load_scores(path: Path) -> xr.Dataset:
    """A Dataset that was kept; RunError for a file that is not, to the last bit."""
    with reading(path, "delete it to score again"):
        return xr.load_dataset(io.BytesIO(unsealed(read(path, MOST_BYTES))), engine="h5netcdf")


def _there(run: Run, name: str, wanted: str) -> xr.Dataset | None:
    if not run.has(name):
        return None
    run.check_owner()
    scores = load_scores(run.path(name))
    return scores if scores.attrs.get("scored_with") == wanted else None


def _keep(run: Run, name: str, scores: xr.Dataset) -> None:
    if first_process():
        run.open()
        run.write(name, sealed(bytes(scores.to_netcdf(engine="h5netcdf"))))
