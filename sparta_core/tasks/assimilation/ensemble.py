"""An ensemble of cycles: members that differ in their observations' errors and in the model's, as the truth does.

Burgers et al. (1998). A dozen members say how large errors are today, many days together what they look like: the
background's covariance is what the members' have been in the last weeks, damped with distance and as large as
today's, and that of the model's errors.
"""

from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sparta_core.modes import scaled
from sparta_core.settings import LARGEST, setting
from sparta_core.tasks.assimilation import Assimilator, Background, State
from sparta_core.tasks.assimilation.analysis import Analysis
from sparta_core.tasks.assimilation.covariances import centred, localised, root_of
from sparta_core.tasks.assimilation.system import System

MEMORY = 30  # days over which the members' covariance is averaged
FIRST = 5  # days that the covariance of the beginning, which is the linear inverse model's, counts as


class Ensemble(Assimilator, name="ensemble"):
    """Members, each of which cycles."""

    assimilation_members: Annotated[int, Field(ge=2, lt=LARGEST)] = setting(
        12, "of the ensemble that assimilates", trains=False)

    def begin(self, system: System, first: Analysis, generator: torch.Generator) -> State:
        after = first.gain.root_after
        drawn = centred(self.assimilation_members, len(after), after, generator) @ after.T
        past = (first.mean + drawn)[:, None].expand(-1, system.lags, -1)
        return State(past, system.forecast(after), FIRST)

    def background(self, system: System, state: State, date: np.datetime64, generator: torch.Generator) -> Background:
        members = system.step(state.past, date)
        mean, count = members.mean(0), len(members)
        apart = members - mean
        mean = scaled(mean[None], system.patterns, _shares(system, mean, apart))[0]
        age = min(state.age + 1, MEMORY)
        today = localised(apart / (count - 1) ** 0.5, system.patterns, system.factors)
        memory = state.errors + (today - state.errors) / age
        spread = apart.square().sum() / (count - 1)
        root = root_of(memory * (spread / memory.trace()) + system.model_error)
        drawn = centred(count, len(mean), mean, generator) @ system.model_error_root.T
        return Background(mean, root, apart + drawn, State(state.past, memory, age))

    def proceed(self, system: System, before: Background, analysis: Analysis, generator: torch.Generator) -> State:
        gain, apart = analysis.gain, before.apart
        errors = centred(len(apart), len(gain.scale), apart, generator) / gain.scale
        after = analysis.mean + apart + gain.increments(errors - apart @ gain.at_places)
        return before.state._replace(past=torch.cat([before.state.past[:, 1:], after[:, None]], 1))


def _shares(system: System, mean: Tensor, apart: Tensor) -> Tensor:
    """Of the mean of members the share (C,) that is no chance: its square less that of the mean of as many draws.

    Long without observations members have nothing in common, and the mean of a dozen would be worse than the climate.
    """
    squares = (torch.cat([mean[None], apart]) @ system.patterns).unflatten(1, (len(system.spread), -1)).square().mean(2)
    chance = squares[1:].sum(0) / (len(apart) - 1) / len(apart)
    return (1 - chance / squares[0]).clamp_min(0)
