"""What is observed of a day, and with which error: random points, stations, swaths of a satellite, or all but blocks.

A dropped value becomes 0, the training mean. Observation errors are random fields, in training stds.
"""

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.experiment import EARTH_RADIUS, Experiment
from sparta_core.processes import Part
from sparta_core.typed import Table
from sparta_core.views.masks import draw_ratios, random_points
from sparta_core.views.stations import nearest_points, read_stations

INCLINATION = 98.0  # degrees, of a sun-synchronous orbit


class Sparsity(nn.Module):
    """Observations of fields (B, C, H, W) on a grid, as `experiment` makes them."""

    stations: Tensor  # (H, W), 1 where a station is
    tracks: Tensor  # (H, W), place across the swaths, in swaths
    rows: Tensor  # (H, H), smooths errors along meridians
    circles: Tensor  # (H, W, W), and along each circle of latitude

    def __init__(self, experiment: Experiment, latitude: np.ndarray, longitude: np.ndarray) -> None:
        super().__init__()
        self.experiment = experiment
        self.draw = Table("sparsity", {"points": self._points, "stations": self._stations, "swaths": self._swaths,
                                       "blocks": self._blocks})[experiment.sparsity]  # fmt: skip
        if experiment.sparsity == "stations":
            places = read_stations(experiment.stations)
            there = np.zeros(latitude.size * longitude.size, np.float32)
            there[nearest_points(places, Domain(latitude, longitude), experiment.stations)] = 1
            self.register_buffer("stations", torch.from_numpy(there).view(latitude.size, longitude.size))
        if experiment.sparsity == "swaths":
            self.register_buffer("tracks", swath_places(latitude, longitude, experiment.swaths).float())
        if experiment.noise and experiment.noise_length:
            rows, circles = noise_matrices(latitude, longitude, experiment.noise_length)
            self.register_buffer("rows", rows.float())
            self.register_buffer("circles", circles.float())

    def forward(self, values: Tensor, ratio: float | Tensor | None, generator: torch.Generator,
                part: Part) -> tuple[Tensor, Tensor]:  # fmt: skip
        """This `part`'s observed values, with their errors, and where they are observed (1 or 0), both (b, C, H, W).

        A fraction `ratio`, one or one per sample of the whole batch, is dropped; None draws it from the experiment's.
        """
        settings = self.experiment
        if ratio is None:
            ratio = draw_ratios(part.total, settings.mask_ratio, generator)
        shape = (part.total, *values.shape[1:])
        seen = part.of(self.draw(shape, ratio, generator).to(values.dtype))
        if settings.variable_dropout:
            seen = seen * part.of(random_points((*shape[:2], 1, 1), settings.variable_dropout, generator, values.dtype))
        if settings.gaps:
            seen, values = seen * ~values.isnan(), values.nan_to_num(0)
        if settings.noise:
            values = values + settings.noise * part.of(self.errors(shape, generator))
        return values, seen

    def errors(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Random fields of variance 1, correlated over the experiment's noise_length (km)."""
        white = torch.randn(shape, generator=generator, device=generator.device)
        if not self.experiment.noise_length:
            return white
        return self.rows @ torch.einsum("hvw,bchw->bchv", self.circles, white)

    def _points(self, shape: tuple[int, ...], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        return random_points(shape, ratio, generator, torch.float32)

    def _stations(self, shape: tuple[int, ...], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        """Every station reports every variable by itself."""
        return self.stations * random_points(shape, ratio, generator, torch.float32)

    def _swaths(self, shape: tuple[int, ...], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        """Strips along the tracks of an orbit, all variables alike, at a random longitude."""
        start = torch.rand(shape[0], generator=generator, device=generator.device).view(-1, 1, 1, 1)
        missing = torch.as_tensor(ratio, device=generator.device).view(-1, 1, 1, 1)
        return ((self.tracks + start) % 1 >= missing).float().expand(shape)

    def _blocks(self, shape: tuple[int, ...], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        """Squares of the grid are missing as a whole, for all variables, laid from a random place."""
        size, device = self.experiment.block_size, generator.device
        start = torch.randint(size, (2,), generator=generator, device=device)
        rows, columns = ((torch.arange(count, device=device) + first) // size
                         for count, first in zip(shape[-2:], start, strict=True))
        squares = (shape[0], 1, *((count - 1) // size + 2 for count in shape[-2:]))
        kept = random_points(squares, ratio, generator, torch.float32)
        return kept[..., rows[:, None], columns].expand(shape)


def swath_places(latitude: np.ndarray, longitude: np.ndarray, swaths: int) -> Tensor:
    """(H, W) float64: longitude from an ascending track, in distances between `swaths` tracks around the equator."""
    tilt = np.deg2rad(INCLINATION)
    reach = np.arcsin(np.clip(np.sin(np.deg2rad(latitude)) / np.sin(tilt), -1, 1))
    track = np.rad2deg(np.arctan2(np.cos(tilt) * np.sin(reach), np.cos(reach)))
    return torch.from_numpy((longitude[None] - track[:, None]) * swaths / 360)


def noise_matrices(latitude: np.ndarray, longitude: np.ndarray, length: float) -> tuple[Tensor, Tensor]:
    """Smoothing along meridians (H, H) and circles of latitude (H, W, W) that gives white noise a length scale.

    Far from the poles fields of variance 1 at distance d correlate by exp(-(d / length)**2 / 2); float64.
    """
    metres = np.deg2rad(np.abs(latitude[:, None] - latitude)) * EARTH_RADIUS
    around = np.abs((longitude[:, None] - longitude + 180) % 360 - 180)
    east = np.deg2rad(around)[None] * EARTH_RADIUS * np.cos(np.deg2rad(latitude))[:, None, None]
    rows, circles = (torch.from_numpy(np.exp(-((distance / length) ** 2))) for distance in (metres, east))
    return rows / rows.square().sum(-1, keepdim=True).sqrt(), circles / circles.square().sum(-1, keepdim=True).sqrt()
