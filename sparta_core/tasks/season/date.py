"""Not the paper's: the likelihood of every day of the year, by optimal interpolation's covariance."""

from typing import TYPE_CHECKING

from sparta_core.data.departures import Departures, FromClimatology
from sparta_core.errors import ExperimentError
from sparta_core.tasks.season import Classifier

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class Date(Classifier, name="date"):
    """The likelihood of every day of the year."""

    learns_from = "train"

    def check(self, experiment: "Experiment") -> None:
        if not (experiment.linear_path and isinstance(experiment.of(Departures), FromClimatology)):
            raise ExperimentError("classifier is 'date', which tells weather from the usual by the linear path's "
                                  "covariance; set linear_path=True and departures='climatology'")
