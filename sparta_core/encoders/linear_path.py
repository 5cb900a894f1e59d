"""A linear path beside the network: optimal interpolation into the embedding, and the modes back out of it.

The embedding starts as the scores of the modes that are most likely given what is observed (Kalnay, 2003, section
5.4), and the decoder as their sum; the networks learn what that leaves, from nothing (ReZero: Bachlechner, 2021).
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.modes import Modes
from sparta_core.observe import NATIVE
from sparta_core.settings import Amount, Section, setting

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment

MOST_STEPS, CLOSE = 60, 2e-3  # of the conjugate gradients, and the share of the first error at which they end
TINY = 1e-30  # keeps 0 / 0 from days of which nothing is observed


class LinearPath(Section):
    linear_path: bool = setting(False, "start the embedding as optimal interpolation, and the decoder as modes")
    localisation: Amount = setting(8000.0, "length over which the linear path believes in covariances; 0: any", "km")

    def used(self) -> dict[str, Any]:
        return super().used() if self.linear_path else {"linear_path": False}

    def check(self, experiment: "Experiment") -> None:
        in_place = NATIVE[experiment.mask_grid] and experiment.crop_from in (None, experiment.view_size)
        if self.linear_path and not (experiment.mask_input and in_place and experiment.smoothing == 1):
            raise ExperimentError("linear_path needs values at their places and what is observed: set mask_input=True, "
                                  "mask_grid='native', crop_from to view_size and smoothing=1")


class OptimalInterpolation(nn.Module):
    """Values (B, C, H, W) where `observed` (1 or 0) to the most likely scores (B, K) of the modes.

    Minimises |values - fields|^2 / error over what is observed plus |scores|^2 / variance, by conjugate gradients, in
    the basis in which the observations of a whole day are as independent as the prior; of values that are missing at
    random they nearly are. Under autocast its products are in low precision, its sums are not.
    """

    basis: Tensor  # (K, C H W), in units of prior std over error std
    whole: Tensor  # (K,) what a whole day says of each
    weight: Tensor  # (C H W,) one over the errors' std
    scores: Tensor  # (K, K) from the basis to the modes

    def __init__(self, modes: Modes) -> None:
        super().__init__()
        prior = modes.variance.clamp_min(0).sqrt()
        weight = modes.error.rsqrt().repeat_interleave(modes.patterns.shape[1] // len(modes.error))
        scaled = prior[:, None] * modes.patterns * weight
        whole, vectors = torch.linalg.eigh((scaled @ scaled.T).double())
        made = {"basis": vectors.T.to(scaled) @ scaled, "whole": whole.to(scaled), "weight": weight,
                "scores": vectors.T.to(scaled) * prior}  # fmt: skip
        for name, value in made.items():
            self.register_buffer(name, value, persistent=False)  # of the data, not of a training

    @torch.no_grad()
    def forward(self, values: Tensor, observed: Tensor) -> Tensor:
        device, observed = values.device.type, observed.flatten(1).float()
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        with torch.autocast(device, enabled=False):
            basis = self.basis.to(dtype)
            known = (values.flatten(1).float() * observed * self.weight).to(dtype)
            return self._solve((known @ basis.T).float(), observed, basis) @ self.scores

    @torch.no_grad()
    def products(self, values: Tensor, observed: Tensor) -> Tensor:
        """Of R fields a day (B, R, C, H, W), where `observed` (B, C, H, W), the products (B, R, R) over the covariance.

        Of a field with itself -2 log of its density, up to a constant: x' (P' diag(variance) P + error)^-1 x, by
        Woodbury's identity.
        """
        fields, observed = values.flatten(2), observed.flatten(1).float()
        known = fields * observed[:, None] * self.weight
        wanted = known @ self.basis.T
        rows = wanted.flatten(0, 1)
        solved = self._solve(rows, observed.repeat_interleave(fields.shape[1], 0), self.basis).view_as(wanted)
        return known @ known.mT - wanted @ solved.mT

    def _solve(self, wanted: Tensor, observed: Tensor, basis: Tensor) -> Tensor:
        """x (B, K) of (1 + basis diag(observed) basis.T) x = wanted."""
        likely = 1 / (1 + observed.mean(1, keepdim=True) * self.whole)
        x, rest = torch.zeros_like(wanted), wanted
        step = likely * rest
        size = first = (rest * step).sum(1, keepdim=True)
        for _ in range(MOST_STEPS):
            fields = (step.to(basis) @ basis) * observed.to(basis)
            pushed = step + (fields @ basis.T).float()
            length = size / (step * pushed).sum(1, keepdim=True).clamp_min(TINY)
            x, rest = x + length * step, rest - length * pushed
            eased = likely * rest
            before, size = size, (rest * eased).sum(1, keepdim=True)
            if (size <= CLOSE**2 * first).all():
                break
            step = eased + size / before.clamp_min(TINY) * step
        return x


class LinearPathEncoder(nn.Module):
    """Views (B, 2 C, h, w), values beside their mask, to embeddings (B, K): scores, and what `network` adds.

    The network is shown the interpolated fields as well, so its views are (B, 3 C, h, w).
    """

    patterns: Tensor  # (K, C H W)

    def __init__(self, modes: Modes, network: nn.Module) -> None:
        super().__init__()
        self.interpolation, self.network = OptimalInterpolation(modes), network
        self.register_buffer("patterns", modes.patterns, persistent=False)
        self.gain = nn.Parameter(torch.ones(len(modes.patterns)))
        self.share = nn.Parameter(torch.zeros(len(modes.patterns)))

    def forward(self, view: Tensor) -> Tensor:
        values, observed = view.chunk(2, dim=1)
        scores = self.interpolation(values, observed)
        fields = (scores @ self.patterns).view_as(values)
        return self.gain * scores + self.share * self.network(torch.cat([view, fields], dim=1))


class LinearPathDecoder(nn.Module):
    """Embeddings (B, K) to fields (B, C, H, W): the sum of the modes, and what `network` adds."""

    patterns: Tensor  # (K, C H W)

    def __init__(self, modes: Modes, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("patterns", modes.patterns, persistent=False)
        self.share = nn.Parameter(torch.zeros(len(modes.error), 1, 1))

    def forward(self, embedding: Tensor) -> Tensor:
        added = self.network(embedding)
        return (embedding @ self.patterns).view_as(added) + self.share * added
