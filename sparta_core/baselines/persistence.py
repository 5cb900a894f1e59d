"""Persistence: tomorrow as today."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from sparta_core.baselines import ForecastBaseline
from sparta_core.data.fields import Fields


class PersistenceBaseline(ForecastBaseline):
    title: ClassVar[str] = "persistence"

    def fit(self, fields: Fields, leads: int) -> "Persistence":
        return Persistence()


@dataclass(frozen=True)
class Persistence:
    """Tomorrow, and every day after, as today."""

    def forecast(self, fields: Fields, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        now = fields.take(last_days) if analyses is None else analyses
        whole = now + fields.usual(fields.dates(last_days))
        departures = whole[:, None] - fields.usual(fields.dates_after(last_days, leads))
        return departures.expand(-1, leads, -1, -1, -1)
