"""A linear Gaussian world, in which the Kalman filter is exact, in float64."""

from dataclasses import replace

import numpy as np
import torch

from sparta_core.data.clock import Clock
from sparta_core.data.domain import Domain
from sparta_core.modes import Modes
from sparta_core.residuals import Residuals
from sparta_core.tasks.assimilation.analysis import Observed
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.system import System

CHANNELS, PLACES = 2, 6
SIZE, MODES = CHANNELS * PLACES, 4
BEGIN = np.datetime64("2001-01-01", "s")


def system(seed=0, left_out=0.1, **changes):
    """Four modes that turn and decay, each driven by noise of its own; the stationary covariance is the climate's."""
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64)
    patterns = torch.linalg.qr(square).Q[:MODES]
    turn = torch.linalg.qr(square[:MODES, :MODES]).Q
    linear = 0.9 * turn
    noise = torch.diag(torch.tensor([1.0, 0.6, 0.3, 0.2], dtype=torch.float64))
    climate = noise.clone()
    for _ in range(500):
        climate = linear.T @ climate @ linear + noise
    # The climate is told as variances of modes: those of its own principal components.
    variance, vectors = torch.linalg.eigh(climate)
    patterns, linear, noise = vectors.T @ patterns, vectors.T @ linear @ vectors, vectors.T @ noise @ vectors
    made = System(patterns, variance, residuals(torch.as_tensor(left_out)),
                  lambda past, date: past[:, -1] @ linear, 2, linear, noise, noise,
                  torch.ones(CHANNELS, dtype=torch.float64), torch.ones(CHANNELS, dtype=torch.float64),
                  torch.ones(1, PLACES, dtype=torch.float64))  # fmt: skip
    return replace(made, **changes)


def residuals(variance):
    """What the modes leave out, of a variance () or (SIZE,), independent from place to place."""
    modes = Modes(torch.zeros(1, SIZE), torch.zeros(1), torch.zeros(CHANNELS),
                  variance.double().expand(SIZE).clone(), torch.zeros(CHANNELS, 0))  # fmt: skip
    places = Domain(np.zeros(1), np.arange(PLACES) * 60.0).positions().double()
    return Residuals(modes, places, 0.0)


def truth(world, days, seed=1):
    """Scores (days, K) of a world that runs by itself, from its climate."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(days, MODES, generator=generator, dtype=torch.float64)
    now, made = drawn[0] * world.variance.sqrt(), []
    root = torch.linalg.cholesky(world.linear_error)
    for noise in drawn:
        made.append(now)
        now = now @ world.linear + root @ noise
    return torch.stack(made)


def observations(world, scores, places, seed=2):
    """What is observed of days (T, K) at places, with errors as large as what the modes leave out."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(scores), SIZE, generator=generator, dtype=torch.float64)
    fields = scores @ world.patterns + noise * world.error.sqrt()
    index = torch.as_tensor(places)
    return [Observed(day[index], index, world.error[index]) for day in fields]


def cycled(world, kind, days, seed=0, **options):
    """The analyses of days in a row, and the cycle after them."""
    cycle = Cycle(world, kind, Clock(), seed, **options)
    dates = BEGIN + np.arange(len(days)) * np.timedelta64(1, "D")
    return [cycle.analyse(day, date) for day, date in zip(days, dates, strict=True)], cycle
