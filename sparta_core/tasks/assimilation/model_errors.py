"""How wrong the dynamics are from one day to the next, and what filters make of it: found once, kept with the model.

Errors are those of steps from whole training days. They are as large as those on validation days, variable by variable:
what was trained on a day forecasts it too well. Over which distance covariances are believed, and how much larger the
errors are in a cycle, is found by cycling validation days that are observed at a few places.
"""

import math
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from sparta_core.data.normaliser import Normaliser
from sparta_core.data.record import Record
from sparta_core.localised import taper_factors
from sparta_core.modes import EARTH_RADIUS, scaled
from sparta_core.tasks.assimilation.covariances import localised
from sparta_core.tasks.embeddings import CHUNK
from sparta_core.tasks.forecast.latent_dynamics import LatentDynamics

FACTORS = 30  # leading ones of a taper
MOST = 1000  # of a taper's factors
AT_ONCE = 64  # days


class ModelErrors(NamedTuple):
    """What a filter must know of a model besides its modes and dynamics."""

    model_error: Tensor  # (K, K) covariance of what is wrong with a step of the dynamics
    linear_error: Tensor  # (K, K) of the linear inverse model
    damping: Tensor  # (C,) share of forecast anomalies that come true a step ahead
    length: Tensor  # () km, of the taper
    inflation: Tensor  # () of the dynamics' errors
    spread: Tensor  # (C,) errors of analyses over what the members of an ensemble say, of what the modes hold


@torch.no_grad()
def step_errors(record: Record, dynamics: LatentDynamics) -> tuple[Tensor, Tensor]:
    """What is wrong with steps of the dynamics, and of the linear inverse model, from whole training days.

    Returns:
        Deviations (N, K) each, whose products summed over N are the covariance: at most K of them, and as large as what
        is wrong on validation days.
    """
    parts = [_step_errors(record, dynamics, part) for part in ("train", "validation")]
    patterns, count = dynamics.patterns, len(record.variables)

    def sizes(errors: Tensor) -> Tensor:
        return (errors @ patterns).unflatten(1, (count, -1)).square().mean((0, 2)).sqrt()

    made = []
    for trained, held_out in zip(*parts, strict=True):
        errors = scaled(trained, patterns, sizes(held_out) / sizes(trained)) / math.sqrt(len(trained))
        made.append(torch.linalg.qr(errors, mode="r").R)
    return made[0], made[1]


def _step_errors(record: Record, dynamics: LatentDynamics, part: str) -> tuple[Tensor, Tensor]:
    """What is wrong with steps from a part's whole days (T, K)."""
    days, lags, first = record.split(part), dynamics.lags, record.splits[part].start
    whole = torch.cat([some.values.flatten(1) @ dynamics.patterns.T for some in days.split(CHUNK)])
    errors = []
    for starts in torch.arange(len(whole) - lags, device=whole.device).split(AT_ONCE):
        past = whole[starts[:, None] + torch.arange(lags, device=whole.device)]
        coming = record.climatology_ahead(record.dates(starts + first + lags - 1), 1)
        errors.append(whole[starts + lags] - dynamics(past, coming)[:, 0])
    return torch.cat(errors), whole[lags:] - whole[lags - 1 : -1] @ dynamics.step


def covariance_of(errors: Tensor, patterns: Tensor, factors: Tensor) -> Tensor:
    """The localised covariance (K, K) of many deviations (N, K), some at a time."""
    return reduce(torch.add, (localised(some, patterns, factors) for some in errors.split(AT_ONCE)))


def taper_of(normaliser: Normaliser, length: float) -> Tensor:
    """The leading factors (J, P) of the taper over `length` km between a day's places, scaled to be 1 at each."""
    factors = taper_factors(normaliser.domain.positions().flatten(0, 1), length / EARTH_RADIUS, MOST)
    assert factors is not None
    leading = factors[:FACTORS].float().to(normaliser.device)
    return leading / leading.square().sum(0).sqrt()
