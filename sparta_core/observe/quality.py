"""Quality control: observations that the others of their day contradict, by leave-one-out in observation space.

A value is held against what optimal interpolation makes of all others of its day (Lorenc, 1981; Gandin, 1988): with
the covariance S of the observations, their residuals are (S^-1 d)_i / (S^-1)_ii, of the variances 1 / (S^-1)_ii. It
is a gross error if its residual is beyond 5 standard deviations of the background there, which are more than those of
the residual. Clean days have heavier tails than a Gaussian: beyond 5 of the latter lie 3 of 10,000 values, beyond 5 of
the former 1 of 20,000. A gross error makes its neighbours look wrong, so the least likely is set aside and the others
are judged again, one by one.

With K modes and p values observed that takes O(p K^2) for each set of places, and O(p K) for each day and for each
value that is set aside.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.given import GivenDays
from sparta_core.data.normaliser import Normaliser
from sparta_core.modes import Modes
from sparta_core.optimal_interpolation import by_places

LIMIT = 5.0  # standard deviations of the background
COUNT = 200  # leading modes: more take longer, and of fewer more clean values lie beyond the limit
LISTED = 300  # values in a Dataset's attribute, which has room for 64 kB
CHUNK = 256  # days at once


class Background(NamedTuple):
    """What is expected of a day before it is observed, in float64."""

    spread: Tensor  # (C H W, K) the modes, each times the standard deviation of its score
    error: Tensor  # (C H W,) variance of what is in no mode: the modes' error, and the modes that are left out
    std: Tensor  # (C H W,) of both

    @classmethod
    def of(cls, modes: Modes, count: int = COUNT) -> "Background":
        """The background of at most `count` leading modes."""
        patterns, prior = modes.patterns.cpu(), modes.variance.double().cpu().clamp_min(0)
        left_out = prior[count:].to(patterns) @ patterns[count:].square()
        error = modes.error.double().cpu().repeat_interleave(patterns.shape[1] // len(modes.error)) + left_out
        spread = (prior[:count, None].sqrt() * patterns[:count]).T.contiguous()
        return cls(spread, error, (error + spread.square().sum(1)).sqrt())


class Aside(NamedTuple):
    """An observation that is set aside."""

    day: int
    place: int  # in (C, H, W), flat
    residual: float  # the value less what the others say
    deviations: float  # the residual in its own standard deviations


def gross_errors(anomalies: Tensor, observed: Tensor, background: Background, limit: float = LIMIT) -> list[Aside]:
    """Find the observations that the others of their day contradict; of a day at most half, rounded up.

    Args:
        anomalies: (B, C, H, W) from what is expected on the average.
        observed: (B, C, H, W), 1 where a value is observed, else 0.
        background: what is expected.
        limit: of a residual, in standard deviations of the background.

    Returns:
        Those of each day in the order in which they were set aside, each judged without those before it. A value that
        has no others near it is held against the background alone.

    Example:
        >>> modes = Modes(torch.ones(1, 2) / 2**0.5, torch.tensor([2.0]), torch.tensor([0.01]))
        >>> found = gross_errors(torch.tensor([[[[1.0, 9.0]]]]), torch.ones(1, 1, 1, 2), Background.of(modes))
        >>> [(one.place, round(one.residual, 2)) for one in found]
        [(1, 8.01)]
    """
    values, seen = anomalies.flatten(1).double().cpu(), observed.flatten(1).cpu() > 0
    found: list[Aside] = []
    for days in by_places(seen):
        index = seen[days[0]].nonzero()[:, 0]
        if len(index):
            for part in torch.from_numpy(days).split(CHUNK):
                found += _of_places(values[part][:, index], part, index, background, limit)
    return sorted(found, key=lambda one: one.day)


def _of_places(values: Tensor, days: Tensor, index: Tensor, background: Background, limit: float) -> Iterator[Aside]:
    """The gross errors among values (T, p) that were observed at the same places, `index` (p,)."""
    root = background.error[index].rsqrt()
    basis = background.spread[index] * root[:, None]
    for one in contradicted(values * root, basis, posterior(basis), limit):
        yield Aside(int(days[one.day]), int(index[one.place]), one.residual / float(root[one.place]), one.deviations)


def posterior(basis: Tensor) -> Tensor:
    """The covariance (K, K) of scores of variance 1 once they are observed with errors of variance 1, basis (p, K)."""
    whole = basis.T @ basis
    whole.diagonal().add_(1)
    return torch.cholesky_inverse(torch.linalg.cholesky(whole))


def contradicted(scaled: Tensor, basis: Tensor, inner: Tensor, limit: float = LIMIT) -> Iterator[Aside]:
    """Find the values that the others of their day contradict.

    Args:
        scaled: (T, p) values of days at the same places, less what is expected, in units of their errors.
        basis: (p, K) what scores of variance 1 make of them, in these units.
        inner: (K, K) `posterior` of the basis.
        limit: of a residual, in standard deviations of what is expected.

    Yields:
        Those of each day one after the other; days, places and residuals are as in `scaled`.
    """
    weights = basis @ inner
    precision = 1 - (weights * basis).sum(1)  # of S^-1, the diagonal
    solved = scaled - (scaled @ basis) @ weights.T  # S^-1 d
    most = limit * (1 + basis.square().sum(1)).sqrt()
    for day in (solved.abs() > most * precision).any(1).nonzero()[:, 0].tolist():
        double = (each.double() for each in (solved[day], precision, inner, basis, most))
        for place, residual, deviations in _one_by_one(*double):
            yield Aside(day, place, residual, deviations)


def _one_by_one(product: Tensor, precision: Tensor, inner: Tensor, basis: Tensor, most: Tensor
                ) -> Iterator[tuple[int, float, float]]:  # fmt: skip
    """Places, residuals and deviations of the values that are set aside of a day, the least likely one after the other.

    Without the value i, S^-1 is what it was less q q' / q_i, with its column q.
    """
    inner, left = inner.clone(), torch.ones_like(product)
    for _ in range((len(product) + 1) // 2):
        wrong = left * product.abs() > most * precision
        deviations = wrong * product / precision.sqrt()
        place = int(deviations.abs().argmax())
        if not wrong[place]:
            return
        yield place, float(product[place] / precision[place]), float(deviations[place])
        step = inner @ basis[place]
        column = -left * (basis @ step)
        column[place] += 1
        share = column / column[place]
        product, precision = product - share * product[place], precision - share * column
        inner += torch.outer(step, step) / column[place]
        precision[place], left[place] = 1, 0  # it is no more


def checked(given: GivenDays, background: Background | None, normaliser: Normaliser) -> tuple[GivenDays, str]:
    """Set aside the gross errors of days of one's own, of all members, and tell of them as `set_aside`.

    Nothing is where they cannot be told: without modes, or for anomalies of days without dates.
    """
    undated = normaliser.climatology is not None and (given.dates is None or np.isnat(given.dates).any())
    if background is None or undated:
        return given, ""
    days = given.values.reshape(-1, *given.values.shape[-3:])
    each = None if given.dates is None else np.tile(given.dates, len(days) // len(given.dates))
    values, aside = set_aside(days, each, background, normaliser)
    return given._replace(values=values.reshape(given.values.shape)), aside


def set_aside(values: np.ndarray, dates: np.ndarray | None, background: Background, normaliser: Normaliser
              ) -> tuple[np.ndarray, str]:  # fmt: skip
    """Set aside the gross errors of days, and warn of them.

    Args:
        values: (T, C, H, W) in physical units, NaN where nothing was observed.
        dates: (T,) datetime64; None: not known.
        background: what is expected.
        normaliser: the fields that it is expected of.

    Returns:
        The values, those that are set aside as NaN, and JSON of the worst of them as an attribute takes it: a list of
        [variable, date, latitude, longitude, value, what the others say]; "" where there are none.
    """
    anomalies = normaliser.standardise(torch.from_numpy(values).to(normaliser.device), dates)
    found = gross_errors(anomalies.nan_to_num(0), ~anomalies.isnan(), background)
    if not found:
        return values, ""
    kept = values.copy()
    kept.reshape(len(values), -1)[[one.day for one in found], [one.place for one in found]] = np.nan
    return kept, told_of(found, values, int(np.isfinite(values).sum()), dates, normaliser)


def told_of(found: Sequence[Aside], values: np.ndarray, count: int, dates: np.ndarray | None, normaliser: Normaliser
            ) -> str:  # fmt: skip
    """Warn of what is set aside of `count` values (T, C, H, W) in physical units; the JSON that `set_aside` returns."""
    worst = sorted(found, key=lambda one: -abs(one.deviations))
    told = [_told(one, values, dates, normaliser) for one in worst[:LISTED]]
    name, date, latitude, longitude, value, others = told[0]
    on = f"on {date} " if date else ""
    several = f"{len(found)} of {count} observed values are"
    many = "1 observed value is" if len(found) == 1 else several
    kind = "a gross error," if len(found) == 1 else "gross errors, the worst"
    warnings.warn(f"{many} set aside as {kind} {name} {on}at {latitude:g} north, {longitude:g} "
                  f"east, which is {value:g} where the others say {others:g}; quality_control=False leaves all in",
                  stacklevel=4)  # fmt: skip
    return json.dumps(told, separators=(",", ":"))


def _told(one: Aside, values: np.ndarray, dates: np.ndarray | None, normaliser: Normaliser) -> Sequence[str | float]:
    channel, row, column = np.unravel_index(one.place, values.shape[1:])
    value, std = float(values[one.day, channel, row, column]), float(normaliser.std[channel])
    date = "" if dates is None else normaliser.clock.text(dates[one.day])
    north, east = (axis[row, column] for axis in normaliser.domain.places())
    numbers = north, east, value, value - one.residual * std
    return [normaliser.variables[channel], date, *(float(f"{number:.6g}") for number in numbers)]
