"""Modes: the leading patterns in which days vary, for linear methods and as the start of a model."""

from typing import NamedTuple

import torch
from torch import Tensor

EARTH_RADIUS = 6371.0  # km, the unit of lengths
RANK = 1e-6  # of the leading eigenvalue: below it float32 days carry no signal
SWEEPS, SPARE = 3, 0.2  # of the subspace iteration, and the share of patterns beside those asked for


class Modes(NamedTuple):
    """Patterns of anomalies, their variances, and what they leave unexplained: what optimal interpolation needs."""

    patterns: Tensor  # (K, C H W), orthonormal rows
    variance: Tensor  # (K,) of the days' scores
    error: Tensor  # (C,) mean square of the rest


def eofs(x: Tensor, count: int) -> Tensor:
    """The leading empirical orthogonal functions of x (T, D), at most `count`: orthonormal rows (K, D).

    From the smaller of the two Gram matrices, in float64; directions in which x does not vary are left out.
    """
    tall = x.shape[0] >= x.shape[1]
    values, vectors = torch.linalg.eigh((x.T @ x if tall else x @ x.T).double())
    kept = min(count, int((values > RANK * values[-1]).sum()))
    first = len(values) - kept
    values, vectors = values[first:].flip(0), vectors[:, first:].flip(1)
    return vectors.T.to(x) if tall else (vectors / values.sqrt()).T.to(x) @ x


def localised_eofs(x: Tensor, count: int, places: Tensor, length: float) -> tuple[Tensor, Tensor]:
    """Leading eigenvectors (K, D) and eigenvalues (K,) of the covariance of x (T, D), damped with distance.

    The sample's times exp(-(d / length)**2 / 2), d the chord between `places` (N, 3), of which D is a multiple: far
    correlations in a few thousand days are chance (Houtekamer and Mitchell, 2001). By subspace iteration from the EOFs.
    """
    size = x.shape[1]
    taper = torch.exp(-(torch.cdist(places, places) / length).square() / 2).to(x)
    covariance = x.T @ x / len(x)
    for rows in covariance.split(len(places)):
        rows.view(len(places), -1, len(places)).mul_(taper[:, None])
    start = eofs(x, min(size, count + int(SPARE * count)))
    noise = torch.randn(min(size, count + int(SPARE * count)) - len(start), size,
                        generator=torch.Generator().manual_seed(0)).to(x)  # fmt: skip
    basis = torch.linalg.qr(torch.cat([start, noise]).T).Q
    for _ in range(SWEEPS):
        basis = torch.linalg.qr(covariance @ basis).Q
    values, vectors = torch.linalg.eigh((basis.T @ (covariance @ basis)).double())
    return (basis @ vectors.flip(1)[:, :count].to(x)).T.contiguous(), values.flip(0)[:count].to(x)


def inverse_step(days: Tensor, ridge: float) -> Tensor:
    """The step (K, K) that takes days (T, K) into those after them best: a linear inverse model (Penland, 1989).

    By regression in float64, with `ridge` of the mean variance of a component on the diagonal.
    """
    today, tomorrow = days[:-1].double(), days[1:].double()
    gram = today.T @ today
    weight = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram + weight, today.T @ tomorrow).to(days)
