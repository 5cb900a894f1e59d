"""Forecasting in latent space: the days after a look-back, from sparse ones (paper, section 4.1)."""

from typing import Annotated, ClassVar

from pydantic import Field

from sparta_core.experiment import Experiment
from sparta_core.settings import Choice, Count, Seed, Uses, setting
from sparta_core.tasks import Task


class Forecaster(Choice, slot="forecaster", default="lstm"):
    """What steps from a day to the next."""

    learns_from: ClassVar[str]  # the split of the days


class Forecast(Task, name="forecast"):
    uses: ClassVar[Uses] = (*Task.uses, Forecaster)
    look_back: Count = setting(30, "what a forecast sees", "days")
    forecast_seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = setting(
        (0,), "a forecaster is trained with each", trains=False)
    leads: Count = setting(100, "ahead that are scored", "days", trains=False)
    start_every: Count = setting(1, "between forecasts that are scored", "days", trains=False)

    def learns_from(self, experiment: Experiment) -> str:
        return experiment.of(Forecaster).learns_from
