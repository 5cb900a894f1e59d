"""Scores kept beside the run that they judge, as NetCDF, so that nothing is scored twice.

With them go their rows of the score card: model, set-up, metric and value, as the task names them.
"""

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import xarray as xr

from sparta_core.files import read, sealed, unsealed
from sparta_core.processes import first_process
from sparta_core.training.runs import Run, reading

MOST_BYTES = 2**30
Rows = Iterable[tuple[str, str, float]]  # set-up, metric, value


def cached(run: Run, name: str, task: str, score: Callable[[], xr.Dataset], rows: Callable[[xr.Dataset], Rows],
         **settings: Any) -> xr.Dataset:  # fmt: skip
    """The scores of a task beside `run`: made if they are missing or were made with other `settings`.

    Scores that another process is at are waited for.

    Args:
        run: the model's, or the baselines'.
        name: of the file, NetCDF.
        task: whose scores they are.
        score: what makes them; baselines have a dimension model, with their names.
        rows: what the score card shows of one model's scores.
        **settings: what they depend on besides the run's.

    Raises:
        RunError: for a file that cannot be read.
    """
    wanted = json.dumps(settings, sort_keys=True)
    scores = _there(run, name, wanted)
    if scores is None:
        with run.alone():
            scores = _there(run, name, wanted)
            if scores is None:
                scores = score()
                scores = scores.assign_attrs(scored_with=wanted, task=task, rows=json.dumps(_table(scores, rows)))
                _keep(run, name, scores)
    return scores


def load_scores(path: Path) -> xr.Dataset:
    """A Dataset that was kept; RunError for a file that is not, to the last bit."""
    with reading(path, "delete it to score again"):
        return xr.load_dataset(io.BytesIO(unsealed(read(path, MOST_BYTES))), engine="h5netcdf")


def _table(scores: xr.Dataset, rows: Callable[[xr.Dataset], Rows]) -> list[tuple[str, str, str, float]]:
    """Model, empty for the run's own, set-up, metric and value."""
    models = [str(name) for name in scores.model.values] if "model" in scores.dims else [""]
    return [(model, *row) for model in models for row in rows(scores.sel(model=model) if model else scores)]


def _there(run: Run, name: str, wanted: str) -> xr.Dataset | None:
    if not run.has(name):
        return None
    run.check_owner()
    scores = load_scores(run.path(name))
    return scores if scores.attrs["scored_with"] == wanted else None


def _keep(run: Run, name: str, scores: xr.Dataset) -> None:
    if first_process():
        run.open()
        run.write(name, sealed(bytes(scores.to_netcdf(engine="h5netcdf"))))
