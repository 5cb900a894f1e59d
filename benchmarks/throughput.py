"""Days a second of sparse days to fields, on finer and finer grids: cost should grow as the grid, and no faster.

The modes are those of the model that comes with the package, interpolated to each grid; what they leave out is noise,
correlated over as many grid points on each. No timing here depends on more of the weather.
"""

from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.report import Row, amount
from benchmarks.setting import Setting
from benchmarks.timing import Contender, Spread, interleaved, ratio, repeated
from sparta_core.data.clock import Clock
from sparta_core.data.domain import Domain
from sparta_core.loading import load
from sparta_core.modes import Modes
from sparta_core.optimal_interpolation import OptimalInterpolation
from sparta_core.residuals import Residuals, residual_moments
from sparta_core.tasks.assimilation.analysis import Observed
from sparta_core.tasks.assimilation.constant import Constant
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.networks import points
from sparta_core.tasks.assimilation.system import System

GRIDS = ((32, 64), (64, 128), (121, 240))
DENSE = (32, 64)  # on which a dense solve fits the memory
SHARE, DAYS, NOISE_DAYS = 0.3, 8, 40
POINTS_APART = 4.0  # rows of the grid within which residuals are correlated
MODEL_ERROR = 0.2  # of the climate's variance


class World:
    """The package's model on another grid, and days on it."""

    def __init__(self, rows: int, columns: int) -> None:
        model = load().sparta
        assert model.modes is not None
        generator, coarse = torch.Generator().manual_seed(0), model.modes
        channels, own = len(coarse.error), (rows, columns)
        latitude = -90 + 180 / rows * (np.arange(rows) + 0.5)
        self.domain = Domain(latitude, 360 / columns * np.arange(columns))
        maps = coarse.patterns.unflatten(1, (channels, *model.normaliser.grid))
        growth = rows * columns / maps[0, 0].numel()
        self.patterns = F.interpolate(maps, own, mode="bilinear").flatten(1) / growth**0.5
        noise = torch.randn(NOISE_DAYS, channels, *own, generator=generator) * coarse.error.sqrt().view(-1, 1, 1)
        self.reach = POINTS_APART * 20015 / rows  # km
        moments = residual_moments(noise, self.domain.positions().flatten(0, 1), self.reach)
        self.modes = Modes(self.patterns, coarse.variance * growth, coarse.error, *moments)
        scores = torch.randn(DAYS, len(self.patterns), generator=generator) * self.modes.variance.clamp_min(0).sqrt()
        self.values = (scores @ self.patterns).unflatten(1, (channels, *own)) + noise[:DAYS]
        self.observed = (torch.rand(self.values.shape, generator=generator) < SHARE).float()
        self.interpolation = OptimalInterpolation(self.modes)

    @cached_property
    def residuals(self) -> Residuals:
        return Residuals(self.modes, self.domain.positions(), self.reach)

    def reconstruct(self) -> Tensor:
        """DAYS days, each observed at places of its own."""
        fields = (self.interpolation(self.values, self.observed) @ self.patterns).view_as(self.values)
        return self.residuals.corrected(fields, self.values, self.observed)

    def solve_densely(self) -> Tensor:
        """The same days in the space of observations, without modes' help: a matrix of all pairs for each day."""
        made = []
        error = self.modes.error.repeat_interleave(self.values[0, 0].numel())
        for day, seen in zip(self.values.flatten(1), self.observed.flatten(1), strict=True):
            places = seen.nonzero()[:, 0]
            there = self.patterns[:, places]
            scaled = self.modes.variance.clamp_min(0)[:, None] * there
            inner = there.T @ scaled + torch.diag(error[places])
            solved = torch.cholesky_solve(day[places, None], torch.linalg.cholesky(inner))[:, 0]
            made.append((scaled @ solved) @ self.patterns)
        return torch.stack(made)

    def assimilate(self) -> Callable[[], object]:
        """What analyses a day more, from the same points every day, with the constant covariance."""
        variance = self.modes.variance.clamp_min(1e-6)
        channels, persists = len(self.modes.error), 0.9 * torch.eye(len(variance))
        errors = torch.diag(MODEL_ERROR * variance)
        system = System(self.patterns, variance, self.residuals, lambda past, date: past[:, -1] @ persists, 3, persists,
                        errors, errors, torch.ones(channels), torch.ones(channels),
                        torch.ones(1, self.values[0, 0].numel()))  # fmt: skip
        cycle, places = Cycle(system, Constant(), Clock()), points(self.domain, channels, np.random.default_rng(0))
        days = iter(np.datetime64("2001-01-01", "s") + np.arange(10**6) * np.timedelta64(1, "D"))

        def a_day() -> object:
            values = self.values[0].flatten()[places]
            analysis = cycle.analyse(Observed(values, places, system.error[places]), next(days))
            return analysis.fields(system), analysis.variance(system)

        a_day()  # settles the covariance
        return a_day


def throughput(setting: Setting) -> Iterator[Row]:
    """On each grid with one thread and with all, beside a dense solve where that fits; the cost of more grid points."""
    if setting.device != "cpu":
        return  # where it is a matter of threads
    threads, before = torch.get_num_threads(), (0, 0.0)
    for grid in GRIDS:
        world, size, where = World(*grid), grid[0] * grid[1], f"{grid[0]} x {grid[1]}"
        world.reconstruct()
        contenders = {"ours": Contender(repeated(world.reconstruct), DAYS),
                      "cycle": Contender(repeated(world.assimilate(), DAYS), DAYS)}  # fmt: skip
        if grid == DENSE:
            contenders["dense"] = Contender(repeated(world.solve_densely), DAYS)
        alone = 0.0
        for count in dict.fromkeys((1, threads)):
            torch.set_num_threads(count)
            found = interleaved(contenders, "cpu", setting.rounds)
            speed = {name: f"{amount(1 / Spread.of(own).median)} days/s" for name, own in found.items()}
            alone = alone or Spread.of(found["ours"]).median
            beside = (f"{speed['dense']}, dense solve", ratio(found["dense"], found["ours"])) if grid == DENSE else ()
            yield Row(f"reconstruct from {SHARE:.0%} of {where}, threads: {count}", speed["ours"], *beside)
            yield Row(f"assimilate {where} from 150 points, threads: {count}", speed["cycle"])
        torch.set_num_threads(threads)
        if before[0]:
            grown, points_grown = alone / before[1], size / before[0]
            yield Row(f"time of a day for {amount(points_grown)} times the points", f"{amount(grown)} times",
                      "as the points", Spread.of([grown / points_grown]))  # fmt: skip
        before = size, alone
