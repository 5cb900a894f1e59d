"""Normaliser: where fields lie, what they are, and how physical units become standardised anomalies and come back.

It is all that a trained model keeps of the days that it learned from.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.climatology import climatology_at
from sparta_core.data.clock import Clock
from sparta_core.data.domain import Domain
from sparta_core.data.variables import variable
from sparta_core.errors import DataError

N = TypeVar("N", bound="Normaliser")
STATISTICS = ("mean", "std", "climatology", "low", "high")  # tensors, of which some may be None
PLACES = ("latitude", "longitude", "land_sea_mask")  # arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class Normaliser:
    """One mean and one standard deviation per variable, and with a climatology what is normal on the date.

    Args:
        domain: The grid and the clock; latitude and longitude ascend.
        variables: Their names.
        units: Of each variable.
        level: Of the variables on levels, hPa.
        mean: (C,) over the training days and the grid, physical units, on the device that computes.
        std: (C,).
        climatology: (K, C, H, W) of the training days, standardised; None: anomalies are those from the mean.
        land_sea_mask: (H, W), 1 on land; None: not known.
        source: One line for titles and logs.
        license: Of the data, as their file says.
        period: From which the statistics are.
        low: (C, H, W) the training days' lowest values, standardised by mean and std; NaN where there were none.
        high: (C, H, W).
    """

    domain: Domain
    variables: tuple[str, ...]
    units: tuple[str, ...]
    level: int
    mean: Tensor
    std: Tensor
    climatology: Tensor | None = None
    land_sea_mask: np.ndarray | None = None
    source: str = ""
    license: str = ""
    period: str = ""
    low: Tensor | None = None
    high: Tensor | None = None

    def climatology_of(self, dates: np.ndarray | None) -> Tensor:
        """What fields of these dates (...) are anomalies from, standardised.

        Returns:
            (..., C, H, W), or 0 where that is the mean.

        Raises:
            DataError: Without dates, where they count.
        """
        if self.climatology is None:
            return self.mean.new_zeros(())
        if dates is None or np.isnat(dates).any():
            raise DataError("these fields are anomalies from the climatology of their dates; give the dates, too")
        return climatology_at(self.climatology, dates, self.clock)

    def physical(self, anomalies: Tensor, dates: np.ndarray | None = None) -> Tensor:
        """Standardised anomalies (..., C, H, W) in physical units; of dates that broadcast to (...), if they count."""
        full = anomalies + self.climatology_of(dates)
        return full * self.std.view(-1, 1, 1) + self.mean.view(-1, 1, 1)

    def made(self, anomalies: Tensor, dates: np.ndarray | None = None) -> Tensor:
        """The same of what a model makes, which may be too dry: variables that are never negative are held at 0."""
        fields = self.physical(anomalies, dates)
        least = [0.0 if variable(name).positive else -torch.inf for name in self.variables]
        return fields.clamp_min(fields.new_tensor(least).view(-1, 1, 1))

    def standardise(self, physical: Tensor, dates: np.ndarray | None = None) -> Tensor:
        """Fields (..., C, H, W) in physical units as standardised anomalies: the inverse of `physical`."""
        return self.scaled(physical) - self.climatology_of(dates)

    def scaled(self, physical: Tensor) -> Tensor:
        """Fields (..., C, H, W) in physical units, standardised by mean and std alone."""
        return (physical - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)

    def climatology_ahead(self, dates: np.ndarray, leads: int) -> Tensor:
        """What the fields after those of `dates` (N,) are anomalies from: (N, leads, C, H, W)."""
        ahead = self.climatology_of(self.dates_ahead(dates, leads))
        return ahead.expand(len(dates), leads, len(self.variables), *self.grid)

    def dates_ahead(self, dates: np.ndarray, leads: int) -> np.ndarray:
        """The times (N, leads) of so many steps after `dates` (N,)."""
        return self.clock.ahead(dates, leads)

    def static_fields(self) -> Tensor:
        """Sine and cosine of latitude, and the land-sea mask if it is known: (2 or 3, H, W)."""
        latitude = torch.tensor(np.deg2rad(self.domain.places()[0]))
        mask = [] if self.land_sea_mask is None else [torch.tensor(self.land_sea_mask)]
        fields = [field.float() for field in (latitude.sin(), latitude.cos(), *mask)]
        return torch.stack(fields).to(self.device)

    def to(self: N, device: str | torch.device) -> N:
        """The same with its tensors on `device`."""
        there = {name: getattr(self, name) for name in STATISTICS}
        return dataclasses.replace(self, **{name: x.to(device) for name, x in there.items() if x is not None})

    @property
    def device(self) -> torch.device:
        """What computes."""
        return self.mean.device

    @property
    def clock(self) -> Clock:
        """The domain's."""
        return self.domain.clock

    @property
    def latitude(self) -> np.ndarray:
        """(H,) degrees north; of a projection (H, W)."""
        return self.domain.latitude

    @property
    def longitude(self) -> np.ndarray:
        """(W,) degrees east; of a projection (H, W)."""
        return self.domain.longitude

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W)."""
        return self.domain.shape

    @property
    def cell_area(self) -> Tensor:
        """Weights (H, W) with mean 1 that make a mean over the grid a mean over the domain's area."""
        return self.domain.area().float().to(self.device)

    def tensors(self) -> dict[str, Tensor]:
        """All that a file keeps of it as tensors."""
        known = {name: getattr(self, name) for name in STATISTICS}
        places = {name: getattr(self, name) for name in PLACES}
        return {**{name: torch.tensor(x) for name, x in places.items() if x is not None},
                **{name: x for name, x in known.items() if x is not None}}  # fmt: skip

    def record(self) -> dict[str, Any]:
        """All that a file keeps of it as JSON."""
        return {"variables": list(self.variables), "units": list(self.units), "level": self.level,
                "clock": self.clock.told(), "source": self.source, "license": self.license,
                "period": self.period}  # fmt: skip

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> "Normaliser":
        """What `tensors` and `record` told of; KeyError where something is missing."""
        domain = Domain(tensors["latitude"].numpy(), tensors["longitude"].numpy(), Clock.restored(record["clock"]))
        known = {name: tensors[name] for name in STATISTICS if name in tensors or name in ("mean", "std")}
        mask = tensors["land_sea_mask"].numpy() if "land_sea_mask" in tensors else None
        return cls(domain=domain, variables=tuple(record["variables"]), units=tuple(record["units"]),
                   level=record["level"], source=record["source"], license=record["license"], period=record["period"],
                   land_sea_mask=mask, **known)  # fmt: skip
