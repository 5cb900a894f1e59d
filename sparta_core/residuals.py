"""What the modes leave out of fields, rebuilt near what is observed: regression of the residuals, variable by variable.

Optimal interpolation in modes takes what they leave out for errors that are independent from place to place. They are
not: what an observation has left of itself says something of its neighbours, too. The second step is optimal
interpolation of these residuals (Daley, 1991, section 4.3; in geostatistics regression kriging), with the correlations
that they had on days that the modes were not fitted to, damped to nothing over a distance (Gaspari and Cohn, 1999).

A domain is solved in parts: each corrects a square of the grid by the observations around it that say most of it. Time
and memory grow as the number of places.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy  # whose parts load when they are asked for
import torch
from torch import Tensor

from sparta_core.modes import EARTH_RADIUS, Modes
from sparta_core.optimal_interpolation import by_places

SIDE = 8  # rows and columns of a part
AROUND = 256  # places of a variable that a part is corrected by, at most
NOISE = 0.01  # share of the variance that is believed to be an error, which makes up for rounded correlations
LITTLE = 1e-3  # of a variable's mean variance, at any place
TINY = 1e-9  # a variable's that the modes hold whole
PAIRS = 2**16  # correlated at once


def pairs(positions: Tensor, reach: float) -> np.ndarray:
    """Find the pairs (E, 2) of places on the unit sphere (N, 3) that are at most `reach` km apart, along the chord."""
    tree = scipy.spatial.cKDTree(positions.double().cpu().numpy())
    found = tree.query_pairs(reach / EARTH_RADIUS, output_type="ndarray")
    ordered: np.ndarray = found[np.lexsort(found.T[::-1])]
    return ordered


def compact_taper(distance: np.ndarray, reach: float) -> np.ndarray:
    """How far a correlation is believed over a distance: 1 at 0, 0 from `reach` on (Gaspari and Cohn, 1999, eq. 4.10).

    Example:
        >>> compact_taper(np.array([0.0, 1.0, 2.0]), 2.0).round(4).tolist()
        [1.0, 0.2083, 0.0]
    """
    z = 2 * np.minimum(distance / reach, 1)
    near = 1 - 5 / 3 * z**2 + 5 / 8 * z**3 + z**4 / 2 - z**5 / 4
    far = 4 - 5 * z + 5 / 3 * z**2 + 5 / 8 * z**3 - z**4 / 2 + z**5 / 12 - 2 / (3 * np.maximum(z, 1))
    return np.where(z < 1, near, far)


def residual_moments(rest: Tensor, positions: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Measure what modes leave out of days.

    Args:
        rest: (T, C, H, W) what they leave out.
        positions: (N, 3) of a day's places on the unit sphere.
        reach: km along the chord, over which correlations are damped to nothing.

    Returns:
        The variance (D,), at least a little of its variable's mean: where nothing ever happens an observation is not
        right beyond doubt. The damped correlations (C, E) of `pairs`, in half precision.
    """
    x = rest.flatten(2)
    variance = x.square().mean(0)
    variance = variance.clamp_min((LITTLE * variance.mean(1, keepdim=True)).clamp_min(TINY))
    x = x / variance.sqrt()
    made = []
    for some in np.array_split(both := pairs(positions, reach), max(1, math.ceil(len(both) / PAIRS))):
        first, second = torch.from_numpy(some).to(x.device).unbind(1)
        apart = (positions[first.cpu()] - positions[second.cpu()]).double().norm(dim=1)
        damping = torch.from_numpy(compact_taper(EARTH_RADIUS * apart.numpy(), reach)).to(x)
        products = [(own[:, first] * own[:, second]).mean(0) for own in x.unbind(1)]
        made.append((torch.stack(products) * damping).half())
    return variance.flatten(), torch.cat(made, 1)


class Part(NamedTuple):
    """A square of the grid in one variable, and what it is corrected by."""

    inside: Tensor  # (n,) its places in a day (C, H, W), flat
    around: Tensor  # (m,) those of the observations that may correct it, its own first
    correlation: Tensor  # (m, m) of their residuals


class Weights(NamedTuple):
    """How residuals at some places correct a day."""

    parts: list[tuple[Tensor, Tensor, Tensor]]  # of each its places (n,), which residuals (q,), their weights (q, n)
    known: Tensor  # (D,) share of the residuals' variance that is known then

    def increments(self, residuals: Tensor) -> Tensor:
        """The corrections (B, D) that residuals (B, p) of days ask for."""
        made = residuals.new_zeros(len(residuals), len(self.known))
        for inside, which, weights in self.parts:
            made[:, inside] = residuals[:, which] @ weights
        return made


