"""The cycle: from day to day a background, what is observed, an analysis; its state can be kept and taken up again."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.clock import Clock
from sparta_core.errors import DataError
from sparta_core.tasks.assimilation import Assimilator, Background, State, climate
from sparta_core.tasks.assimilation.analysis import Analysis, Gain, Observed
from sparta_core.tasks.assimilation.system import System
from sparta_core.tensors import Tensors


class Cycle:
    """A filter on its way from day to day.

    Args:
        system: The weather as it knows it.
        assimilator: The kind of filter.
        clock: Of the days.
        seed: Of its draws.
        quality_control: Whether observations that the others and the background contradict are set aside.

    Example:
        cycle = Cycle(system, Ensemble(), Clock())
        analyses = [cycle.analyse(observed, date) for observed, date in days]
    """

    def __init__(self, system: System, assimilator: Assimilator, clock: Clock, seed: int = 0,
                 quality_control: bool = True) -> None:  # fmt: skip
        self.system, self.assimilator, self.clock = system, assimilator, clock
        self.generator = torch.Generator().manual_seed(seed)
        self.quality_control = quality_control
        self.state: State | None = None
        self.date: np.datetime64 | None = None
        self.last: Gain | None = None

    @torch.no_grad()
    def analyse(self, observed: Observed, date: np.datetime64, follows: bool = False) -> Analysis:
        """Analyse a day; those since the last one are gone through without observations.

        Args:
            observed: What is observed of it.
            date: Its date.
            follows: Whether it is the next one by a calendar of its own, whatever the clock says.

        Raises:
            DataError: For a date that is not after the last one's.
        """
        if self.state is None:
            analysis = self._analysis(climate(self.system), observed)
            self.state = self.assimilator.begin(self.system, analysis, self.generator)
        else:
            for _ in range(0 if follows else self._steps_to(date) - 1):
                self._step(observed[:0])
            analysis = self._step(observed)
        self.date = date
        members = self.state.past[:, -1]
        return analysis._replace(apart=members - analysis.mean) if len(members) > 1 else analysis

    def _steps_to(self, date: np.datetime64) -> int:
        assert self.date is not None
        steps = int(self.clock.count(np.array([date]))[0] - self.clock.count(np.array([self.date]))[0])
        if steps < 1:
            raise DataError(f"the cycle has come to {self.clock.text(self.date)}, and the next day is "
                            f"{self.clock.text(date)}; give days after that one, or begin a new cycle")
        return steps

    def _step(self, observed: Observed) -> Analysis:
        """A step of the clock."""
        assert self.state is not None and self.date is not None
        before = self.assimilator.background(self.system, self.state, self.date, self.generator)
        analysis = self._analysis(before, observed)
        self.state = self.assimilator.proceed(self.system, before, analysis, self.generator)
        self.date = self.clock.ahead(np.array([self.date]), 1)[0, 0]
        return analysis

    def _analysis(self, before: Background, observed: Observed) -> Analysis:
        departures = observed.values - before.mean @ self.system.patterns[:, observed.places]
        gain = self._gain(before.root, observed)
        gross = gain.gross_errors(departures) if self.quality_control else []
        aside = [(int(observed.places[place]), far, deviations) for place, far, deviations in gross]
        if gross:
            kept = torch.ones(len(departures), dtype=torch.bool, device=departures.device)
            kept[[place for place, *_ in gross]] = False
            observed, departures = observed[kept], departures[kept]
            gain = self._gain(before.root, observed)
        mean = before.mean + gain.increments(departures[None])[0]
        return Analysis(mean, before.mean, departures, gain, before.apart[:0], aside)

    def _gain(self, root: Tensor, observed: Observed) -> Gain:
        """The gain, the last one where nothing has changed."""
        if self.last is None or self.last.root is not root or not self.last.observed.alike(observed):
            self.last = Gain(root, self.system.patterns, observed)
        return self.last

    def kept(self) -> tuple[Tensors, dict[str, Any]]:
        """What `resume` goes on from with the same bits: tensors, and what is said of them."""
        assert self.state is not None and self.date is not None
        tensors = {"past": self.state.past, "errors": self.state.errors, "draws": self.generator.get_state()}
        date = str(self.date.astype("datetime64[s]"))
        return tensors, {"assimilator": self.assimilator.name, "age": self.state.age, "date": date}

    def resume(self, tensors: Tensors, about: dict[str, Any]) -> None:
        """Go on from what `kept` gave."""
        past, errors = (tensors[name].to(self.system.variance) for name in ("past", "errors"))
        self.state = State(past, errors, about["age"])
        self.generator.set_state(tensors["draws"])
        self.date = np.datetime64(about["date"], "s")
