"""Optimal interpolation: the scores of modes that are most likely given what is observed (Kalnay, 2003, section 5.4).

With the modes B (D, K) in units of prior over error standard deviations and d the observed values in units of the
latter, they are x of (1 + B'B) x = B'd over what is observed. Three ways lead there; the cheapest is taken:

- days that are observed at the same places share a Cholesky factor, in the space of modes or of observations;
- a day with few observations is solved in their space, by conjugate gradients: there what the leading modes make of
  the observations is inverted exactly, and what the others add is nearly independent from place to place;
- days with many go through conjugate gradients together, in the space of modes, in the basis in which a whole day's
  observations are as independent as the prior; of values that are missing at random they nearly are.

Both iterations end when the energy of the error, |x - x*|^2 + |B (x - x*)|^2 over what is observed, is a thousandth
or so of K, which is what it is on average between the most likely scores x* and the true ones.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.modes import Modes

MOST_STEPS = 300  # of conjugate gradients
CLOSE = 2e-3  # share of K that may be left of the energy
CLOSE_EVERYWHERE = 4e-3  # the same times the share of places observed, squared: a day's error is larger where none is
DROPPED = 0.7  # share of the days that are solved together, from which on those that are done are left out
LEADING = 0.3  # share of the modes that are inverted exactly in the space of observations
TINY = 1e-30  # keeps 0 / 0 from days of which nothing is observed


class OptimalInterpolation(nn.Module):
    """Values (B, C, H, W) where `observed` (1 or 0) to the most likely scores (B, K) of the modes.

    Minimises |values - fields|^2 / error over what is observed plus |scores|^2 / variance. Under autocast the products
    of days that are solved together are in low precision, their sums are not.
    """

    basis: Tensor  # (C H W, K), in units of prior std over error std
    whole: Tensor  # (K,) what a whole day says of each, rising
    weight: Tensor  # (C H W,) one over the errors' std
    scores: Tensor  # (K, K) from the basis to the modes

    def __init__(self, modes: Modes) -> None:
        super().__init__()
        prior = modes.variance.clamp_min(0).sqrt()
        weight = modes.error.rsqrt().repeat_interleave(modes.patterns.shape[1] // len(modes.error))
        scaled = prior[:, None] * modes.patterns * weight
        whole, vectors = torch.linalg.eigh((scaled @ scaled.T).double())
        made = {"basis": (vectors.T.to(scaled) @ scaled).T.contiguous(), "whole": whole.to(scaled).clamp_min(0),
                "weight": weight, "scores": vectors.T.to(scaled) * prior}  # fmt: skip
        for name, value in made.items():
            self.register_buffer(name, value, persistent=False)  # of the data, not of a training

    @torch.no_grad()
    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        device, observed = values.device.type, observed.flatten(1).float()
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        with torch.autocast(device, enabled=False):
            known = values.flatten(1).float() * observed * self.weight
            return self._solve(known, observed, dtype) @ self.scores

    @torch.no_grad()
    def products(self, values: Tensor, observed: Tensor) -> Tensor:
        """Of R fields a day (B, R, C, H, W), where `observed` (B, C, H, W), the products (B, R, R) over the covariance.

        Of a field with itself -2 log of its density, up to a constant: x' (P' diag(variance) P + error)^-1 x, by
        Woodbury's identity.
        """
        fields, observed = values.flatten(2), observed.flatten(1).float()
        known = fields * observed[:, None] * self.weight
        solved = self._solve(known.flatten(0, 1), observed.repeat_interleave(fields.shape[1], 0), self.basis.dtype)
        return known @ known.mT - (known @ self.basis) @ solved.unflatten(0, known.shape[:2]).mT

    def _solve(self, known: Tensor, observed: Tensor, dtype: torch.dtype) -> Tensor:
        """x (B, K) of days `known` (B, D), 0 where not `observed` (B, D), each in the way that is cheapest for it.

        Those that are solved together take their products with the basis in the precision `dtype`.
        """
        x, together = known.new_empty(len(known), self.basis.shape[1]), []
        for days in by_places(observed):
            places = observed[days[0]].nonzero()[:, 0]
            solve = cheapest(len(days), len(places), self.basis)
            if solve is by_modes:
                together.append(days)
            else:
                x[days] = solve(known[days][:, places], self.basis[places])
        if together:
            days = np.concatenate(together)
            x[days] = by_modes(known[days], observed[days], self.basis.to(dtype), self.whole)
        return x


def by_places(observed: Tensor) -> list[np.ndarray]:
    """The days (B, D) in groups of those that are observed at the same places: the indices of each group, rising.

    Example:
        >>> [days.tolist() for days in by_places(torch.tensor([[1, 0], [0, 1], [1, 0]]))]
        [[1], [0, 2]]
    """
    masks = np.packbits(observed.cpu().numpy() > 0, axis=1)
    _, which, counts = np.unique(masks, axis=0, return_inverse=True, return_counts=True)
    return np.split(np.argsort(which.reshape(-1), kind="stable"), np.cumsum(counts)[:-1])


def cheapest(days: int, places: int, basis: Tensor) -> Callable[..., Tensor]:
    """The way in which so many days that are observed at the same places cost least, where the basis is (D, K).

    Costs are operations as a product of matrices does them, with the steps that random places need. Products with one
    vector are slower, and no faster on several cores; on a GPU no day is solved alone.
    """
    size, count = basis.shape
    share = max(places, 1) / count
    costs: dict[Callable[..., Tensor], float] = {
        by_factor: 2 * share * min(share, 1) * count**3 + 4 * share * count**2 * days,
        by_modes: 200 / share * count * size * days}  # fmt: skip
    if basis.device.type == "cpu":
        alone = (9 + 27 * share) * 16 * share * count**2 * days + 2 * LEADING**2 * share * count**3
        costs[by_observations] = alone * torch.get_num_threads()
    return min(costs, key=costs.__getitem__)


def by_factor(known: Tensor, basis: Tensor) -> Tensor:
    """x (R, K) of R days (R, p) that are observed at the same p places, where the basis is (p, K), by Cholesky."""
    fewer = basis.shape[0] < basis.shape[1]
    inner = basis @ basis.T if fewer else basis.T @ basis
    inner.diagonal().add_(1)
    wanted = known if fewer else known @ basis
    solved = torch.cholesky_solve(wanted.T, torch.linalg.cholesky(inner)).T
    return solved @ basis if fewer else solved


def by_observations(known: Tensor, basis: Tensor) -> Tensor:
    """The same as B' y of (1 + B B') y = d, by conjugate gradients.

    Preconditioned by B B' of the leading modes and the diagonal of the others'. The residual's square bounds the
    energy of the error of x.
    """
    places, count = basis.shape
    others = count - min(int(LEADING * count), places // 2)
    inverse = 1 / (1 + torch.linalg.vecdot(basis[:, :others], basis[:, :others]))  # of the errors and the other modes
    leading = basis[:, others:]
    scaled = leading * inverse[:, None]
    inner = leading.T @ scaled
    inner.diagonal().add_(1)
    factor = torch.linalg.cholesky(inner)

    def eased(rest: Tensor) -> Tensor:
        return rest * inverse - torch.cholesky_solve((rest @ scaled).T, factor).T @ scaled.T

    y, rest, step = torch.zeros_like(known), known, eased(known)
    size = (rest * step).sum(1, keepdim=True)
    for _ in range(MOST_STEPS):
        pushed = step + (step @ basis) @ basis.T
        length = size / (step * pushed).sum(1, keepdim=True).clamp_min(TINY)
        y, rest = y + length * step, rest - length * pushed
        if (rest.square().sum(1) <= CLOSE * count).all():
            break
        better = eased(rest)
        before, size = size, (rest * better).sum(1, keepdim=True)
        step = better + size / before.clamp_min(TINY) * step
    return y @ basis


def by_modes(known: Tensor, observed: Tensor, basis: Tensor, whole: Tensor) -> Tensor:
    """x (B, K) of days (B, D), each `observed` (B, D) at its own places, by conjugate gradients of all at once.

    Preconditioned by what the days would be if as many values were observed of every place. Products with the basis
    are in its precision.
    """
    share, mask = observed.mean(1), observed.T.to(basis.dtype, memory_format=torch.contiguous_format)
    likely, close = 1 / (1 + share * whole[:, None]), CLOSE_EVERYWHERE * share.square() * len(whole)
    rest = (basis.T @ known.T.to(basis)).float()
    x, step = torch.zeros_like(rest), likely * rest
    size = (rest * step).sum(0)  # nearly the energy of the error
    made, days = x.clone(), torch.arange(len(known), device=known.device)
    for _ in range(MOST_STEPS):
        pushed = step + (basis.T @ (basis @ step.to(basis)).mul_(mask)).float()
        length = size / (step * pushed).sum(0).clamp_min(TINY)
        x, rest = x + length * step, rest - length * pushed
        eased = likely * rest
        before, size = size, (rest * eased).sum(0)
        step = eased + size / before.clamp_min(TINY) * step
        going = size > close
        if going.sum() <= DROPPED * len(days):  # as many are done as are worth a copy of the rest
            made[:, days] = x
            days, size, close = (each[going] for each in (days, size, close))
            x, rest, step, likely, mask = (each[:, going] for each in (x, rest, step, likely, mask))
        if not len(days):
            break
    made[:, days] = x
    return made.T
