"""The losses, as pure functions of tensors (paper, equations 2 to 9 and 16)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(p: Tensor, q: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy (paper, equation 4; Chen et al., 2020).

    Every projection has one positive, its partner, and 2N - 2 negatives, the rest of the batch.

    Args:
        p: projections (N, D).
        q: their partners (N, D).
        temperature: divides the cosine similarities.

    Returns:
        The mean over the 2N projections.

    Example:
        >>> p = torch.eye(3)
        >>> nt_xent(p, p, 0.3), nt_xent(p, p.roll(1, 0), 0.3)
        (tensor(0.1334), tensor(3.4667))
    """
    count = len(p)
    directions = F.normalize(torch.cat([p, q]), dim=1)
    similarity = directions @ directions.T / temperature
    similarity = similarity.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=p.device), -torch.inf)
    partner = torch.arange(2 * count, device=p.device).roll(count)
    return F.cross_entropy(similarity, partner)


def cycle_consistency(before: Tensor, now: Tensor, after: Tensor) -> Tensor:
    """Mean squared second difference in time of embeddings (paper, equation 8).

    Args:
        before: embeddings (B, D) at t - d.
        now: at t.
        after: at t + d.

    Returns:
        The mean over the batch and the embedding; 0 on a straight path.

    Example:
        >>> cycle_consistency(torch.zeros(2, 4), torch.ones(2, 4), torch.full((2, 4), 2.0))
        tensor(0.)
    """
    return (after - 2 * now + before).square().mean()


def reconstruction(decoded: Tensor, truth: Tensor) -> Tensor:
    """Sum over variables of the mean squared error (paper, equation 2).

    Args:
        decoded: standardised fields (B, C, H, W).
        truth: the same.

    Returns:
        The loss, in variances of the training days.

    Example:
        >>> reconstruction(torch.zeros(2, 5, 4, 8), torch.ones(2, 5, 4, 8))
        tensor(5.)
    """
    return F.mse_loss(decoded, truth) * truth.shape[1]


def observed_reconstruction(decoded: Tensor, truth: Tensor, observed: Tensor) -> Tensor:
    """`reconstruction` over what was observed of the truth: where `observed` (B, C, H, W) is 1, not 0."""
    return (decoded - truth).square().mul(observed).sum() / observed.sum() * truth.shape[1]
