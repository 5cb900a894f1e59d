"""What a forecast has to beat: climatology, persistence, damped persistence, a linear inverse model.

All are fitted on the training days only and see the last observed day, whole, or as somebody's analysis of it has it.
They work on standardised fields; `forecast(fields, last_days, leads)` gives (N, leads, C, H, W) for the
last observed days (N,), lead 1 being the day after.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.climatology import climatology_at, days_of_year, fit_climatology
from sparta_core.data.days import DataSettings, DownstreamSplit
from sparta_core.data.departures import Departures
from sparta_core.data.fields import Fields
from sparta_core.encoders import Latent
from sparta_core.encoders.linear_path import LinearPath
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Randomness, Trained
from sparta_core.modes import eofs, inverse_step
from sparta_core.observe import Errors, Observation
from sparta_core.settings import Uses
from sparta_core.tasks import DownstreamMask
from sparta_core.views.augment import ViewSettings

MODES = 400
RIDGE = 0.1  # of the mean eigenvalue, on the diagonal


class Baselines(Trained, name="baselines"):
    """The baselines of all tasks, which depend on no model: their scores are shared."""

    uses: ClassVar[Uses] = (Randomness, DataSettings, Departures, ViewSettings, Observation, Errors, Latent, LinearPath,
                  DownstreamSplit, DownstreamMask)  # fmt: skip


class Baseline(Protocol):
    """A forecaster fitted without training."""

    def forecast(self, fields: Fields, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        """(N, leads, C, H, W); `analyses` (N, C, H, W) of the last days, instead of these as they were."""


def target_days(last_days: Tensor, leads: int) -> Tensor:
    """The days that a forecast is for, (N, leads)."""
    return last_days[:, None] + torch.arange(1, leads + 1, device=last_days.device)


@dataclass(frozen=True, eq=False)
class Climatology:
    """Mean and three harmonics of the day of year, by least squares at every variable and grid point.

    Of fields that are departures from just that it is 0, to rounding.
    """

    coefficients: Tensor  # (7, C, H, W)

    @classmethod
    def fit(cls, fields: Fields) -> "Climatology":
        days = fields.split("train")
        return cls(fit_climatology(days, fields.day_of_year[: len(days)], fields.source))

    def at(self, day_of_year: np.ndarray) -> Tensor:
        """The climatology of days of the year (...): (..., C, H, W)."""
        return climatology_at(self.coefficients, day_of_year)

    def departures(self, fields: Fields, days: Tensor | range, analyses: Tensor | None = None) -> Tensor:
        """Days (T,) of the record, or analyses of them, minus their climatology, (T, C, H, W)."""
        index = np.asarray(days.cpu() if isinstance(days, Tensor) else days)
        whole = fields.take(torch.from_numpy(index)) if analyses is None else analyses
        return whole - self.at(fields.day_of_year[index])

    def forecast(self, fields: Fields, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        return self.at(days_of_year(fields.dates_after(last_days, leads)))


@dataclass(frozen=True)
class Persistence:
    """Tomorrow, and every day after, as today."""

    def forecast(self, fields: Fields, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        now = fields.take(last_days) if analyses is None else analyses
        whole = now + fields.usual(fields.dates(last_days))
        departures = whole[:, None] - fields.usual(fields.dates_after(last_days, leads))
        return departures.expand(-1, leads, -1, -1, -1)


@dataclass(frozen=True, eq=False)
class DampedPersistence:
    """Climatology and a share r of the last departure, one r per variable and lead, by regression."""

    climatology: Climatology
    shares: Tensor  # (leads, C)

    @classmethod
    def fit(cls, fields: Fields, climatology: Climatology, leads: int) -> "DampedPersistence":
        x = climatology.departures(fields, fields.splits["train"])
        shares = [(x[lead:] * x[:-lead]).sum((0, 2, 3)) / x[:-lead].square().sum((0, 2, 3))
                  for lead in range(1, leads + 1)]  # fmt: skip
        return cls(climatology, torch.stack(shares))

    def forecast(self, fields: Fields, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        if leads > len(self.shares):  # one share would silently serve every lead
            raise ExperimentError(f"damped persistence was fitted for {len(self.shares)} leads, not {leads}; "
                                  "fit it for as many leads as it shall forecast")
        now = self.climatology.departures(fields, last_days, analyses)
        later = self.climatology.forecast(fields, last_days, leads)
        return later + self.shares[:leads, :, None, None] * now[:, None]


@dataclass(frozen=True, eq=False)
class LinearInverseModel:
    """One day's step of the leading EOFs of departures, by ridge regression, repeated (Penland, 1989).

    Departures are in units of each variable's std, as the fields are, and not weighted by area.
    """

    climatology: Climatology
    eofs: Tensor  # (K, C H W)
    step: Tensor  # (K, K): tomorrow = today @ step

    @classmethod
    def fit(cls, fields: Fields, climatology: Climatology, modes: int = MODES) -> "LinearInverseModel":
        x = climatology.departures(fields, fields.splits["train"])
        x = x.flatten(1)
        patterns = eofs(x, modes)
        return cls(climatology, patterns, inverse_step(x @ patterns.T, RIDGE))

    def forecast(self, fields: Fields, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        now = self.climatology.departures(fields, last_days, analyses)
        score = now.flatten(1) @ self.eofs.T
        scores = []
        for _ in range(leads):
            score = score @ self.step
            scores.append(score)
        departures = (torch.stack(scores, 1) @ self.eofs).unflatten(2, now.shape[1:])
        return self.climatology.forecast(fields, last_days, leads) + departures


def fit_baselines(fields: Fields, leads: int) -> dict[str, Baseline]:
    """All baselines, by the name they carry in tables and figures."""
    climatology = Climatology.fit(fields)
    return {
        "climatology": climatology,
        "persistence": Persistence(),
        "damped persistence": DampedPersistence.fit(fields, climatology, leads),
        "linear inverse model": LinearInverseModel.fit(fields, climatology),
    }
