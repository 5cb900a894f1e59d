"""Weather stations: the grid points nearest to the places in a table, each variable by itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.data.stations import nearest_points, read_stations
from sparta_core.errors import ExperimentError
from sparta_core.observe import Observation
from sparta_core.observe.masks import random_points
from sparta_core.settings import setting

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment


class StationsChoice(Observation, name="stations"):
    """Places of stations."""

    stations: str = setting("", "a CSV with the columns lat and lon, for sparsity=stations")

    def check(self, experiment: "Experiment") -> None:
        self._check(bool(self.stations), "stations")

    def unused(self) -> None:
        self._check(not self.stations, "another")

    def _check(self, right: bool, kind: str) -> None:
        if not right:
            raise ExperimentError(f"stations is {self.stations!r} and sparsity {kind}; for stations give both, for "
                                  "anything else neither")

    def build(self, domain: Domain) -> nn.Module:
        places = read_stations(self.stations)
        observed = np.zeros(domain.shape, np.float32)
        observed.flat[nearest_points(places, domain, self.stations)] = 1
        return Stations(torch.from_numpy(observed))


class Stations(nn.Module):
    """Every station reports every variable by itself."""

    stations: Tensor  # (H, W), 1 where a station is

    def __init__(self, stations: Tensor) -> None:
        super().__init__()
        self.register_buffer("stations", stations)

    def forward(self, shape: Sequence[int], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        return self.stations * random_points(shape, ratio, generator, torch.float32)
