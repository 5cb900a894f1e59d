"""The task of telling how smooth the latent path is, which trains nothing and has no baseline."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from sparta_core.data.labelled import CONVENTIONS, TIME
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks import Measure, Task
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.latent.scores import TASK, distance_scores
from sparta_core.tensors import Tensors


class Latent(Task, name=TASK):
    """The geometry of latent space."""

    def score(self, experiment: Experiment) -> xr.Dataset:
        return distance_scores(experiment)

    def each_day(self, options: Mapping[str, Any]) -> bool:
        return True

    def predict(self, model: Sparta, state: Tensors, days: Sample, **options: Any) -> xr.Dataset:
        """The variable "embedding" (time, feature)."""
        experiment = model.experiment
        name = f"{experiment.name(experiment.representation)}, {experiment.representation}"
        attributes = {"units": "1", "long_name": f"embedding by {name}"}
        embeddings = (("time", "feature"), embed(model, days).cpu().numpy(), attributes)
        return xr.Dataset({"embedding": embeddings}, {"time": ("time", days.dates, TIME)},
                          {"Conventions": CONVENTIONS, "title": "Embeddings of days"})  # fmt: skip

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        return (Measure(TASK, "temporal_distance_mean", "temporal distance"),
                Measure(TASK, "temporal_distance_scaled", "temporal distance, scaled"))  # fmt: skip
