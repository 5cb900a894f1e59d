"""What forecasts have wrong, given the look-back: not the paper's."""

from typing import TYPE_CHECKING

from sparta_core.errors import ExperimentError
from sparta_core.tasks.diffusion import Drawn

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class ForecastError(Drawn, name="forecast"):
    """What the dynamics' forecasts have wrong."""

    learns_from = "train"
    needs = ("forecast",)

    def check(self, experiment: "Experiment") -> None:
        if experiment.forecaster != "dynamics":
            raise ExperimentError("diffusion_of is 'forecast', that of the dynamics; set forecaster='dynamics'")
