"""The paper's forecaster: a sequence-to-sequence LSTM."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sparta_core.settings import Amount, Count, Epochs, Positive, Share, Uses, setting
from sparta_core.tasks.forecast import Forecaster
from sparta_core.training.fit import Plateau

# The paper's three forecast set-ups (section 6.1.3), by (look_back, stride).
SETUPS: dict[tuple[int, int], dict[str, Any]] = {
    (30, 1): {"forecast_weight_decay": 1e-6, "forecast_dropout": 0.0, "forecast_seeds": (0,)},
    (5, 5): {"forecast_weight_decay": 1e-5, "forecast_dropout": 0.3, "forecast_seeds": (0, 42, 123)},
    (5, 10): {"forecast_weight_decay": 1e-5, "forecast_dropout": 0.0, "forecast_seeds": (0, 42, 123)},
}


class LSTM(Forecaster, name="lstm"):
    """The paper's LSTM."""

    uses: ClassVar[Uses] = (Plateau,)
    learns_from = "downstream_train"
    stride: Count = setting(1, "between training windows", "days")
    forecast_hidden: Count = setting(128, "size of the LSTM's state, or channels of the dynamics")
    forecast_epochs: Epochs = setting(100, "epochs of the forecaster")
    forecast_rate: Positive = setting(1e-2, "learning rate of the forecaster")
    forecast_batch_size: Count = setting(64, "of the forecaster", "windows")
    forecast_weight_decay: Amount = setting(1e-6, "of the forecaster")
    forecast_dropout: Share = setting(0.0, "of the LSTM's outputs")

    @classmethod
    def usual(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What the paper has with a look-back and a stride of its own."""
        pair = (settings["look_back"], settings["stride"])
        return next((setup for known, setup in SETUPS.items() if known == pair), {})
