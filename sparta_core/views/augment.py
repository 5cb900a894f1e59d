"""Views: a day enlarged, cropped, smoothed and masked, as two small matrix products.

Enlarging, cropping and mean filtering are linear and act on latitude and longitude apart, so
their composition is `L[i] @ x @ R[j].T` with matrices that are computed once, in float64.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.observe import NATIVE, placed
from sparta_core.observe.sparsity import Sparsity
from sparta_core.processes import Part
from sparta_core.settings import Count, Section, setting

CUBIC_A = -0.75  # PyTorch's bicubic coefficient


class ViewSettings(Section):
    """What the encoder is shown."""

    view_size: tuple[Count, Count] = setting((72, 144), "what the encoder sees, latitude by longitude", "grid points")
    mask_grid: Literal["enlarged", "native"] = setting("enlarged", "where values are hidden: before or after enlarging")

    def check(self, experiment: Experiment) -> None:
        first = next(iter(placed(experiment)), None)
        if first and not NATIVE[self.mask_grid]:
            raise ExperimentError(f"{first} has places on the globe, which an enlarged view has not; "
                                  "set mask_grid='native'")


class Crops(Section):
    """How a view of the contrast is cut."""

    crop_from: tuple[Count, Count] = setting((80, 160), "size to which a day is enlarged before it is cropped to the "
                                             "view", "grid points")  # fmt: skip
    smoothing: Count = setting(5, "width of the mean filter, odd", "grid points")

    def check(self, experiment: Experiment) -> None:
        view_size = experiment.view_size
        if any(c < v for c, v in zip(self.crop_from, view_size, strict=True)):
            raise ExperimentError(f"crop_from {self.crop_from} is smaller than view_size {view_size}; enlarge it")
        if self.smoothing % 2 == 0:
            raise ExperimentError(f"smoothing is {self.smoothing}; a centred mean filter needs an odd width")


def resize_matrix(size_in: int, size_out: int) -> Tensor:
    """Bicubic interpolation along one axis, (size_out, size_in) float64, edges repeated.

    The same as `interpolate(mode="bicubic", align_corners=False)`; the identity for equal sizes.
    """
    centre = (torch.arange(size_out, dtype=torch.float64) + 0.5) * size_in / size_out - 0.5
    left = centre.floor()
    matrix = torch.zeros(size_out, size_in, dtype=torch.float64)
    for tap in range(-1, 3):
        distance = (centre - left - tap).abs()
        column = (left.long() + tap).clamp(0, size_in - 1)
        matrix.scatter_add_(1, column[:, None], _cubic(distance)[:, None])
    return matrix


def _cubic(x: Tensor) -> Tensor:
    """Keys' cubic convolution kernel at distances x >= 0."""
    a = CUBIC_A
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def smoothing_matrix(size: int, width: int) -> Tensor:
    """Mean over `width` neighbours along one axis, zeros beyond the edges; (size, size) float64."""
    index = torch.arange(size)
    return ((index[:, None] - index).abs() <= width // 2).double() / width


def crop_matrices(size_in: int, enlarged: int, size_out: int, width: int) -> Tensor:
    """Enlarge to `enlarged`, crop at every offset, smooth: (enlarged - size_out + 1, size_out, size_in)."""
    enlarge = resize_matrix(size_in, enlarged)
    crops = enlarge.unfold(0, size_out, 1).transpose(1, 2)
    return smoothing_matrix(size_out, width) @ crops


class Views(nn.Module):
    """What the encoder is shown of standardised days (B, C, H, W): views (B, C, h, w).

    With `mask_input` views are (B, 2 C, h, w): behind the values, where they are observed, 1 or 0.

    Enlarged for the decoder's and the downstream stages; also cropped and smoothed, at a random
    place per sample, for the contrastive ones (paper, section 3.3.1). Where `days` are `part` of a
    batch, they are seen as they would be in the whole of it.
    """

    rows: Tensor  # (h, H)
    columns: Tensor  # (w, W)
    crop_rows: Tensor  # (places, h, H)
    crop_columns: Tensor  # (places, w, W)

    def __init__(self, experiment: Experiment, latitude: np.ndarray, longitude: np.ndarray) -> None:
        super().__init__()
        self.gaps, self.mask_input = experiment.gaps, experiment.mask_input
        self.native, self.sparsity = NATIVE[experiment.mask_grid], Sparsity(experiment, latitude, longitude)
        grid = latitude.size, longitude.size
        (height, width), (tall, wide) = experiment.view_size, experiment.crop_from
        smoothing = experiment.smoothing
        self.register_buffer("rows", resize_matrix(grid[0], height).float())
        self.register_buffer("columns", resize_matrix(grid[1], width).float())
        self.register_buffer("crop_rows", crop_matrices(grid[0], tall, height, smoothing).float())
        self.register_buffer("crop_columns", crop_matrices(grid[1], wide, width, smoothing).float())

    def full(self, days: Tensor) -> Tensor:
        """The whole day, enlarged; where it has gaps, with the training mean there."""
        return self._shown(self.enlarged(days.nan_to_num(0)), lambda: self.enlarged(_there(days)))

    def sparse(self, days: Tensor, generator: torch.Generator, ratio: float | Tensor | None = None,
               part: Part | None = None) -> Tensor:  # fmt: skip
        """The day with a fraction `ratio` dropped (None: drawn per sample from the experiment's range)."""
        return self._masked(days, self.enlarged, generator, ratio, part or Part.whole(len(days)))

    def augmented(self, days: Tensor, generator: torch.Generator, part: Part | None = None) -> Tensor:
        """A random crop of the enlarged day, smoothed."""
        places = self._places(part or Part.whole(len(days)), generator)
        values = self._cropped(days, *places)
        if not self.native:  # the enlarged day knows no gaps
            return self._shown(values, lambda: torch.ones_like(values))
        return self._shown(values, lambda: self._cropped(_there(days), *places))

    def augmented_sparse(self, days: Tensor, generator: torch.Generator, part: Part | None = None) -> Tensor:
        """A random crop of the enlarged day, smoothed and masked at a ratio of its own."""
        part = part or Part.whole(len(days))
        places = self._places(part, generator)
        return self._masked(days, lambda x: self._cropped(x, *places), generator, None, part)

    def _places(self, part: Part, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return tuple(
            part.of(torch.randint(len(crops), (part.total,), generator=generator, device=generator.device))
            for crops in (self.crop_rows, self.crop_columns)
        )  # type: ignore[return-value]

    def _cropped(self, days: Tensor, i: Tensor, j: Tensor) -> Tensor:
        # Columns first: it takes a quarter fewer operations.
        right = self.crop_columns[j].transpose(1, 2)
        wide = (self._filled(days).flatten(1, 2) @ right).unflatten(1, days.shape[1:3])
        return self.crop_rows[i][:, None] @ wide

    def enlarged(self, days: Tensor) -> Tensor:
        """Days on the encoder's grid, (B, C, h, w)."""
        return self.rows @ self._filled(days) @ self.columns.T

    def _filled(self, days: Tensor) -> Tensor:
        return days.nan_to_num(0) if self.gaps else days

    def _shown(self, values: Tensor, seen: Callable[[], Tensor]) -> Tensor:
        """Values of a view, and with `mask_input` behind them where they are seen."""
        return torch.cat([values, seen()], dim=1) if self.mask_input else values

    def _masked(self, days: Tensor, view: Callable[[Tensor], Tensor], generator: torch.Generator,
                ratio: float | Tensor | None, part: Part) -> Tensor:  # fmt: skip
        values, seen = self.sparsity(days if self.native else view(days), ratio, generator, part)
        if self.native:
            return self._shown(view(values * seen), lambda: view(seen))
        return self._shown(values.mul_(seen), lambda: seen)


def _there(days: Tensor) -> Tensor:
    """1 where days have values, 0 in their gaps."""
    return (~days.isnan()).to(days.dtype)
