"""The weather as filters know it: modes of a model, its dynamics, and how wrong these are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sparta_core.residuals import Residuals
from sparta_core.tasks.assimilation.covariances import root_of


@dataclass(frozen=True)
class System:
    """A system in the space of K scores of modes, whose fields have D = C P values: variables by places.

    Args:
        patterns: (K, D) the modes, orthonormal rows.
        variance: (K,) of their scores in the climate.
        residuals: What is known of that which no mode holds.
        step: Makes of the last days of N members (N, L, K), which end on a date, those of the day after (N, K).
        lags: L, how many days it takes.
        linear: (K, K) the linear inverse model: tomorrow = today @ linear.
        model_error: (K, K) covariance of what is wrong with a step from days that are known.
        linear_error: (K, K) the same of the linear inverse model.
        damping: (C,) share of a forecast's anomalies that come true a step ahead.
        spread: (C,) errors of analyses over what the members of an ensemble say, of what the modes hold.
        factors: (J, P) of the taper, as `localised` takes them.
    """

    patterns: Tensor
    variance: Tensor
    residuals: Residuals
    step: Callable[[Tensor, np.datetime64], Tensor]
    lags: int
    linear: Tensor
    model_error: Tensor
    linear_error: Tensor
    damping: Tensor
    spread: Tensor
    factors: Tensor

    @property
    def error(self) -> Tensor:
        """(D,) variance of what no mode holds."""
        return self.residuals.variance

    @cached_property
    def climate_root(self) -> Tensor:
        """(K, K), which times its transpose is the climate's covariance."""
        return torch.diag(self.variance.clamp_min(0).sqrt())

    @cached_property
    def model_error_root(self) -> Tensor:
        """(K, K), which times its transpose is the covariance of the model's errors."""
        return root_of(self.model_error)

    def forecast(self, root: Tensor) -> Tensor:
        """What the linear inverse model makes (K, K) of the covariance root @ root.T of errors a step before."""
        moved = self.linear.T @ root
        return moved @ moved.T
