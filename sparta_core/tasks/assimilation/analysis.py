"""The analysis of a day: a background, corrected by what is observed in proportion to how wrong both may be.

With L L' the covariance of the background's errors in the modes' scores, H the modes at the observed places, R the
observations' error variances and U = R^-1/2 H' L, the gain is L (1 + U'U)^-1 U' R^-1/2, and the covariance of the
analysis L (1 + U'U)^-1 L': the Kalman filter's (1960), by Woodbury's identity.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from sparta_core.observe.quality import contradicted, posterior
from sparta_core.residuals import Weights
from sparta_core.tasks.assimilation.system import System


@dataclass(frozen=True, eq=False)
class Observed:
    """What is observed of a day."""

    values: Tensor  # (p,) anomalies
    places: Tensor  # (p,) in a day (C, H, W), flat
    variance: Tensor  # (p,) of their errors, of the instruments' and of what the modes do not hold

    def __getitem__(self, kept: Tensor | slice) -> "Observed":
        return Observed(self.values[kept], self.places[kept], self.variance[kept])

    def alike(self, other: "Observed") -> bool:
        """Whether the other is of the same places, with the same errors."""
        return torch.equal(self.places, other.places) and torch.equal(self.variance, other.variance)


class Gain:
    """What observations at some places say of the scores.

    Args:
        root: (K, K) L.
        patterns: (K, D) the modes.
        observed: Places and errors; the values do not matter.
    """

    def __init__(self, root: Tensor, patterns: Tensor, observed: Observed) -> None:
        self.root, self.observed = root, observed
        self.at_places = patterns[:, observed.places]
        self.scale = observed.variance.rsqrt()
        self.basis = (root.T @ self.at_places).T * self.scale[:, None]
        self.inner = posterior(self.basis)

    def increments(self, departures: Tensor) -> Tensor:
        """The corrections (N, K) of scores that departures (N, p) of observations from them ask for."""
        return (departures * self.scale @ self.basis) @ self.inner @ self.root.T

    @cached_property
    def root_after(self) -> Tensor:
        """(K, K), which times its transpose is the covariance of the analysis."""
        return self.root @ torch.linalg.cholesky(self.inner.double()).to(self.root)

    def gross_errors(self, departures: Tensor) -> list[tuple[int, float, float]]:
        """Those of departures (p,) that the others contradict, as `observe.quality` judges.

        Returns:
            Of each the place in p, how far it is from what the others say, and in standard deviations of that.
        """
        found = contradicted((departures * self.scale)[None], self.basis, self.inner)
        return [(one.place, one.residual / float(self.scale[one.place]), one.deviations) for one in found]


class Analysis(NamedTuple):
    """A day's analysis, and how it came about."""

    mean: Tensor  # (K,) scores
    background: Tensor  # (K,)
    departures: Tensor  # (p,) observed values less the background
    gain: Gain
    apart: Tensor  # (N, K) members after it, less the mean; none of kinds that have none
    aside: list[tuple[int, float, float]]  # places in the day of what was set aside, and how far from the others it is

    def fields(self, system: System) -> Tensor:
        """Its fields (D,): what the modes hold, and what observations have left of themselves nearby."""
        moved = (self.background - self.mean) @ system.patterns[:, self.gain.observed.places]
        return self.mean @ system.patterns + self._rest(system).increments((self.departures + moved)[None])[0]

    def variance(self, system: System) -> Tensor:
        """The variance (D,) of the errors of its fields, of what the modes hold and of the rest.

        Of the former as much as what observations have left of themselves does not correct along with the latter.
        """
        rest, said = self._rest(system), self._said(system)
        left = said - rest.increments(said[:, self.gain.observed.places])
        return left.square().sum(0) * self._larger(system, said) + system.error * (1 - rest.known)

    def held(self, system: System) -> Tensor:
        """The variance (D,) of the errors of what the modes hold, as they hold it.

        Where there are members it is as large as theirs, variable by variable, and by as much larger or smaller as
        was found on validation days: the gain takes its background's covariance for the true one, and these do not.
        """
        said = self._said(system)
        return said.square().sum(0) * self._larger(system, said)

    def _said(self, system: System) -> Tensor:
        """Fields (K, D) whose squares, summed, are what the gain says."""
        return self.gain.root_after.T @ system.patterns

    def _larger(self, system: System, said: Tensor) -> Tensor:
        """How much larger (D,) the members say that it is, by what was found."""
        if not len(self.apart):
            return torch.ones_like(system.error)
        theirs = (self.apart @ system.patterns).square().sum(0) / (len(self.apart) - 1)
        size, wanted = (fields.unflatten(-1, (len(system.spread), -1)).mean(1)
                        for fields in (said.square().sum(0), theirs))  # fmt: skip
        larger = system.spread.square() * wanted / size
        return larger.repeat_interleave(len(theirs) // len(larger))

    def _rest(self, system: System) -> Weights:
        observed = self.gain.observed
        return system.residuals.weights(observed.places, observed.variance - system.error[observed.places])
