"""The task of telling how smooth the latent path is, which trains nothing and has no baseline."""

import xarray as xr

from sparta_core.experiment import Experiment
from sparta_core.tasks import Measure, Task
from sparta_core.tasks.latent.scores import TASK, distance_scores


class Latent(Task, name=TASK):
    """The geometry of latent space."""

    def score(self, experiment: Experiment) -> xr.Dataset:
        return distance_scores(experiment)

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        return (Measure(TASK, "temporal_distance_mean", "temporal distance"),
                Measure(TASK, "temporal_distance_scaled", "temporal distance, scaled"))  # fmt: skip
