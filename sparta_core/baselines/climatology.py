"""Climatology: what is normal on the date."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from sparta_core.baselines import ForecastBaseline
from sparta_core.data.climatology import climatology_at
from sparta_core.data.clock import Clock
from sparta_core.data.record import Record


class ClimatologyBaseline(ForecastBaseline):
    title: ClassVar[str] = "climatology"

    def fit(self, record: Record, leads: int) -> "Climatology":
        return Climatology.fit(record)


@dataclass(frozen=True, eq=False)
class Climatology:
    """Mean and cycles of the year and the day, by least squares at every variable and grid point.

    Of fields that are anomalies from just that it is 0, to rounding.
    """

    coefficients: Tensor  # (K, C, H, W)
    clock: Clock

    @classmethod
    def fit(cls, record: Record) -> "Climatology":
        """Fit it on the training days; DataError where these have gaps."""
        return cls(record.fitted_climatology, record.clock)

    def at_dates(self, dates: np.ndarray) -> Tensor:
        """The climatology of dates (...): (..., C, H, W)."""
        return climatology_at(self.coefficients, dates, self.clock)

    def anomalies(self, record: Record, days: Tensor | range, analyses: Tensor | None = None) -> Tensor:
        """Days (T,) of the record, or analyses of them, minus their climatology, (T, C, H, W)."""
        full = record.take(days).values if analyses is None else analyses
        return full - self.at_dates(record.dates(days))

    def forecast(self, record: Record, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        return self.at_dates(record.dates_ahead(record.dates(last_days), leads))
