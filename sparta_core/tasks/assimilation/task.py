"""The task of assimilation: sparse days to analyses, from day to day."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data.labelled import TIME, labelled
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.sample import Sample
from sparta_core.errors import DataError, ExperimentError, RunError
from sparta_core.experiment import Experiment
from sparta_core.files import replace
from sparta_core.models.sparta import Sparta
from sparta_core.observe.quality import Aside, told_of
from sparta_core.progress import QUIET, say, time_left
from sparta_core.settings import Uses
from sparta_core.tasks import Measure, Option, Task
from sparta_core.tasks.assimilation import Assimilator
from sparta_core.tasks.assimilation.analysis import Analysis, Observed
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.fitted import (
    TASK,
    check_dynamics,
    may_assimilate,
    system_of,
    trained_errors,
    trained_system,
)
from sparta_core.tasks.assimilation.model_errors import ModelErrors
from sparta_core.tasks.assimilation.scores import BASELINES, assimilation_scores, baseline_assimilation, baselines_run
from sparta_core.tasks.assimilation.system import System
from sparta_core.tasks.forecast import Forecaster, restored, trained_forecaster
from sparta_core.tensors import Tensors, packed, under, unpacked
from sparta_core.training.records import open_record, run_of
from sparta_core.training.runs import Run, reading

SIGMA, BEFORE, INNOVATION = "_std", "_background", "_innovation"  # behind a variable's name


class Assimilation(Task, name=TASK):
    """Analyses of sparse days, each from the days before it and what is observed."""

    uses: ClassVar[Uses] = (*Task.uses, Forecaster)
    benchmark = next(iter(BASELINES))
    options: ClassVar[tuple[Option, ...]] = (
        Option("cycle", None, "file of a state, which it goes on from and writes; if left out, a new cycle", str),
        Option("seed", 0, "of the draws of a new cycle; 0"))
    takes: ClassVar[tuple[str, ...]] = ("forecast",)
    empty_days: ClassVar[bool] = True
    checks: ClassVar[bool] = True

    def needs(self, experiment: Experiment) -> tuple[str, ...]:
        return ("forecast",)

    def applies(self, experiment: Experiment) -> bool:
        return may_assimilate(experiment)

    def train(self, experiment: Experiment) -> None:
        trained_system(experiment)

    def runs(self, experiment: Experiment) -> list[Run]:
        return [run_of(experiment, TASK)]

    def score(self, experiment: Experiment) -> xr.Dataset:
        return assimilation_scores(experiment)

    def score_baselines(self, experiment: Experiment) -> xr.Dataset:
        return baseline_assimilation(experiment)

    def baselines(self, experiment: Experiment) -> Run:
        return baselines_run(experiment)

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        return (Measure(TASK, "mse", "assimilation MSE", f"{experiment.assimilator}, points", "points"),)

    def state(self, model: Sparta) -> Tensors:
        """How wrong the dynamics are, which the state of forecasts holds."""
        experiment = model.experiment
        check_dynamics(experiment)
        forecaster = trained_forecaster(experiment, experiment.forecast_seeds[0])
        return trained_errors(experiment, open_record(experiment), forecaster)._asdict()

    @torch.no_grad()
    def predict(self, model: Sparta, state: Tensors, days: Sample, cycle: str | os.PathLike[str] | None = None,
                seed: int = 0, errors: Tensor | None = None, quality_control: bool = True, **options: Any
                ) -> xr.Dataset:  # fmt: skip
        """Analyse days one after the other.

        Args:
            model: The representation.
            state: What the task keeps, and under "forecast" what forecasts keep.
            days: (T, C, H, W), rising; some may have no value at all.
            cycle: A file to go on from, if it is there, and to write; None: the first day's background is the climate.
            seed: Of the draws of a new cycle.
            errors: Standard deviations of the observations' errors, as (T, C, H, W) broadcasts to; None: 0.
            quality_control: Whether what the background and the others contradict is set aside.
            **options: None.

        Returns:
            Of each variable the analysis (time, latitude, longitude), and under its name with "_std" the standard
            deviation of its error, with "_background" what was expected, with "_innovation" what was observed less
            that. The attribute `set_aside` is as `Model.predict` has it.

        Raises:
            DataError: For days without dates, or not after the last one's.
            RunError: For a file that is no cycle's of this model.
        """
        kind, normaliser = model.experiment.of(Assimilator), model.normaliser
        forecaster = restored(model, model.experiment.forecast_seeds[0], under("forecast", state))
        system = system_of(forecaster, ModelErrors(**{name: state[name] for name in ModelErrors._fields}))
        if np.isnat(days.dates).any():
            raise DataError("the dataset has no coordinate time of dates, and a cycle goes from day to day; add it")
        going = Cycle(system, kind, normaliser.clock, seed, quality_control)
        if errors is not None and len(errors) not in (1, len(days)):
            raise ExperimentError(f"the errors are of {len(errors)} times and the days {len(days)}; give as many")
        path = None if cycle is None else Path(cycle)
        if path is not None and path.exists():
            _resume(going, path)
        made, found = [], []
        for day, analysis in enumerate(_analysed(going, days, errors)):
            made.append(_fields(analysis, system, normaliser, days.dates[day]))
            found += [Aside(day, *one) for one in analysis.aside]
        dataset = _dataset(made, normaliser, days)
        if found:
            values = normaliser.physical(days.values, days.dates).cpu().numpy()
            dataset.attrs["set_aside"] = told_of(found, values, int(days.observed.sum()), days.dates, normaliser)
        if path is not None:
            _keep(going, path)
        return dataset


def _analysed(cycle: Cycle, days: Sample, errors: Tensor | None) -> Iterator[Analysis]:
    """The analyses of days, with a line now and then that says how long they take."""
    variance = cycle.system.error.view(1, *days.values.shape[1:])
    if errors is not None:
        variance = variance + errors.square()
    variance, begun = variance.expand(days.values.shape), time.monotonic()
    said = begun
    for day in range(len(days)):
        values, own = days.values[day].flatten(), variance[day].flatten()
        places = ((days.observed[day].flatten() > 0) & ~own.isnan()).nonzero()[:, 0]
        follows = days.follows is not None and bool(days.follows[day])
        yield cycle.analyse(Observed(values[places], places, own[places]), days.dates[day], follows)
        now = time.monotonic()
        if now - said > QUIET:
            said = now
            say(f"{TASK}: day {day + 1} of {len(days)}, {time_left(now - begun, day + 1, len(days))}")


def _fields(analysis: Analysis, system: System, normaliser: Normaliser, date: np.datetime64) -> Tensor:
    """Of a day the analysis, the standard deviation of its errors, the background and innovations: (4, C, H, W)."""
    shape = (2, len(normaliser.variables), *normaliser.grid)
    scores = torch.stack([analysis.mean, analysis.background])
    made, before = normaliser.physical((scores @ system.patterns).view(shape), np.array([date, date]))
    std = (analysis.variance(system.patterns) + system.error).sqrt()
    innovation = torch.full_like(std, torch.nan)
    innovation[analysis.gain.observed.places] = analysis.departures
    deviations = torch.stack([std, innovation]).view(shape) * normaliser.std.view(-1, 1, 1)
    return torch.stack([made, deviations[0], before, deviations[1]])


def _dataset(made: list[Tensor], normaliser: Normaliser, days: Sample) -> xr.Dataset:
    """The fields (4, C, H, W) of every day, by their names."""
    coords = {"time": ("time", days.dates, TIME)}
    analysis, *others = (labelled(normaliser, part, coords, "Analyses of sparse days")
                         for part in torch.stack(made, 1))  # fmt: skip
    texts = {SIGMA: ("standard deviation of the error of the analysis of ", "standard_error"),
             BEFORE: ("background of the analysis of ", ""), INNOVATION: ("observed less background of ", "")}
    for (ending, (words, modifier)), dataset in zip(texts.items(), others, strict=True):
        for name in normaliser.variables:
            attributes = {"units": dataset[name].attrs["units"], "long_name": words + dataset[name].attrs["long_name"]}
            if modifier and "standard_name" in dataset[name].attrs:
                attributes["standard_name"] = f"{dataset[name].attrs['standard_name']} {modifier}"
            analysis[f"{name}{ending}"] = dataset[name].drop_attrs().assign_attrs(attributes)
    for name in normaliser.variables:
        analysis[name].attrs["ancillary_variables"] = " ".join(f"{name}{ending}" for ending in texts)
    return analysis


def _fingerprint(system: System) -> str:
    """What tells a model's cycles from another's."""
    return hashlib.sha256(system.model_error.cpu().numpy().tobytes()).hexdigest()[:16]


def _resume(cycle: Cycle, path: Path) -> None:
    """Go on from a file; RunError for one that is of another model or kind, or damaged."""
    with reading(path, "delete it to begin a new cycle"):
        tensors, about = unpacked(path)
    wanted = {"model": _fingerprint(cycle.system), "assimilator": cycle.assimilator.name}
    for name, own in wanted.items():
        if about.get(name) != own:
            raise RunError(f"{path} is the state of a cycle of another {name}; give that, or another file to begin "
                           "a new cycle")
    cycle.resume(tensors, about)


def _keep(cycle: Cycle, path: Path) -> None:
    """Write what `_resume` reads, whole or not at all."""
    tensors, about = cycle.kept()
    try:
        replace(path, packed(tensors, about | {"model": _fingerprint(cycle.system)}))
    except OSError as error:
        raise RunError(f"cannot write {path} ({error.strerror or error}); choose another folder") from error
