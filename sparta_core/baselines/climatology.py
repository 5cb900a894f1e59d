"""Climatology: what is usual on the date."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sparta_core.baselines import ForecastBaseline
from sparta_core.data.climatology import climatology_at, days_of_year, fit_climatology
from sparta_core.data.fields import Fields


class ClimatologyBaseline(ForecastBaseline):
    title: ClassVar[str] = "climatology"

    def fit(self, fields: Fields, leads: int) -> "Climatology":
        return Climatology.fit(fields)


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
