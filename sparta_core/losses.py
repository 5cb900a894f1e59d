"""The losses, as pure functions of tensors: the paper's (equations 2 to 9 and 16), and other objectives'."""

import torch
from torch import Tensor
from torch.nn import functional as F

VARIANCE = 1e-4  # beside a feature's, so that its root has a gradient at 0 (VICReg)


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


def supervised_contrast(projections: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Contrast in which all of a label are each other's positives (SupCon: Khosla et al., 2020, equation 2).

    Args:
        projections: (N, D), of which every label has two at least.
        labels: (N,).
        temperature: divides the cosine similarities.

    Returns:
        The mean over the projections of the mean over their positives; NT-Xent where every label occurs twice.

    Example:
        >>> supervised_contrast(torch.eye(2).repeat(2, 1), torch.tensor([0, 1, 0, 1]), 0.3)
        tensor(0.0689)
    """
    alike = (labels[:, None] == labels).to(projections)
    return weighted_contrast(projections, alike, temperature)


def weighted_contrast(projections: Tensor, weights: Tensor, temperature: float) -> Tensor:
    """Contrast in which any may be another's positive, by its weight.

    Args:
        projections: (N, D).
        weights: (N, N) of the pairs, not negative, of each row some above 0; those on the diagonal do not count.
        temperature: divides the cosine similarities.

    Returns:
        The mean over rows of -log softmax, over all others, of the positives' similarities, by their weights.
    """
    own = torch.eye(len(projections), dtype=torch.bool, device=projections.device)
    directions = F.normalize(projections, dim=1)
    similarity = (directions @ directions.T / temperature).masked_fill(own, -torch.inf)
    shares = weights.masked_fill(own, 0)
    logs = similarity.log_softmax(1).masked_fill(own, 0)
    return -((shares * logs).sum(1) / shares.sum(1)).mean()


def barlow_twins(p: Tensor, q: Tensor, weight: float) -> Tensor:
    """How far the cross-correlation of two views' projections is from the identity (Zbontar et al., 2021, equation 1).

    Args:
        p: projections (N, D), centred and scaled over the batch here.
        q: those of the other views.
        weight: of what is off the diagonal.

    Returns:
        The sum of (1 - c_ii)^2 plus `weight` times that of c_ij^2.

    Example:
        >>> p = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> barlow_twins(p, p, 0.01), barlow_twins(p, -p, 0.01)
        (tensor(0.), tensor(8.))
    """
    first, second = ((x - x.mean(0)) / x.std(0, correction=0) for x in (p, q))
    correlation = first.T @ second / len(p)
    diagonal = correlation.diagonal()
    return (1 - diagonal).square().sum() + weight * (correlation.square().sum() - diagonal.square().sum())


def vicreg(p: Tensor, q: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """Variance, invariance and covariance of two views' projections (Bardes et al., 2022, equation 6).

    Args:
        p: projections (N, D).
        q: those of the other views.
        invariance: weight of their mean squared difference.
        variance: weight of how far features' standard deviations fall short of 1, mean over features.
        covariance: weight of the squared covariances between features, over D; the last two are summed over both views.

    Example:
        >>> p = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> vicreg(p, p, 25.0, 25.0, 1.0), vicreg(p, p + 1, 25.0, 25.0, 1.0)
        (tensor(0.), tensor(25.))
    """
    loss = invariance * F.mse_loss(p, q)
    for x in (p, q):
        apart = x - x.mean(0)
        matrix = apart.T @ apart / (len(x) - 1)
        own = matrix.diagonal()
        short = F.relu(1 - (own + VARIANCE).sqrt()).mean()
        loss = loss + variance * short + covariance * (matrix.square().sum() - own.square().sum()) / len(own)
    return loss


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
