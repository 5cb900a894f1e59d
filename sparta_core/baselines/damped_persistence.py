"""Damped persistence: today's anomaly, less of it with every day."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sparta_core.baselines import ForecastBaseline
from sparta_core.baselines.climatology import Climatology
from sparta_core.data.record import Record
from sparta_core.errors import ExperimentError


class DampedPersistenceBaseline(ForecastBaseline):
    title: ClassVar[str] = "damped persistence"

    def fit(self, record: Record, leads: int) -> "DampedPersistence":
        return DampedPersistence.fit(record, Climatology.fit(record), leads)


@dataclass(frozen=True, eq=False)
class DampedPersistence:
    """Climatology and a share r of the last anomaly, one r per variable and lead, by regression."""

    climatology: Climatology
    shares: Tensor  # (leads, C)

    @classmethod
    def fit(cls, record: Record, climatology: Climatology, leads: int) -> "DampedPersistence":
        x = climatology.anomalies(record, record.splits["train"])
        shares = [(x[lead:] * x[:-lead]).sum((0, 2, 3)) / x[:-lead].square().sum((0, 2, 3))
                  for lead in range(1, leads + 1)]  # fmt: skip
        return cls(climatology, torch.stack(shares))

    def forecast(self, record: Record, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        if leads > len(self.shares):  # one share would silently serve every lead
            raise ExperimentError(f"damped persistence was fitted for {len(self.shares)} leads, not {leads}; "
                                  "fit it for as many leads as it shall forecast")
        now = self.climatology.anomalies(record, last_days, analyses)
        later = self.climatology.forecast(record, last_days, leads)
        return later + self.shares[:leads, :, None, None] * now[:, None]
