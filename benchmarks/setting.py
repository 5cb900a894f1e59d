"""How much is measured on which device, and on which days: noise, because no timing here depends on the weather."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sparta_core.data.days import split_days
from sparta_core.data.domain import Domain
from sparta_core.data.record import Record
from sparta_core.data.variables import UNITS
from sparta_core.experiment import Experiment

YEAR = 365
PAPER_YEARS = 64  # 23,360 days; the paper's record has 23,386
PAPER_GRID = (32, 64)
Grid = tuple[int, int]


@dataclass(frozen=True)
class Setting:
    """Sizes that a device can measure in minutes; `batch` counts samples, a third of which are anchors."""

    device: str
    batch: int = 128
    rounds: int = 5
    repeats: int = 5  # steps in one timing
    pipeline: bool = True  # also time the per-sample loader and step together
    forecast_years: int = PAPER_YEARS
    forecast_batches: int | None = None  # of the per-window epoch; None: all
    conditions: int = 128  # for diffusion, 20 draws each
    diffusion_rounds: int = 2
    grid_batch: int = 24  # samples where grids of different sizes are compared

    @property
    def anchors(self) -> int:
        return self.batch // 3

    @property
    def workers(self) -> int:
        """One per core that this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def experiment(self, **changes: Any) -> Experiment:
        """The paper's experiment, with this setting's batch."""
        sizes = {"data": "bundled", "device": self.device, "batch_size": self.batch}
        return Experiment.from_preset("paper", **(sizes | changes))

    def describe(self) -> str:
        """What differs from the paper's sizes."""
        if self == Setting(self.device):
            return "the paper's sizes"
        return (f"smaller than the paper: steps of {self.batch // 3 * 3} samples (paper: 126), forecasts on "
                f"{self.forecast_years} years of days (64), {self.conditions} conditions for diffusion (128)")


def setting_for(device: str) -> Setting:
    """Full size on a GPU; a tenth of the paper's batch and short records elsewhere."""
    if device == "cuda":
        return Setting(device)
    return Setting(device, batch=12, rounds=3, repeats=1, pipeline=False, forecast_years=10, forecast_batches=1,
                   conditions=1, diffusion_rounds=1, grid_batch=6)  # fmt: skip


def noise_record(experiment: Experiment, years: int = PAPER_YEARS, grid: Grid = PAPER_GRID) -> Record:
    """`years` of standardised noise on `grid`, one year of it repeated, on the experiment's device."""
    device, channels = experiment.device, len(experiment.variables)
    generator = torch.Generator(device).manual_seed(experiment.seed)
    year = torch.randn(YEAR, channels, *grid, generator=generator, device=device)
    days = years * YEAR
    rows, columns = grid
    return Record(
        domain=Domain(-90 + 180 / rows * (np.arange(rows) + 0.5), 360 / columns * np.arange(columns)),
        variables=experiment.variables, units=tuple(UNITS[name] for name in experiment.variables),
        level=experiment.level, mean=torch.zeros(channels, device=device), std=torch.ones(channels, device=device),
        source="noise", values=year.repeat(years, 1, 1, 1),
        time=np.datetime64("1959-01-01", "D") + np.arange(days),
        splits=split_days(days, experiment.split, experiment.downstream_split))  # fmt: skip
