"""Baselines: what a model has to beat, fitted on the training days only; of forecasts one file each.

A baseline of forecasts sees the last observed day, whole, or as somebody's analysis of it has it.
"""

from typing import ClassVar, Protocol

import torch
from torch import Tensor

from sparta_core.catalogue import Trained
from sparta_core.data.anomalies import Anomalies
from sparta_core.data.days import DataSettings, DownstreamSplit
from sparta_core.data.record import Record
from sparta_core.encoders import Latent
from sparta_core.encoders.linear_path import LinearPath
from sparta_core.experiment import Experiment, Randomness
from sparta_core.observe import DownstreamMask, Errors, Observation
from sparta_core.settings import Section, Uses
from sparta_core.views.augment import ViewSettings


class Forecasts(Protocol):
    """A forecaster that is fitted."""

    def forecast(self, record: Record, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        """Standardised fields (N, leads, C, H, W) after the last observed days (N,), lead 1 being the day after.

        `analyses` (N, C, H, W) of the last days are observed instead of these as they were.
        """


class ForecastBaseline(Section):
    """A forecaster that is fitted without training: a class of this folder, whose fields are its settings."""

    title: ClassVar[str] = ""  # in tables and figures

    def fit(self, record: Record, leads: int) -> Forecasts:
        """Fit it on the training days, for forecasts of so many leads."""
        raise NotImplementedError


class Baselines(Trained, name="baselines"):
    """The baselines of all tasks, which depend on no model: their scores are shared."""

    uses: ClassVar[Uses] = (Randomness, DataSettings, Anomalies, ViewSettings, Observation, Errors, Latent, LinearPath,
                            DownstreamSplit, DownstreamMask)  # fmt: skip

    def sections(self, experiment: Experiment) -> Uses:
        return (*super().sections(experiment), *map(type, experiment.all_of(ForecastBaseline)))


def fit_baselines(experiment: Experiment, record: Record, leads: int) -> dict[str, Forecasts]:
    """All baselines of forecasts, by the name they carry in tables and figures."""
    return {baseline.title: baseline.fit(record, leads) for baseline in experiment.all_of(ForecastBaseline)}


def target_days(last_days: Tensor, leads: int) -> Tensor:
    """The days that a forecast is for, (N, leads)."""
    return last_days[:, None] + torch.arange(1, leads + 1, device=last_days.device)
