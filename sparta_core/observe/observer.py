"""Observing fields: the one way to draw a mask and observations' errors, in training and in scoring."""

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.modes import EARTH_RADIUS
from sparta_core.observe import Errors, MaskRatio, Observation
from sparta_core.observe.masks import draw_ratios, random_points
from sparta_core.processes import Part


class Observer(nn.Module):
    """Observe samples on a grid as `experiment` does."""

    rows: Tensor  # (H, H), smooths errors along columns
    circles: Tensor  # (H, W, W), and along each row

    def __init__(self, experiment: Experiment, domain: Domain) -> None:
        super().__init__()
        self.settings, self.mask_ratio = experiment.of(Errors), experiment.of(MaskRatio).mask_ratio
        self.mask = experiment.of(Observation).build(domain)
        if self.settings.noise and self.settings.noise_length:
            rows, circles = noise_matrices(domain, self.settings.noise_length)
            self.register_buffer("rows", rows.float())
            self.register_buffer("circles", circles.float())

    def forward(self, sample: Sample, generator: torch.Generator, ratio: float | Tensor | None = None,
                part: Part | None = None) -> Sample:  # fmt: skip
        """Hide some of a sample's values, and add errors to the others.

        Args:
            sample: (b, C, H, W), this process's `part` of a batch.
            generator: Draws mask and errors, of the whole batch.
            ratio: The share that is masked, one or one for each of the whole batch; None draws it from mask_ratio.
            part: None where the sample is the whole batch.

        Returns:
            The sample as it is observed; what is masked keeps its value, and is not observed.
        """
        settings, values, part = self.settings, sample.values, part or Part.whole(len(sample))
        if ratio is None:
            ratio = draw_ratios(part.total, self.mask_ratio, generator)
        shape = (part.total, *values.shape[1:])
        observed = part.of(self.mask(shape, ratio, generator).to(values.dtype))
        if settings.variable_dropout:
            there = random_points((*shape[:2], 1, 1), settings.variable_dropout, generator, values.dtype)
            observed = observed * part.of(there)
        if settings.noise:
            values = values + settings.noise * part.of(self.errors(shape, generator))
        return Sample(values, observed * sample.observed, sample.time)

    def errors(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Random fields of variance 1, correlated over the experiment's noise_length (km)."""
        white = torch.randn(shape, generator=generator, device=generator.device)
        if not self.settings.noise_length:
            return white
        return self.rows @ torch.einsum("hvw,bchw->bchv", self.circles, white)


def noise_matrices(domain: Domain, length: float) -> tuple[Tensor, Tensor]:
    """Smoothing along columns (H, H) and rows (H, W, W) of a grid that gives white noise a length scale.

    Far from the poles fields of variance 1 at distance d correlate by exp(-(d / length)**2 / 2); float64.
    """
    down, across = distances(domain)
    rows, circles = (torch.from_numpy(np.exp(-((EARTH_RADIUS * apart / length) ** 2))) for apart in (down, across))
    return rows / rows.square().sum(-1, keepdim=True).sqrt(), circles / circles.square().sum(-1, keepdim=True).sqrt()


def distances(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Distances between rows (H, H) and, within each, between its cells (H, W, W), in radii of the Earth.

    Along meridians and circles of latitude; of a projection, on great circles, the rows' in its middle column.
    """
    if domain.projected:
        places = domain.positions().numpy()
        middle = places[:, places.shape[1] // 2]
        rows, cells = middle @ middle.T, np.einsum("hvx,hwx->hvw", places, places)
        return np.arccos(rows.clip(-1, 1)), np.arccos(cells.clip(-1, 1))
    latitude, longitude = np.deg2rad(domain.latitude), domain.longitude
    around = np.abs((longitude[:, None] - longitude + 180) % 360 - 180)
    return np.abs(latitude[:, None] - latitude), np.deg2rad(around)[None] * np.cos(latitude)[:, None, None]
