"""The task of reconstruction, which trains nothing of its own: its scores, measures and targets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr
from torch import Tensor

from sparta_core.data.given_errors import check_errors
from sparta_core.data.labelled import TIME, labelled
from sparta_core.data.sample import Sample
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks import Measure, Target, Task, mean_over
from sparta_core.tasks.embeddings import reconstruct
from sparta_core.tasks.reconstruction.scores import RATIOS, TASK, baseline_reconstruction, model_reconstruction
from sparta_core.tensors import Tensors

DAYS = 128  # that targets are measured on


class Reconstruction(Task, name=TASK):
    """Whole fields from sparse ones."""

    benchmark = "climatology"

    def score(self, experiment: Experiment) -> xr.Dataset:
        return model_reconstruction(experiment)

    def score_baselines(self, experiment: Experiment) -> xr.Dataset:
        return baseline_reconstruction(experiment)

    def each_day(self, options: Mapping[str, Any]) -> bool:
        """Unless days have errors of their own, which are of all days together."""
        errors = options.get("errors")
        return errors is None or len(errors) == 1

    def predict(self, model: Sparta, state: Tensors, days: Sample, errors: Tensor | None = None, **options: Any
                ) -> xr.Dataset:  # fmt: skip
        """Make full fields (time, latitude, longitude), in physical units.

        Args:
            model: The representation.
            state: Nothing.
            days: (T, C, H, W).
            errors: Standard deviations of the observations' errors, (T or 1, C, H, W); NaN leaves one out; None: 0.
            **options: None.

        Raises:
            ExperimentError: For errors where there are no modes, and of another number of days.
        """
        normaliser = model.normaliser
        if errors is not None:
            if model.residuals is None:
                raise ExperimentError("this model has no modes, which errors are held against; leave errors out")
            check_errors(errors, days)
            days = replace(days, observed=days.observed * ~errors.isnan())
            errors = errors.nan_to_num(0)
        fields = normaliser.made(reconstruct(model, days, errors), days.dates)
        return labelled(normaliser, fields, {"time": ("time", days.dates, TIME)}, "Days reconstructed from sparse ones")

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        return (Measure(TASK, "mse", "reconstruction MSE, 70 % masked", "native_mask0.7"),)

    def targets(self, experiments: Sequence[Experiment]) -> Iterator[Target]:
        ours = mean_over(TASK, experiments, lambda each: model_reconstruction(each, RATIOS, DAYS))
        theirs = mean_over(f"{TASK} of the baselines", experiments,
                           lambda each: baseline_reconstruction(each, RATIOS, DAYS))  # fmt: skip
        errors, limits = (scores.mse.sel(mask_grid="native", drop=True) for scores in (ours, theirs))
        for model in limits.model.values:
            yield Target(f"{TASK} below {model}", errors, limits.sel(model=model, drop=True))
