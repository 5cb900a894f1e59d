"""Persistence: tomorrow as today."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from sparta_core.baselines import ForecastBaseline
from sparta_core.data.record import Record


class PersistenceBaseline(ForecastBaseline):
    title: ClassVar[str] = "persistence"

    def fit(self, record: Record, leads: int) -> "Persistence":
        return Persistence()


@dataclass(frozen=True)
class Persistence:
    """Tomorrow, and every day after, as today."""

    def forecast(self, record: Record, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        now = record.take(last_days).values if analyses is None else analyses
        dates = record.dates(last_days)
        full = now + record.climatology_of(dates)
        later = full[:, None] - record.climatology_ahead(dates, leads)
        return later.expand(-1, leads, -1, -1, -1)
