"""Assimilation: the weather from sparse observations, day after day, by filters in the space of the modes' scores.

A background is forecast from the analyses of the days before, and corrected by what is observed of the day (Kalnay,
2003, chapter 5). Kinds of filters differ in how they know the background's errors.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparta_core.settings import Choice
from sparta_core.tasks.assimilation.analysis import Analysis
from sparta_core.tasks.assimilation.system import System


class State(NamedTuple):
    """What a filter knows after a day."""

    past: Tensor  # (N, L, K) the last analyses of its members
    errors: Tensor  # (K, K) what it remembers of errors, each kind in its own way
    age: int  # days of which it remembers them


class Background(NamedTuple):
    """What a filter expects of a day."""

    mean: Tensor  # (K,)
    root: Tensor  # (K, K), which times its transpose is the covariance of the mean's errors
    apart: Tensor  # (N, K) its members, less the mean
    state: State  # that it comes from, what it remembers of errors brought to this day


class Assimilator(Choice, slot="assimilator", default="ensemble"):
    """How a filter knows the errors of its background."""

    def begin(self, system: System, first: Analysis, generator: torch.Generator) -> State:
        """What is known after the first day, of which the climate was the background."""
        raise NotImplementedError

    def background(self, system: System, state: State, date: np.datetime64, generator: torch.Generator) -> Background:
        """What is expected of the day after `date`, of which the state is."""
        raise NotImplementedError

    def proceed(self, system: System, before: Background, analysis: Analysis, generator: torch.Generator) -> State:
        """What is known after a day's analysis."""
        raise NotImplementedError


def climate(system: System) -> Background:
    """What is expected of a day of which nothing is known but its date."""
    nothing = system.variance.new_zeros(0, system.lags, len(system.variance))
    state = State(nothing, system.variance.new_zeros(0, 0), 0)
    return Background(torch.zeros_like(system.variance), system.climate_root, nothing[:, 0], state)
