"""Our own methods among the peers: single-day optimal interpolation of the model's modes, and the cycle's filters."""

from typing import ClassVar

import numpy as np
import torch

from benchmarks.peers import Method
from benchmarks.peers.archive import Archive, Sparse
from sparta_core.experiment import Experiment
from sparta_core.progress import Told
from sparta_core.tasks.assimilation import Assimilator
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.fitted import TASK, trained_system
from sparta_core.tasks.assimilation.observed import analyses


class Climatology(Method):
    """Says of each day what is usual on its date: no anomaly."""

    title: ClassVar[str] = "climatology"
    cannot: ClassVar[str] = "takes no observations"

    def fit(self, archive: Archive) -> str:
        return f"the harmonics of {len(archive.train):,} training days, which all methods are anomalies from"

    def __call__(self, sparse: Sparse) -> np.ndarray:
        return np.zeros_like(sparse.values)


class Filter(Method):
    """Goes through all days with a kind of assimilator, from some days before the first that is scored.

    Args:
        experiment: Whose model it is; what is missing of it is trained.
    """

    every_day: ClassVar[bool] = True
    kind: ClassVar[str]

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment

    def made_with(self) -> dict[str, str]:
        return {"experiment": self.experiment.digest(TASK)}

    def fit(self, archive: Archive) -> str:
        self.system = trained_system(self.experiment)
        return (f"{len(self.system.patterns):,} modes of {len(archive.train):,} training days, dynamics trained on "
                "them, and their errors on validation days")  # fmt: skip

    @torch.no_grad()
    def __call__(self, sparse: Sparse) -> np.ndarray:
        cycle = Cycle(self.system, Assimilator.kind(self.kind)(), sparse.record.clock, sparse.seed,
                      quality_control=False)  # fmt: skip
        seen = [torch.from_numpy(sparse.places[day]) for day in sparse.days]
        made, told = [], Told(len(sparse.days))
        for day, (_, analysis) in zip(sparse.days, analyses(sparse.record, cycle, sparse.days, seen), strict=True):
            if day in sparse.scored:
                made.append(analysis.fields(self.system).cpu().numpy())
            told(day - sparse.days.start + 1, f"{self.kind}, {sparse.kind}: day {len(made)}/{len(sparse.scored)}")
        return np.stack(made).reshape(sparse.values.shape)


class SingleDayInterpolation(Filter):
    """Optimal interpolation of each day by itself."""

    title: ClassVar[str] = "ours: single-day optimal interpolation"
    cannot: ClassVar[str] = "has no memory"
    kind: ClassVar[str] = "single_day"


class ConstantCovariance(Filter):
    """The cycle whose background is always as wrong as it would be in the end."""

    title: ClassVar[str] = "ours: cycle, constant covariance"
    cannot: ClassVar[str] = "takes the background for as wrong on all days, and needs all days before"
    kind: ClassVar[str] = "constant"


class EnsembleCycle(Filter):
    """The cycle of an ensemble."""

    title: ClassVar[str] = "ours: cycled ensemble"
    cannot: ClassVar[str] = "needs all days before"
    kind: ClassVar[str] = "ensemble"


def ours(experiment: Experiment) -> dict[str, Method]:
    """Our methods by their names."""
    return {"climatology": Climatology(), "single_day": SingleDayInterpolation(experiment),
            "constant": ConstantCovariance(experiment), "ensemble": EnsembleCycle(experiment)}  # fmt: skip
