"""Observations of fields: what is seen of them, with which errors. A dropped value becomes 0, the training mean."""

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.experiment import Experiment
from sparta_core.modes import EARTH_RADIUS
from sparta_core.observe import Errors, MaskRatio, Observation
from sparta_core.observe.masks import draw_ratios, random_points
from sparta_core.processes import Part


class Sparsity(nn.Module):
    """Observations of fields (B, C, H, W) on a grid, as `experiment` makes them."""

    rows: Tensor  # (H, H), smooths errors along meridians
    circles: Tensor  # (H, W, W), and along each circle of latitude

    def __init__(self, experiment: Experiment, latitude: np.ndarray, longitude: np.ndarray) -> None:
        super().__init__()
        self.gaps, self.settings = experiment.gaps, experiment.of(Errors)
        self.mask_ratio = experiment.of(MaskRatio).mask_ratio
        self.draw = experiment.of(Observation).build(Domain(latitude, longitude))
        if self.settings.noise and self.settings.noise_length:
            rows, circles = noise_matrices(latitude, longitude, self.settings.noise_length)
            self.register_buffer("rows", rows.float())
            self.register_buffer("circles", circles.float())

    def forward(self, values: Tensor, ratio: float | Tensor | None, generator: torch.Generator,
                part: Part) -> tuple[Tensor, Tensor]:  # fmt: skip
        """This `part`'s observed values, with their errors, and where they are observed (1 or 0), both (b, C, H, W).

        A fraction `ratio`, one or one per sample of the whole batch, is dropped; None draws it from the experiment's.
        """
        settings = self.settings
        if ratio is None:
            ratio = draw_ratios(part.total, self.mask_ratio, generator)
        shape = (part.total, *values.shape[1:])
        seen = part.of(self.draw(shape, ratio, generator).to(values.dtype))
        if settings.variable_dropout:
            seen = seen * part.of(random_points((*shape[:2], 1, 1), settings.variable_dropout, generator, values.dtype))
        if self.gaps:
            seen, values = seen * ~values.isnan(), values.nan_to_num(0)
        if settings.noise:
            values = values + settings.noise * part.of(self.errors(shape, generator))
        return values, seen

    def errors(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Random fields of variance 1, correlated over the experiment's noise_length (km)."""
        white = torch.randn(shape, generator=generator, device=generator.device)
        if not self.settings.noise_length:
            return white
        return self.rows @ torch.einsum("hvw,bchw->bchv", self.circles, white)


def noise_matrices(latitude: np.ndarray, longitude: np.ndarray, length: float) -> tuple[Tensor, Tensor]:
    """Smoothing along meridians (H, H) and circles of latitude (H, W, W) that gives white noise a length scale.

    Far from the poles fields of variance 1 at distance d correlate by exp(-(d / length)**2 / 2); float64.
    """
    metres = np.deg2rad(np.abs(latitude[:, None] - latitude)) * EARTH_RADIUS
    around = np.abs((longitude[:, None] - longitude + 180) % 360 - 180)
    east = np.deg2rad(around)[None] * EARTH_RADIUS * np.cos(np.deg2rad(latitude))[:, None, None]
    rows, circles = (torch.from_numpy(np.exp(-((distance / length) ** 2))) for distance in (metres, east))
    return rows / rows.square().sum(-1, keepdim=True).sqrt(), circles / circles.square().sum(-1, keepdim=True).sqrt()
