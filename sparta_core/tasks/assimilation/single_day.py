"""Every day by itself: optimal interpolation from the climatology, which forgets yesterday."""

import numpy as np
import torch

from sparta_core.tasks.assimilation import Assimilator, Background, State, climate
from sparta_core.tasks.assimilation.analysis import Analysis
from sparta_core.tasks.assimilation.system import System


class SingleDay(Assimilator, name="single_day"):
    """No memory: what all others should beat."""

    def begin(self, system: System, first: Analysis, generator: torch.Generator) -> State:
        return climate(system).state

    def background(self, system: System, state: State, date: np.datetime64, generator: torch.Generator) -> Background:
        return climate(system)

    def proceed(self, system: System, before: Background, analysis: Analysis, generator: torch.Generator) -> State:
        return before.state