class Residuals:
    """What is known of that which modes leave out.

    Args:
        modes: With `left_out` and `correlation`, as `residual_moments` measures them.
        positions: (H, W, 3) of a day's places on the unit sphere.
        reach: km, of the correlations.

    Raises:
        ValueError: For correlations of other places.

    Example:
        fields = residuals.corrected(fields, values, observed)
    """

    def __init__(self, modes: Modes, positions: Tensor, reach: float) -> None:
        assert modes.left_out is not None and modes.correlation is not None
        self.variance, self.correlation = modes.left_out, modes.correlation
        self.positions, self.reach = positions, reach
        self.both = pairs(positions.flatten(0, 1), reach)
        if self.correlation.shape[1] != len(self.both):
            raise ValueError(
                f"its residuals are of {self.correlation.shape[1]} pairs of places, the grid has {len(self.both)}"
            )
        self._last: tuple[Tensor, Tensor, Weights] | None = None

    @cached_property
    def parts(self) -> list[Part]:
        """All parts, of one variable after the other."""
        return list(self._made())

    def _made(self) -> Iterator[Part]:
        rows, columns = self.positions.shape[:2]
        grid = np.arange(rows * columns).reshape(rows, columns)
        squares = [
            grid[i : i + SIDE, j : j + SIDE].ravel() for i in range(0, rows, SIDE) for j in range(0, columns, SIDE)
        ]
        for channel, correlation in enumerate(self.correlation.float().cpu().numpy()):
            upper = scipy.sparse.csr_array((correlation, self.both.T), shape=(grid.size, grid.size))
            whole = (upper + upper.T + scipy.sparse.eye_array(grid.size)).tocsr()
            for square in squares:
                strength = abs(whole[square]).max(axis=0).toarray().ravel()
                strength[square] = 0
                others = np.argsort(-strength, kind="stable")[: max(0, AROUND - len(square))]
                around = np.concatenate([square, others[strength[others] > 0]])
                block = torch.from_numpy(whole[around][:, around].toarray()).to(self.variance)
                at = torch.from_numpy(channel * grid.size + around).to(self.variance.device)
                yield Part(at[: len(square)], at, block)

    def weights(self, places: Tensor, error: Tensor) -> Weights:
        """How what is left of observations corrects a day; the last ones where nothing has changed.

        Args:
            places: (p,) in a day (C, H, W), flat, each once.
            error: (p,) variance of the instruments' errors.
        """
        last = self._last  # another thread may replace it at any moment
        if last is None or not (torch.equal(last[0], places) and torch.equal(last[1], error)):
            last = self._last = places, error, self._weights(places, error)
        return last[2]

    def _weights(self, places: Tensor, error: Tensor) -> Weights:
        which = torch.full_like(self.variance, -1, dtype=torch.long)
        which[places] = torch.arange(len(places), device=places.device)
        std, noise = self.variance.sqrt(), NOISE + error / self.variance[places]
        known, parts = torch.zeros_like(self.variance), []
        for inside, around, correlation in self.parts:
            seen = (which[around] >= 0).nonzero()[:, 0]
            if not len(seen):
                continue
            sources = which[around[seen]]
            inner, across = correlation[seen][:, seen], correlation[seen, : len(inside)]
            inner.diagonal().add_(noise[sources])
            made = torch.cholesky_solve(across, torch.linalg.cholesky(inner))
            known[inside] = (made * across).sum(0)
            parts.append((inside, sources, made * std[inside] / std[around[seen], None]))
        return Weights(parts, known)

    def corrected(self, fields: Tensor, values: Tensor, observed: Tensor, error: Tensor | None = None) -> Tensor:
        """Correct fields (B, C, H, W) by the values of days where `observed` (1 or 0).

        `error` (B or 1, C, H, W) is the variance of the instruments' errors; None: they have none.
        """
        flat, values, observed = fields.flatten(1).clone(), values.flatten(1), observed.flatten(1)
        wrong = torch.zeros_like(observed[:1]) if error is None else error.flatten(1)
        # Days at the same places share their weights, unless each day's instruments have errors of their own.
        groups = by_places(observed) if len(wrong) == 1 else [np.array([day]) for day in range(len(observed))]
        for days in groups:
            places = observed[days[0]].nonzero()[:, 0]
            weights = self.weights(places, wrong[days[0] if len(wrong) > 1 else 0][places])
            flat[days] += weights.increments(values[days][:, places] - flat[days][:, places])
        return flat.view_as(fields)
