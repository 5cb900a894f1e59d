"""Modes: the leading patterns in which days vary, for linear methods and as the start of a model."""

from typing import NamedTuple

import torch
from torch import Tensor

EARTH_RADIUS = 6371.0  # km, the unit of lengths
RANK = 1e-6  # of the leading eigenvalue: below it float32 days carry no signal


class Modes(NamedTuple):
    """Patterns of anomalies, their variances, and what they leave unexplained: what optimal interpolation needs."""

    patterns: Tensor  # (K, C H W), orthonormal rows
    variance: Tensor  # (K,) of the days' scores
    error: Tensor  # (C,) mean square of the rest
    left_out: Tensor | None = None  # (C H W,) variance of the rest; None where it is not rebuilt
    correlation: Tensor | None = None  # (C, E) of the rest at pairs of places

    def tensors(self) -> dict[str, Tensor]:
        """Those that are there, by name."""
        return {name: x for name, x in self._asdict().items() if x is not None}


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


def scaled(scores: Tensor, patterns: Tensor, shares: Tensor) -> Tensor:
    """Scores (..., K) of fields each variable of which is multiplied with its share, (..., C)."""
    fields = (scores @ patterns).unflatten(-1, (shares.shape[-1], -1)) * shares[..., None]
    return fields.flatten(-2) @ patterns.T


def inverse_step(days: Tensor, ridge: float) -> Tensor:
    """The step (K, K) that takes days (T, K) into those after them best: a linear inverse model (Penland, 1989).

    By regression in float64, with `ridge` of the mean variance of a component on the diagonal.
    """
    today, tomorrow = days[:-1].double(), days[1:].double()
    gram = today.T @ today
    weight = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram + weight, today.T @ tomorrow).to(days)
