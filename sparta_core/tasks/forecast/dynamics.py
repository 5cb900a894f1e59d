"""Not the paper's: a linear inverse model, and what convolutions add to it."""

from typing import TYPE_CHECKING

from sparta_core.errors import ExperimentError
from sparta_core.layers.globe import check_groups
from sparta_core.settings import Amount, Count, Epochs, Positive, setting
from sparta_core.tasks.forecast import Forecaster

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class Dynamics(Forecaster, name="dynamics"):
    """A linear inverse model, and what convolutions add."""

    learns_from = "train"
    forecast_steps: Count = setting(1, "ahead that the dynamics are trained on, in the end", "days")
    forecast_hidden: Count = setting(128, "size of the LSTM's state, or channels of the dynamics")
    forecast_epochs: Epochs = setting(100, "epochs of the forecaster")
    forecast_rate: Positive = setting(1e-2, "learning rate of the forecaster")
    forecast_batch_size: Count = setting(64, "of the forecaster", "windows")
    forecast_weight_decay: Amount = setting(1e-6, "of the forecaster")

    def check(self, experiment: "Experiment") -> None:
        if not experiment.linear_path:
            raise ExperimentError("forecaster is 'dynamics', whose maps are those of the linear path; set "
                                  "linear_path=True")
        check_groups("forecast_hidden", self.forecast_hidden, "the dynamics'")
