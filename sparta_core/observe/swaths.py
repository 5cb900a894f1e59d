"""Swaths of a polar-orbiting satellite, all variables alike."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.observe import Observation
from sparta_core.settings import Count, setting

INCLINATION = 98.0  # degrees, of a sun-synchronous orbit


class SwathsChoice(Observation, name="swaths"):
    """Strips along a satellite's tracks."""

    swaths: Count = setting(14, "tracks of the satellite around the equator")

    def build(self, domain: Domain) -> nn.Module:
        return Swaths(swath_places(*domain.places(), self.swaths).float())


class Swaths(nn.Module):
    """Strips along the tracks of an orbit at a random longitude."""

    tracks: Tensor  # (H, W), place across the swaths, in swaths

    def __init__(self, tracks: Tensor) -> None:
        super().__init__()
        self.register_buffer("tracks", tracks)

    def forward(self, shape: Sequence[int], ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        start = torch.rand(shape[0], generator=generator, device=generator.device).view(-1, 1, 1, 1)
        missing = torch.as_tensor(ratio, device=generator.device).view(-1, 1, 1, 1)
        return ((self.tracks + start) % 1 >= missing).float().expand(*shape)


def swath_places(latitude: np.ndarray, longitude: np.ndarray, swaths: int) -> Tensor:
    """(H, W) float64 of places (H, W): how far from an ascending track, in distances between `swaths` tracks.

    Longitude counts from the first place, so that the same region elsewhere is seen alike.
    """
    tilt = np.deg2rad(INCLINATION)
    reach = np.arcsin(np.clip(np.sin(np.deg2rad(latitude)) / np.sin(tilt), -1, 1))
    track = np.rad2deg(np.arctan2(np.cos(tilt) * np.sin(reach), np.cos(reach)))
    return torch.from_numpy((longitude - longitude.flat[0] - track) * swaths / 360)
