"""The task of assimilation: sparse days to analyses, from day to day."""

import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data.given_errors import check_errors
from sparta_core.data.sample import Sample
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.observe.quality import Aside, told_of
from sparta_core.progress import Told
from sparta_core.settings import Uses
from sparta_core.tasks import Measure, Option, Task
from sparta_core.tasks.assimilation import Assimilator
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.fields import analysed, dataset_of, fields_of
from sparta_core.tasks.assimilation.fitted import (
    TASK,
    lack_of_dynamics,
    system_of,
    trained_errors,
    trained_system,
)
from sparta_core.tasks.assimilation.kept import Block, in_parts, keep, remove, resume
from sparta_core.tasks.assimilation.model_errors import ModelErrors
from sparta_core.tasks.assimilation.scores import BASELINES, assimilation_scores, baseline_assimilation, baselines_run
from sparta_core.tasks.forecast import Forecaster, restored
from sparta_core.tensors import Tensors, under
from sparta_core.training.records import run_of
from sparta_core.training.runs import Run


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

    def lacks(self, experiment: Experiment) -> str:
        return lack_of_dynamics(experiment)

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
        _, errors = trained_errors(model.experiment)
        return errors._asdict()

    @torch.no_grad()
    def predict(self, model: Sparta, state: Tensors, days: Sample, cycle: str | os.PathLike[str] | None = None,
                seed: int = 0, errors: Tensor | None = None, quality_control: bool = True, **options: Any
                ) -> xr.Dataset:  # fmt: skip
        """Analyse days one after the other.

        Args:
            model: The representation.
            state: What the task keeps, and under "forecast" what forecasts keep.
            days: (T, C, H, W), rising; some may have no value at all.
            cycle: A file to go on from, if it is there, and to write in the end; None: the first day's background is
                the climate. Beside it parts of what is done are kept until all is: the same call, stopped, goes on.
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
        if errors is not None:
            check_errors(errors, days)
        path = None if cycle is None else Path(cycle)
        if path is not None and path.exists():
            resume(going, path)
        variance = system.error.view(1, *days.values.shape[1:]) + (0 if errors is None else errors.square())
        told, done, found = Told(len(days)), 0, []
        made: list[Tensor] = []

        def analyse(block: Sample, variances: Tensor) -> Block:
            fields, aside = [], []
            for day, analysis in enumerate(analysed(going, block, variances)):
                fields.append(fields_of(analysis, system, normaliser, block.dates[day]))
                aside += [(day, *one) for one in analysis.aside]
                told(done + day + 1, f"{TASK}: day {done + day + 1} of {len(days)}")
            return torch.stack(fields), aside

        parts = None if path is None else path.with_name(f"{path.name}.parts")
        for fields, aside in in_parts(going, days, variance.expand(days.values.shape), analyse, parts):
            found += [Aside(done + day, place, far, deviations) for day, place, far, deviations in aside]
            made.append(fields)
            done += len(fields)
        dataset = dataset_of(torch.cat(made), normaliser, days)
        if found:
            values = normaliser.physical(days.values, days.dates).cpu().numpy()
            dataset.attrs["set_aside"] = told_of(found, values, int(days.observed.sum()), days.dates, normaliser)
        if path is not None and parts is not None:
            keep(going, path)
            remove(parts)
        return dataset
