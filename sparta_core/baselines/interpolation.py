"""Whole fields from sparse ones without a network: what a practitioner would use.

A method takes an `Observed` and returns standardised fields (N, C, H, W) on the native grid.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import griddata
from scipy.spatial import cKDTree
from torch import Tensor

from sparta_core.baselines.climatology import Climatology
from sparta_core.data.domain import Domain
from sparta_core.data.fields import Fields
from sparta_core.encoders.linear_path import OptimalInterpolation
from sparta_core.errors import DataError
from sparta_core.modes import Modes, eofs
from sparta_core.observe.sparsity import Sparsity
from sparta_core.processes import Part
from sparta_core.views.augment import NATIVE, Views

CHUNK = 128  # days interpolated at once


@dataclass(frozen=True)
class ObservationGrid:
    """Where values are hidden: on the native grid, or after enlarging to the encoder's view."""

    domain: Domain  # (h, w)
    project: Callable[[Tensor], Tensor]  # whole fields (..., H, W) as they are on this grid (..., h, w)
    sparsity: Sparsity

    @classmethod
    def of(cls, mask_grid: str, fields: Fields, views: Views) -> "ObservationGrid":
        if NATIVE[mask_grid]:
            return cls(fields.domain, lambda days: days, views.sparsity)
        latitude, longitude = resized(fields.latitude, len(views.rows)), resized(fields.longitude, len(views.columns))
        return cls(Domain(latitude, longitude), views.enlarged, views.sparsity)


def resized(axis: np.ndarray, size: int) -> np.ndarray:
    """The centres of `size` equal steps through the cells of `axis`, extended evenly at its ends."""
    count = len(axis)
    place = (np.arange(size) + 0.5) * count / size - 0.5
    ends = 2 * axis[0] - axis[1], 2 * axis[-1] - axis[-2]
    return np.interp(place, np.arange(-1, count + 1), np.concatenate([ends[:1], axis, ends[1:]]))


@dataclass(frozen=True)
class Observed:
    """Sparse days: `values` (N, C, h, w) count where `seen`; `days` (N,) are their indices in the record."""

    grid: ObservationGrid
    values: Tensor
    seen: Tensor
    days: Tensor

    @classmethod
    def draw(cls, grid: ObservationGrid, fields: Fields, days: Tensor, ratio: float | Tensor, seed: int,
             whole: bool = False) -> "Observed":  # fmt: skip
        """The days with a fraction `ratio`, or one a day (N,), hidden, by the draw of `Views.sparse` from `seed`.

        `whole` ones keep what is usual on their dates.
        """
        values = grid.project(fields.whole(days) if whole else fields.take(days))
        generator = torch.Generator(values.device).manual_seed(seed)
        values, seen = grid.sparsity(values, ratio, generator, Part.whole(len(days)))
        return cls(grid, values, seen.bool(), days)

    def points(self) -> Iterator[tuple[tuple[int, ...], np.ndarray, np.ndarray]]:
        """Of each day and variable: its place, the mask (h, w) and the values that are seen."""
        for place in np.ndindex(*self.values.shape[:2]):
            mask = self.seen[place].cpu().numpy()
            if mask.sum() < 4:
                raise DataError(f"day {int(self.days[place[0]])} shows {mask.sum()} values of variable {place[1]}, "
                                "too few to interpolate; hide fewer")
            yield place, mask, self.values[place].cpu().numpy()[mask]


Method = Callable[[Observed], Tensor]
BASELINES = ("climatology", "nearest", "linear interpolation", "optimal interpolation")


def fit_methods(fields: Fields, modes: int) -> dict[str, Method]:
    """The baselines by name, fitted on the training days."""
    climatology = Climatology.fit(fields)

    def usual(observed: Observed) -> Tensor:
        return usual_fields(climatology, fields, observed.days)

    return dict(zip(BASELINES, (
        usual, lambda observed: nearest(observed, fields), lambda observed: linear(observed, fields),
        EofInterpolation(climatology, fields, modes)), strict=True))  # fmt: skip


def usual_fields(climatology: Climatology, fields: Fields, days: Tensor) -> Tensor:
    """The climatology of the days (N,), (N, C, H, W)."""
    return climatology.at(fields.day_of_year[days.cpu().numpy()]).to(fields.mean)


def nearest(observed: Observed, fields: Fields) -> Tensor:
    """Every grid point takes the value seen nearest to it on the sphere."""
    sources, targets = (domain.positions().numpy() for domain in (observed.grid.domain, fields.domain))
    made = np.empty((*observed.values.shape[:2], *fields.grid), dtype=np.float32)
    for place, mask, values in observed.points():
        _, index = cKDTree(sources[mask]).query(targets.reshape(-1, 3))
        made[place] = values[index].reshape(fields.grid)
    return torch.from_numpy(made).to(observed.values.device)


def linear(observed: Observed, fields: Fields) -> Tensor:
    """Linear interpolation between the values seen, on a whole globe round the date line; the nearest beyond them."""
    domain, longitude = observed.grid.domain, observed.grid.domain.longitude
    # Columns repeated on either side of a globe: 60 degrees bridge any gap.
    wrap = len(longitude) // 6 if domain.periodic_x else 0
    turns, columns = np.divmod(np.arange(-wrap, len(longitude) + wrap), len(longitude))
    around = longitude[columns] + 360 * turns
    points = np.stack(np.meshgrid(domain.latitude, around, indexing="ij"), axis=-1)
    targets = np.stack(np.meshgrid(fields.latitude, fields.longitude, indexing="ij"), axis=-1)
    made = np.empty((*observed.values.shape[:2], *fields.grid), dtype=np.float32)
    for place, mask, values in observed.points():
        sheet = np.zeros(mask.shape, dtype=values.dtype)
        sheet[mask] = values
        known, values = points[mask[:, columns]], sheet[:, columns][mask[:, columns]]
        field = griddata(known, values, targets)
        outside = np.isnan(field)
        field[outside] = griddata(known, values, targets[outside], method="nearest")
        made[place] = field
    return torch.from_numpy(made).to(observed.values.device)


class EofInterpolation:
    """Optimal interpolation in the span of the leading EOFs of departures.

    Each EOF is penalised by its training variance, and an observation is trusted as far as the EOFs
    explain the training days.
    """

    def __init__(self, climatology: Climatology, fields: Fields, modes: int) -> None:
        x = climatology.departures(fields, fields.splits["train"]).flatten(1)
        self.fields, self.climatology = fields, climatology
        self.patterns = eofs(x, modes)
        scores = x @ self.patterns.T
        self.variance = scores.square().mean(0)
        self.unexplained = (x.square().sum() - scores.square().sum()) / x.numel()

    def __call__(self, observed: Observed) -> Tensor:
        usual, project = usual_fields(self.climatology, self.fields, observed.days), observed.grid.project
        shown = project(self.patterns.unflatten(1, usual.shape[1:])).flatten(1)
        modes = Modes(shown, self.variance, self.unexplained.expand(usual.shape[1]))
        interpolation = OptimalInterpolation(modes).to(usual.device)
        scores = scores_of(interpolation, observed.values - project(usual), observed.seen)
        return usual + (scores @ self.patterns).view_as(usual)


def scores_of(interpolation: OptimalInterpolation, values: Tensor, seen: Tensor) -> Tensor:
    """The scores (N, K) of any number of days, in bounded memory."""
    parts = zip(values.split(CHUNK), seen.split(CHUNK), strict=True)
    return torch.cat([interpolation(*part) for part in parts])
