"""What a model's file holds, collected of an experiment's runs."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from sparta_core.evaluation.plan import check
from sparta_core.evaluation.scorecard import rows_of
from sparta_core.experiment import Experiment
from sparta_core.tasks import Task, task_of, tasks
from sparta_core.tensors import Tensors, named
from sparta_core.training.runs import RECORD, Run
from sparta_core.training.stages import representation

PARTS = ("encoder", "decoder")  # of the representation: a projector serves training alone


def collected(experiment: Experiment, names: Iterable[str]) -> tuple[Tensors, dict[str, Any]]:
    """Collect tensors by name, and what is said of them; trains what is missing.

    Args:
        experiment: The model's settings.
        names: The tasks that it holds.

    Raises:
        ExperimentError: For a name that is no task's, or a task that the model cannot have.
    """
    chosen = _with_needed(experiment, names)
    check(experiment, [task.name for task in chosen])
    sparta = representation(experiment)
    tensors = sparta.attached()
    for part in PARTS:
        tensors |= named(part, sparta.parts[part].state_dict())
    for task in chosen:
        tensors |= named(task.name, task.state(sparta))
    about = sparta.about()
    settings, fields = about["experiment"], about["fields"]
    for said, name in ((settings, "data"), (settings, "stations"), (fields, "source")):
        if said.get(name) in (experiment.data, experiment.stations):
            said[name] = Path(said[name]).name  # the folder is nobody else's
    about |= {"stage": experiment.representation, "parts": list(PARTS), "tasks": [task.name for task in chosen],
              **_scores(experiment)}  # fmt: skip
    return {name: _compact(name, x) for name, x in tensors.items()}, about


def _with_needed(experiment: Experiment, names: Iterable[str]) -> list[Task]:
    """The tasks called so, before each those whose state it takes."""
    every = dict.fromkeys(each for name in names for each in (*task_of(experiment, name).takes, name))
    return [task_of(experiment, name) for name in every]


def _compact(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Matrices in half precision, where that can hold them; the fields' statistics as they are."""
    half = tensor.half()
    small = tensor.dtype is torch.float32 and tensor.ndim > 1 and not name.startswith("normaliser.")
    return half.cpu() if small and bool(half.isfinite().all()) else tensor.cpu()


def _scores(experiment: Experiment) -> dict[str, list[list[Any]]]:
    """What kept scores say of it: rows of task, set-up, metric and value, and those of baselines, with their names."""
    every = tasks(experiment).items()
    own = [(name, run) for name, task in every for run in task.runs(experiment)]
    others = [(name, task.baselines(experiment)) for name, task in every]
    return {"scores": [[row.task, row.setup, row.metric, float(row.value)] for row in _kept(own)],
            "baselines": [[row.task, row.model, row.setup, row.metric, float(row.value)] for row in _kept(others)]}


def _kept(runs: Iterable[tuple[str, Run]]) -> Iterator[Any]:
    """The rows of tasks' scores beside runs."""
    for name, run in runs:
        if run.has(RECORD):
            yield from rows_of(run, name).itertuples()
