"""Covariances of scores: their roots, draws from them, and what a few members say of them."""

import torch
from torch import Tensor

UNRELATED = 0.3  # part of a localised covariance that takes the modes as unrelated


def root_of(covariance: Tensor) -> Tensor:
    """The lower triangle (K, K) that times its transpose is a covariance (K, K)."""
    return torch.linalg.cholesky(covariance.double()).to(covariance)


def centred(count: int, size: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Normal numbers (count, size) whose mean over `count` is 0, of the variance 1 as an ensemble estimates it.

    Drawn on the CPU, so that every device draws the same.
    """
    drawn = torch.randn(count, size, generator=generator)
    return (drawn - drawn.mean(0)).to(like)


def localised(apart: Tensor, patterns: Tensor, factors: Tensor) -> Tensor:
    """The covariance of deviations, summed over them, damped with distance.

    The product of each deviation's field and each leading factor of a taper is a deviation of its own (Bishop and
    Hodyss, 2009). A few factors leave some of the chance in far correlations; a part of the covariance takes the modes
    as unrelated, which damps it further.

    Args:
        apart: (N, K) deviations of scores.
        patterns: (K, C P) the modes.
        factors: (J, P) of the taper between P places.

    Returns:
        (K, K).
    """
    fields = (apart @ patterns).unflatten(1, (-1, factors.shape[1]))
    modulated = (fields[:, None] * factors[:, None]).flatten(2).flatten(0, 1)
    members = modulated @ patterns.T
    covariance = (1 - UNRELATED) * (members.T @ members)
    covariance.diagonal().add_(UNRELATED * apart.square().sum(0))
    return covariance
