"""Whole fields from sparse ones without a network: what a practitioner would use.

A method takes what is observed of days (N, C, h, w), and the views that say on which grid; it returns standardised
fields (N, C, H, W) on the native grid.
"""

from collections.abc import Callable, Iterator

import numpy as np
import scipy  # whose parts load when they are asked for
import torch
from torch import Tensor

from sparta_core.baselines.climatology import Climatology
from sparta_core.data.domain import Domain
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.record import Record
from sparta_core.data.sample import Sample
from sparta_core.errors import DataError
from sparta_core.modes import Modes, eofs
from sparta_core.optimal_interpolation import OptimalInterpolation
from sparta_core.views.augment import Views

CHUNK = 128  # days interpolated at once
POLAR = 0.999  # sine of a latitude from which on east has no direction
FEWEST = 4  # values of a variable that a method can interpolate between
Method = Callable[[Sample, Views], Tensor]
BASELINES = ("climatology", "nearest", "linear interpolation", "optimal interpolation")


def fit_methods(record: Record, modes: int) -> dict[str, Method]:
    """The baselines by name, fitted on the training days; optimal interpolation in the span of so many EOFs."""
    climatology = Climatology.fit(record)
    return dict(zip(BASELINES, (
        lambda observed, views: climatology.at_dates(observed.dates),
        lambda observed, views: nearest(observed, views, record),
        lambda observed, views: linear(observed, views, record),
        EofInterpolation(climatology, record, modes)), strict=True))  # fmt: skip


def nearest(observed: Sample, views: Views, record: Normaliser) -> Tensor:
    """Every grid point takes the value observed nearest to it on the sphere."""
    sources, targets = (domain.positions().numpy() for domain in (views.observed_on, record.domain))
    fields = np.empty((*observed.values.shape[:2], *record.grid), dtype=np.float32)
    for place, mask, values in _points(observed, record):
        _, index = scipy.spatial.cKDTree(sources[mask]).query(targets.reshape(-1, 3))
        fields[place] = values[index].reshape(record.grid)
    return torch.from_numpy(fields).to(record.device)


def linear(observed: Sample, views: Views, record: Normaliser) -> Tensor:
    """Linear interpolation between the values observed, round the date line on a globe; the nearest beyond them."""
    domain = views.observed_on
    points, targets = (plane(each, record.domain) for each in (domain, record.domain))
    # Columns repeated on either side of a globe: 60 degrees bridge any gap.
    count = domain.shape[1]
    wrap = count // 6 if domain.periodic_x and not domain.projected else 0
    turns, columns = np.divmod(np.arange(-wrap, count + wrap), count)
    points = points[:, columns] + np.stack([np.zeros(columns.size), 360.0 * turns], 1)
    fields = np.empty((*observed.values.shape[:2], *record.grid), dtype=np.float32)
    for place, mask, values in _points(observed, record):
        sheet = np.zeros(mask.shape, dtype=values.dtype)
        sheet[mask] = values
        known, values = points[mask[:, columns]], sheet[:, columns][mask[:, columns]]
        field = scipy.interpolate.griddata(known, values, targets)
        outside = np.isnan(field)
        field[outside] = scipy.interpolate.griddata(known, values, targets[outside], method="nearest")
        fields[place] = field
    return torch.from_numpy(fields).to(record.device)


def plane(domain: Domain, around: Domain) -> np.ndarray:
    """The cells of a domain on a plane (H, W, 2): latitude and longitude; of a projection, stereographic.

    The stereographic plane touches the sphere in the middle of the domain `around`.
    """
    if not domain.projected:
        return np.stack(domain.places(), axis=-1)
    middle = around.positions().mean((0, 1)).numpy()
    middle /= np.linalg.norm(middle)
    east = np.cross([0.0, 0, 1], middle) if abs(middle[2]) < POLAR else np.array([1.0, 0, 0])
    east /= np.linalg.norm(east)
    places = domain.positions().numpy()
    flat: np.ndarray = places @ np.stack([np.cross(middle, east), east], 1) / (1 + places @ middle)[..., None]
    return flat


def _points(observed: Sample, record: Normaliser) -> Iterator[tuple[tuple[int, ...], np.ndarray, np.ndarray]]:
    """Of each day and variable: its place, the mask (h, w) and the values that are observed."""
    values, masks = observed.values.cpu().numpy(), observed.observed.cpu().numpy() > 0
    for place in np.ndindex(*values.shape[:2]):
        mask = masks[place]
        if mask.sum() < FEWEST:
            raise DataError(f"{str(observed.dates[place[0]])[:10]} shows {mask.sum()} values of "
                            f"{record.variables[place[1]]}, too few to interpolate; mask fewer")
        yield place, mask, values[place][mask]


class EofInterpolation:
    """Optimal interpolation in the span of the leading EOFs of anomalies.

    Each EOF is penalised by its training variance, and an observation is trusted as far as the EOFs
    explain the training days.
    """

    def __init__(self, climatology: Climatology, record: Record, modes: int) -> None:
        x = climatology.anomalies(record, record.splits["train"]).flatten(1)
        self.climatology = climatology
        self.patterns = eofs(x, modes)
        scores = x @ self.patterns.T
        self.variance = scores.square().mean(0)
        self.unexplained = (x.square().sum() - scores.square().sum()) / x.numel()

    def __call__(self, observed: Sample, views: Views) -> Tensor:
        def project(fields: Tensor) -> Tensor:
            return fields if views.native else views.enlarged(fields)

        climatology = self.climatology.at_dates(observed.dates)
        shown = project(self.patterns.unflatten(1, climatology.shape[1:])).flatten(1)
        modes = Modes(shown, self.variance, self.unexplained.expand(climatology.shape[1]))
        interpolation = OptimalInterpolation(modes).to(climatology.device)
        scores = scores_of(interpolation, observed.values - project(climatology), observed.observed)
        return climatology + (scores @ self.patterns).view_as(climatology)


def scores_of(interpolation: OptimalInterpolation, values: Tensor, observed: Tensor) -> Tensor:
    """The scores (N, K) of any number of days, in bounded memory."""
    parts = zip(values.split(CHUNK), observed.split(CHUNK), strict=True)
    return torch.cat([interpolation(*part) for part in parts])
