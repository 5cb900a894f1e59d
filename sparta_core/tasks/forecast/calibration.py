"""Calibration: forecasts of the dynamics are damped as far as they were wrong on the validation days.

What never came true is taken back, so that a forecast ends as the climatology; its ensemble is as wrong as it was
there.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.normaliser import Normaliser
from sparta_core.data.record import Record, spread_over
from sparta_core.errors import DataError
from sparta_core.models.sparta import Sparta
from sparta_core.modes import scaled
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.forecast.latent_dynamics import LAGS, LatentDynamics

STARTS = 120  # forecasts of validation days
ROUNDS = 100
AT_ONCE = 32  # of forecasts


class Calibration(NamedTuple):
    """How right forecasts of validation days were."""

    damping: Tensor  # (L, C) of the forecast anomalies that came true, falling with the lead
    errors: Tensor  # (S, L, E) what the damped forecasts of S days had wrong, as large as their fields' errors


@torch.no_grad()
def damped_forecasts(model: LatentDynamics, calibration: Calibration, normaliser: Normaliser, past: Tensor,
                     dates: np.ndarray, leads: int) -> Tensor:  # fmt: skip
    """Damped embeddings (N, leads, E) after look-backs (N, L, E) that end on dates (N,); 0 beyond the calibration."""
    damping = calibration.damping[:leads]
    near = scaled(_rollouts(model, normaliser, past, dates, len(damping)), model.patterns, damping)
    return torch.cat([near, near.new_zeros(len(past), leads - len(damping), near.shape[2])], 1)


@torch.no_grad()
def members(forecasts: Tensor, measured: Calibration, count: int, generator: torch.Generator) -> Tensor:
    """An ensemble (N, count, leads, E) around damped forecasts (N, leads, E): each plus a random mixture of errors.

    Mixtures of the errors of past forecasts, with normal weights, vary as these do: over the globe, between variables,
    and from lead to lead. Errors of leads beyond the calibration's are those of the last within.
    """
    near = min(forecasts.shape[1], measured.errors.shape[1])
    errors = measured.errors[:, :near]
    shape = (len(forecasts), count, len(errors))
    weights = torch.randn(shape, generator=generator, device=forecasts.device) / len(errors) ** 0.5
    drawn = torch.einsum("nms,sle->nmle", weights, errors)
    far = drawn[:, :, -1:].expand(-1, -1, forecasts.shape[1] - near, -1)
    return forecasts[:, None] + torch.cat([drawn, far], 2)


@torch.no_grad()
def measured(record: Record, model: Sparta, dynamics: LatentDynamics, ratio: float, horizon: int) -> Calibration:
    """Measure it on forecasts of `horizon` leads after look-backs of which a share `ratio` is masked.

    Damping is by regression of what came on what was forecast. DataError where there are too few validation days.
    """
    area = record.cell_area
    past, last_days = _validation_look_backs(record, model, ratio, horizon)
    rollouts = _rollouts(dynamics, record, past, record.dates(last_days), horizon)
    products = torch.zeros(2, horizon, len(record.variables), dtype=torch.float64, device=record.device)
    for day, forecast in zip(last_days, rollouts, strict=True):
        truth = _coming(record, day, horizon)
        fields = dynamics.fields(forecast, truth)
        products += torch.stack([(fields * other * area).sum((2, 3)).double() for other in (truth, fields)])
    share = (products[0] / products[1]).clamp(0, 1).cummin(0).values.float()
    forecasts, errors = scaled(rollouts, dynamics.patterns, share), []
    squares = torch.zeros_like(products[0])
    for day, forecast in zip(last_days, forecasts, strict=True):
        truth = _coming(record, day, horizon)
        errors.append(truth.flatten(1) @ dynamics.patterns.T - forecast)
        squares += ((truth - decode(model, forecast)).square() * area).sum((2, 3)).double()
    return Calibration(share, _as_large(dynamics, torch.stack(errors), squares, record))


def _as_large(model: LatentDynamics, errors: Tensor, squares: Tensor, record: Record) -> Tensor:
    """Errors (S, L, E) of embeddings, made so large that their fields' sums of squares are `squares` (L, C).

    The modes do not hold all of a field's error, and no variable can be scaled in them alone: its modes are the others'
    too. So the sums of squares are kept as quadratic forms of all scales, which are then found in a few rounds.
    """
    grams = _grams(model, record)
    products = sum(_products(one, *grams) for one in errors)
    scale = torch.ones_like(squares)
    for _ in range(ROUNDS):
        large = torch.einsum("lu,lvuw,lw->lv", scale, products, scale)
        scale = scale * (squares / large).sqrt()
    return scaled(errors, model.patterns, scale.to(errors))


def _grams(model: LatentDynamics, record: Record) -> tuple[Tensor, Tensor]:
    """The products (C, E, E) of the modes' fields of each variable, all places alike, and weighted by their area."""
    patterns = model.patterns.unflatten(1, (len(record.variables), -1)).transpose(0, 1)
    return patterns @ patterns.mT, (patterns * record.cell_area.flatten()) @ patterns.mT


def _products(errors: Tensor, alike: Tensor, weighted: Tensor) -> Tensor:
    """Of errors (L, E), over the globe, the products (L, C, C, C) in each variable's field of what two make there.

    What a variable makes are the fields of the modes that its own error is made of. By the products of modes `_grams`.
    """
    made = (errors @ alike).transpose(0, 1)
    return torch.einsum("luvf,lwf->lvuw", torch.einsum("lue,vef->luvf", made, weighted), made).double()


def _validation_look_backs(record: Record, model: Sparta, ratio: float, horizon: int) -> tuple[Tensor, Tensor]:
    """Embeddings (S, LAGS, E) of validation days, evenly spaced, and the last of each (S,) in the record."""
    days, device = record.splits["validation"], record.device
    count = len(days) - LAGS - horizon + 1
    if count < 2:
        raise DataError(f"the validation days are {len(days)}, too few for look-backs of {LAGS} days and {horizon} "
                        "leads; use more days, or a shorter calibration_horizon")
    starts = spread_over(range(count), STARTS, device)
    generator = torch.Generator(device).manual_seed(model.experiment.seed + 1)
    rows, place = (starts[:, None] + torch.arange(LAGS, device=device)).unique(return_inverse=True)
    embeddings = embed(model, record.split("validation")[rows], ratio, generator)
    return embeddings[place], days.start + starts + LAGS - 1


def _coming(record: Record, day: Tensor, horizon: int) -> Tensor:
    """The days after a day of the record, (horizon, C, H, W)."""
    return record.take(slice(int(day) + 1, int(day) + 1 + horizon)).values


def _rollouts(model: LatentDynamics, normaliser: Normaliser, past: Tensor, dates: np.ndarray, leads: int) -> Tensor:
    """What the dynamics make of look-backs (N, L, E) that end on dates (N,), (N, leads, E)."""
    starts = range(0, len(past), AT_ONCE)
    climatologies = (normaliser.climatology_ahead(dates[first : first + AT_ONCE], leads) for first in starts)
    return torch.cat(list(map(model, past[:, -LAGS:].split(AT_ONCE), climatologies)))
