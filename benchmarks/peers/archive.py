"""What methods are given: training and validation days, and sparse days as kinds of observations show them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from sparta_core.data.record import Record
from sparta_core.tasks.assimilation.networks import NETWORKS, scattered

KINDS = ("points", "30 % of the values", "3 % of the values")
TRIED = 24  # validation days on which a method chooses
SPIN_UP = 20  # days that a cycle goes through before the first that is scored
CHOICE_SEED = 1000  # of the places on validation days, unlike any seed of those that are scored


@dataclass(frozen=True, eq=False)
class Sparse:
    """Days of a record, of which some values are observed.

    Args:
        record: The days, as anomalies.
        kind: What is observed, a name of `NETWORKS`.
        seed: Of the places.
        days: The numbers of days that follow each other.
        scored: Those of them that are to be filled.
    """

    record: Record
    kind: str
    seed: int
    days: range
    scored: range

    @cached_property
    def places(self) -> dict[int, np.ndarray]:
        """Of each day the observed places (p,) in a day (C, H, W), flat."""
        network = NETWORKS[self.kind](self.record.domain, len(self.record.variables), len(self.days),
                                      np.random.default_rng(self.seed))  # fmt: skip
        return {day: where.numpy() for day, where in zip(self.days, network, strict=True)}

    @cached_property
    def truth(self) -> np.ndarray:
        """(N, C, H, W) all values of the scored days, standardised anomalies."""
        return fields(self.record, self.scored)

    @cached_property
    def values(self) -> np.ndarray:
        """(N, C, H, W) the same, NaN where nothing is observed."""
        return shown(self.truth, [self.places[day] for day in self.scored])


@dataclass(frozen=True, eq=False)
class Archive:
    """Days that methods learn from and choose by.

    Args:
        record: The days, as anomalies. Those of the last split are nobody's to see.
        folder: Where methods keep what takes long to train; None: nowhere.
    """

    record: Record
    folder: Path | None = None

    @cached_property
    def train(self) -> np.ndarray:
        """(T, C, H, W) standardised anomalies of the training days, float32."""
        return fields(self.record, self.record.splits["train"])

    @property
    def variables(self) -> tuple[str, ...]:
        return self.record.variables

    @property
    def latitude(self) -> np.ndarray:
        """(H,) in degrees."""
        return np.asarray(self.record.latitude, dtype=np.float64)

    @property
    def longitude(self) -> np.ndarray:
        """(W,) in degrees."""
        return np.asarray(self.record.longitude, dtype=np.float64)

    @cached_property
    def area(self) -> np.ndarray:
        """(H, W) weights of mean 1."""
        return self.record.domain.area().double().numpy()

    @cached_property
    def positions(self) -> np.ndarray:
        """(H W, 3) the grid points on the unit sphere."""
        return self.record.domain.positions().double().numpy().reshape(-1, 3)

    @cached_property
    def std(self) -> np.ndarray:
        """(C, 1, 1) standard deviations of the training days, of all places alike, float64."""
        return np.sqrt(np.square(self.train, dtype=np.float64).mean((0, 2, 3)))[:, None, None]

    @cached_property
    def scale(self) -> np.ndarray:
        """(C, H, W) standard deviations of the training days, place by place, float32."""
        return np.sqrt(np.square(self.train, dtype=np.float64).mean(0)).astype(np.float32)

    @cached_property
    def validation(self) -> dict[str, Sparse]:
        """Some validation days, as each kind of observations shows them."""
        days = self.record.splits["validation"]
        chosen = days[:: max(1, len(days) // TRIED)][:TRIED]
        return {kind: Sparse(self.record, kind, CHOICE_SEED, days, chosen) for kind in KINDS}

    def some(self, count: int) -> np.ndarray:
        """About so many training days (N, C, H, W), evenly over their time."""
        return self.train[:: max(1, len(self.train) // count)]

    def points(self, count: int, seed: int = 0) -> np.ndarray:
        """So many grid points (p,), flat, drawn as densely as the area is; all of them where there are not more."""
        return scattered(self.record.domain, min(count, self.area.size), np.random.default_rng(seed))

    def error(self, made: np.ndarray, sparse: Sparse) -> float:
        """Area-weighted mean squared error of filled days, the mean of the variables."""
        return float(errors(made, sparse, self.area)[0].mean())


def shown(days: np.ndarray, places: Sequence[np.ndarray]) -> np.ndarray:
    """Days (N, C, H, W), of each the values at some places (p,), flat, NaN elsewhere."""
    seen = np.full_like(days, np.nan).reshape(len(days), -1)
    for number, where in enumerate(places):
        seen[number, where] = days[number].reshape(-1)[where]
    return seen.reshape(days.shape)


def fields(record: Record, days: range) -> np.ndarray:
    """Days of a record (N, C, H, W), float32."""
    return record.take(days).values.cpu().numpy()


def errors(made: np.ndarray, sparse: Sparse, area: np.ndarray) -> np.ndarray:
    """Area-weighted mean squared errors (2, C): of all values, and of those that are not observed."""
    square = np.square(made.astype(np.float64) - sparse.truth)
    unseen = np.isnan(sparse.values)
    weights = np.broadcast_to(area, square.shape)
    return np.stack([np.average(square, axis=(0, 2, 3), weights=weights),
                     np.average(square, axis=(0, 2, 3), weights=weights * unseen)])  # fmt: skip


def observed(values: np.ndarray) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
    """Of sparse days (N, C, H, W) each day and variable: their numbers, the places (p,), flat, and the values (p,)."""
    flat = values.reshape(*values.shape[:2], -1)
    for day, channel in np.ndindex(*values.shape[:2]):
        places = np.flatnonzero(~np.isnan(flat[day, channel]))
        yield day, channel, places, flat[day, channel, places]
