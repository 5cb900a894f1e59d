"""The losses, as pure functions of tensors (paper, equations 2 to 9 and 16)."""

import torch
from torch import Tensor
from torch.nn import functional as F


def nt_xent(p: Tensor, q: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy of N pairs of projections (N, D); equation 4.

    Every projection has one positive, its partner, and 2N - 2 negatives, the rest of the batch.
    """
    count = len(p)
    directions = F.normalize(torch.cat([p, q]), dim=1)
    similarity = directions @ directions.T / temperature
    similarity = similarity.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=p.device), -torch.inf)
    partner = torch.arange(2 * count, device=p.device).roll(count)
    return F.cross_entropy(similarity, partner)


def cycle_consistency(before: Tensor, now: Tensor, after: Tensor) -> Tensor:
    """Mean squared second difference of embeddings (B, D) at t-d, t and t+d; equation 8."""
    return (after - 2 * now + before).square().mean()


def reconstruction(decoded: Tensor, truth: Tensor) -> Tensor:
    """Sum over variables of the mean squared error of standardised fields (B, C, H, W); equation 2."""
    return F.mse_loss(decoded, truth) * truth.shape[1]


def observed_reconstruction(decoded: Tensor, truth: Tensor, observed: Tensor) -> Tensor:
    """The same over what was observed of the truth: where `observed` (B, C, H, W) is 1, not 0."""
    return (decoded - truth).square().mul(observed).sum() / observed.sum() * truth.shape[1]
