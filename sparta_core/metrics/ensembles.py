"""Scores of ensembles, per variable: what the paper leaves out of its generative models.

Args of all:
    ensemble: M members for each of N days (N, M, C, H, W), in the variables' units.
    truth: (N, C, H, W).
    area: the grid cells' relative areas (H, W), mean 1.

Returns:
    A score a variable (C,), in float64.

Raises:
    DataError: for values that are not finite, shapes that do not fit and fewer than two members.

Example:
    >>> draws = torch.randn(40, 21, 1, 8, 16, generator=torch.Generator().manual_seed(0))
    >>> ensemble, truth, area = draws[:, :20], draws[:, 20], torch.ones(8, 16)
    >>> [round(float(score(ensemble, truth, area)), 2) for score in (crps, spread_skill)]
    [0.56, 1.02]
    >>> rank_histogram(ensemble, truth, area).shape
    torch.Size([1, 21])
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from sparta_core.errors import DataError
from sparta_core.metrics.checks import area_mean, check_vector, checked

DAYS_AT_ONCE = 16  # bounds memory: float64 and sorted copies of some days only


def crps(ensemble: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """Continuous ranked probability score, in the variables' units: the error of a distribution.

    The fair estimate, mean |x_i - y| - sum |x_i - x_j| / (2 M (M - 1)), does not reward few members
    (Ferro, 2014); of one member without the second term it would be the absolute error.
    """
    total = torch.zeros(truth.shape[1:2], dtype=torch.float64, device=truth.device)
    for members, observed in _chunks(ensemble, truth):
        count = members.shape[1]
        error = (members - observed[:, None]).abs().mean(1)
        # Sorted, the k-th of M members counts 2 k - M - 1 times in the sum of all differences.
        weights = 2 * torch.arange(1, count + 1, device=members.device).double() - count - 1
        ordered = members.sort(dim=1).values
        spread = torch.einsum("nmchw,m->nchw", ordered, weights) / (count * (count - 1))
        total = total + area_mean(error - spread, area).sum(0)
    return total / len(truth)


def spread_skill(ensemble: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """Ensemble spread over the error of its mean: 1 where the ensemble knows how wrong it is, below 1 too sure.

    Spread is the root of the mean variance, times (M + 1) / M for the finite ensemble (Fortin et al., 2014).
    """
    variance = error = torch.zeros(truth.shape[1:2], dtype=torch.float64, device=truth.device)
    for members, observed in _chunks(ensemble, truth):
        count = members.shape[1]
        variance = variance + area_mean(members.var(1) * (count + 1) / count, area).sum(0)
        error = error + area_mean((members.mean(1) - observed).square(), area).sum(0)
    return (variance / error).sqrt()


def rank_histogram(ensemble: Tensor, truth: Tensor, area: Tensor) -> Tensor:
    """How often the truth has each rank among the members, (C, M + 1), rows sum to 1, weighted by area.

    Flat where truth and members come from one distribution; a U means too little spread. The truth
    stands above members that equal it.
    """
    ranks = ensemble.shape[1] + 1
    check_vector("area", area, truth.shape[-2:])
    weights = area.double()
    histogram = torch.zeros(truth.shape[1], ranks, dtype=torch.float64, device=truth.device)
    for members, observed in _chunks(ensemble, truth):
        rank = (members <= observed[:, None]).sum(1)
        for variable, own in enumerate(rank.unbind(1)):
            histogram[variable] += torch.bincount(own.flatten(), weights.expand_as(own).flatten(), ranks)
    return histogram / histogram.sum(1, keepdim=True)


def _chunks(ensemble: Tensor, truth: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """A few days at once, checked and in float64: members (n, M, C, H, W) and truth (n, C, H, W)."""
    if ensemble.ndim != 5 or ensemble.shape[1] < 2 or (len(ensemble), *ensemble.shape[2:]) != tuple(truth.shape):
        raise DataError(f"an ensemble of shape {tuple(ensemble.shape)} does not fit a truth of shape "
                        f"{tuple(truth.shape)}; it must be (days, two members or more, *the truth's other sizes)")
    for members, observed in zip(ensemble.split(DAYS_AT_ONCE), truth.split(DAYS_AT_ONCE), strict=True):
        members, observed = checked(ensemble=members, truth=observed[:, None].expand_as(members))
        yield members, observed[:, 0]
