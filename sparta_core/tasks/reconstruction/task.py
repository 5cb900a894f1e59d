"""The task of reconstruction, which trains nothing of its own: its scores, measures and targets."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import xarray as xr

from sparta_core.data.labelled import TIME, labelled
from sparta_core.data.sample import Sample
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
    each_day: ClassVar[bool] = True

    def score(self, experiment: Experiment) -> xr.Dataset:
        return model_reconstruction(experiment)

    def score_baselines(self, experiment: Experiment) -> xr.Dataset:
        return baseline_reconstruction(experiment)

    def predict(self, model: Sparta, state: Tensors, days: Sample, **options: Any) -> xr.Dataset:
        """The full fields (time, latitude, longitude), in physical units."""
        normaliser = model.normaliser
        fields = normaliser.made(reconstruct(model, days), days.dates)
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
