"""A cycle whose background is always as wrong as it would be in the end: a constant gain where places stay."""

import numpy as np
import torch

from sparta_core.modes import scaled
from sparta_core.tasks.assimilation import Assimilator, Background, State
from sparta_core.tasks.assimilation.analysis import Analysis, Gain
from sparta_core.tasks.assimilation.covariances import root_of
from sparta_core.tasks.assimilation.system import System

ROUNDS = 100
SETTLED = 1e-3  # of the variance, that the last round changed


class Constant(Assimilator, name="constant"):
    """The dynamics forecast the analysis, damped; its covariance is settled on the first day.

    It is what the linear inverse model's would come to if what is observed on the first day were observed every day,
    with the errors of the dynamics: the steady state of the Riccati equation.
    """

    def begin(self, system: System, first: Analysis, generator: torch.Generator) -> State:
        gain, before = first.gain, torch.inf
        for _ in range(ROUNDS):
            covariance = system.forecast(gain.root_after) + system.model_error
            size = float(covariance.trace())
            if abs(size - before) < SETTLED * size:
                break
            before, gain = size, Gain(root_of(covariance), system.patterns, gain.observed)
        return State(first.mean.expand(1, system.lags, -1), gain.root, 1)

    def background(self, system: System, state: State, date: np.datetime64, generator: torch.Generator) -> Background:
        mean = scaled(system.step(state.past, date), system.patterns, system.damping)[0]
        return Background(mean, state.errors, state.past[:0, 0], state)

    def proceed(self, system: System, before: Background, analysis: Analysis, generator: torch.Generator) -> State:
        past = torch.cat([before.state.past[:, 1:], analysis.mean[None, None]], 1)
        return before.state._replace(past=past)
