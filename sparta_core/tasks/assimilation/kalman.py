"""The Kalman filter of the linear inverse model: what a filter can do without anything learned (Penland, 1989)."""

import numpy as np
import torch

from sparta_core.tasks.assimilation import Assimilator, Background, State
from sparta_core.tasks.assimilation.analysis import Analysis
from sparta_core.tasks.assimilation.covariances import root_of
from sparta_core.tasks.assimilation.system import System


class Kalman(Assimilator, name="kalman"):
    """The linear inverse model forecasts the analysis and its covariance."""

    def begin(self, system: System, first: Analysis, generator: torch.Generator) -> State:
        return _state(first)

    def background(self, system: System, state: State, date: np.datetime64, generator: torch.Generator) -> Background:
        covariance = system.forecast(state.errors) + system.linear_error
        return Background(state.past[0, -1] @ system.linear, root_of(covariance), state.past[:0, 0], state)

    def proceed(self, system: System, before: Background, analysis: Analysis, generator: torch.Generator) -> State:
        return _state(analysis)


def _state(analysis: Analysis) -> State:
    """The analysis, and the root of its covariance."""
    return State(analysis.mean[None, None], analysis.gain.root_after, 1)
