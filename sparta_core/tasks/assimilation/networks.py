"""Networks of observations, by which filters are compared: which values of each day are observed."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.domain import Domain
from sparta_core.observe import Observation
from sparta_core.observe.points import PointsChoice
from sparta_core.observe.swaths import SwathsChoice

POINTS = 150  # of a globe's network
SHARE = 0.1  # of a small domain's points, at most
Network = Callable[[Domain, int, int, np.random.Generator], Iterator[Tensor]]


def points(domain: Domain, variables: int, draws: np.random.Generator) -> Tensor:
    """The places (p,) in a day (C, H, W) of POINTS points, of so many variables, evenly over the area."""
    size = domain.area().numel()
    chosen = scattered(domain, min(POINTS, int(SHARE * size)), draws)
    return torch.from_numpy((np.arange(variables)[:, None] * size + chosen).ravel())


def scattered(domain: Domain, count: int, draws: np.random.Generator) -> np.ndarray:
    """So many grid points (count,) of a domain, flat and rising, drawn as densely as the area is."""
    area = domain.area().double().flatten().numpy()
    return np.sort(draws.choice(area.size, count, replace=False, p=area / area.sum()))


def fixed(variables: int | None) -> Network:
    """The same points every day, of so many variables, the first ones; None: of all."""

    def network(domain: Domain, channels: int, days: int, draws: np.random.Generator) -> Iterator[Tensor]:
        places = points(domain, variables or channels, draws)
        return (places for _ in range(days))

    return network


def drawn(kind: Observation, share: float) -> Network:
    """A share of all values, other ones each day, as a kind of sparsity draws them."""

    def network(domain: Domain, channels: int, days: int, draws: np.random.Generator) -> Iterator[Tensor]:
        masks, generator = kind.build(domain), torch.Generator().manual_seed(int(draws.integers(2**31)))
        for _ in range(days):
            yield masks((1, channels, *domain.shape), 1 - share, generator).flatten().nonzero()[:, 0]

    return network


NETWORKS: dict[str, Network] = {
    "points, one variable": fixed(1),
    "points": fixed(None),
    "3 % of the values": drawn(PointsChoice(), 0.03),
    "30 % of the values": drawn(PointsChoice(), 0.3),
    "swaths": drawn(SwathsChoice(), 0.4),
}
