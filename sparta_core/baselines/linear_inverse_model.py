"""The linear inverse model: one day's step of the leading EOFs, repeated (Penland, 1989)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sparta_core.baselines import ForecastBaseline
from sparta_core.baselines.climatology import Climatology
from sparta_core.data.record import Record
from sparta_core.modes import eofs, inverse_step

MODES = 400
RIDGE = 0.1  # of the mean eigenvalue, on the diagonal


class LinearInverseModelBaseline(ForecastBaseline):
    title: ClassVar[str] = "linear inverse model"

    def fit(self, record: Record, leads: int) -> "LinearInverseModel":
        return LinearInverseModel.fit(record, Climatology.fit(record))


@dataclass(frozen=True, eq=False)
class LinearInverseModel:
    """One day's step of the leading EOFs of anomalies, by ridge regression, repeated (Penland, 1989).

    Anomalies are in units of each variable's std, as the fields are, and not weighted by area.
    """

    climatology: Climatology
    eofs: Tensor  # (K, C H W)
    step: Tensor  # (K, K): tomorrow = today @ step

    @classmethod
    def fit(cls, record: Record, climatology: Climatology, modes: int = MODES) -> "LinearInverseModel":
        x = climatology.anomalies(record, record.splits["train"])
        x = x.flatten(1)
        patterns = eofs(x, modes)
        return cls(climatology, patterns, inverse_step(x @ patterns.T, RIDGE))

    def forecast(self, record: Record, last_days: Tensor, leads: int, analyses: Tensor | None = None) -> Tensor:
        now = self.climatology.anomalies(record, last_days, analyses)
        score = now.flatten(1) @ self.eofs.T
        scores = []
        for _ in range(leads):
            score = score @ self.step
            scores.append(score)
        anomalies = (torch.stack(scores, 1) @ self.eofs).unflatten(2, now.shape[1:])
        return self.climatology.forecast(record, last_days, leads) + anomalies
