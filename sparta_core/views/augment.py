"""Views: a day enlarged, cropped, smoothed and masked, as two small matrix products.

Enlarging, cropping and mean filtering are linear and act on latitude and longitude apart, so
their composition is `L[i] @ x @ R[j].T` with matrices that are computed once, in float64.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from sparta_core.data.domain import Domain
from sparta_core.data.sample import Sample
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.observe import NATIVE, placed
from sparta_core.observe.observer import Observer
from sparta_core.processes import Part
from sparta_core.settings import Count, Section, setting

CUBIC_A = -0.75  # PyTorch's bicubic coefficient


class ViewSettings(Section):
    """What the encoder is shown."""

    view_size: tuple[Count, Count] | None = setting(
        (72, 144), "what the encoder sees, rows by columns; null: the data's own", "grid points")
    mask_grid: Literal["enlarged", "native"] = setting("enlarged", "where values are masked: before or after enlarging")

    def check(self, experiment: Experiment) -> None:
        first = next(iter(placed(experiment)), None)
        if first and not NATIVE[self.mask_grid]:
            raise ExperimentError(f"{first} has places on the globe, which an enlarged view has not; "
                                  "set mask_grid='native'")


class Crops(Section):
    """How a view of the contrast is cut."""

    crop_from: tuple[Count, Count] | None = setting(
        (80, 160), "size to which a day is enlarged before it is cropped to the view; null: the view's", "grid points")
    smoothing: Count = setting(5, "width of the mean filter, odd", "grid points")

    def check(self, experiment: Experiment) -> None:
        if self.crop_from and experiment.view_size:
            check_crop(self.crop_from, experiment.view_size)
        if self.smoothing % 2 == 0:
            raise ExperimentError(f"smoothing is {self.smoothing}; a centred mean filter needs an odd width")


def check_crop(crop_from: tuple[int, int], view_size: tuple[int, int]) -> None:
    """ExperimentError where views are larger than what they are cropped from."""
    if any(c < v for c, v in zip(crop_from, view_size, strict=True)):
        raise ExperimentError(f"crop_from {crop_from} is smaller than view_size {view_size}; enlarge it")


def view_size_of(experiment: Experiment, grid: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a view of fields on a grid (H, W)."""
    size: tuple[int, int] = experiment.view_size or grid
    return size


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
    """What the encoder is shown of samples of standardised anomalies (B, C, H, W): views (B, C, h, w).

    With `mask_input` views are (B, 2 C, h, w): behind the values, where they are observed, 1 or 0.

    Enlarged for the decoder's and the downstream stages; also cropped and smoothed, at a random
    place per sample, for the contrastive ones (paper, section 3.3.1). Where a sample is `part` of a
    batch, it is observed as it would be in the whole of it.
    """

    rows: Tensor  # (h, H)
    columns: Tensor  # (w, W)
    crop_rows: Tensor  # (places, h, H)
    crop_columns: Tensor  # (places, w, W)

    def __init__(self, experiment: Experiment, domain: Domain) -> None:
        super().__init__()
        self.mask_input, self.native = experiment.mask_input, NATIVE[experiment.mask_grid]
        self.grid, self.view_size = domain.shape, view_size_of(experiment, domain.shape)
        self.observed_on = domain if self.native else domain.resized(self.view_size)
        self.experiment = experiment
        (height, width), (tall, wide) = self.view_size, experiment.crop_from or self.view_size
        check_crop((tall, wide), self.view_size)
        smoothing = experiment.smoothing
        self.register_buffer("rows", resize_matrix(self.grid[0], height).float())
        self.register_buffer("columns", resize_matrix(self.grid[1], width).float())
        self.register_buffer("crop_rows", crop_matrices(self.grid[0], tall, height, smoothing).float())
        self.register_buffer("crop_columns", crop_matrices(self.grid[1], wide, width, smoothing).float())

    @cached_property
    def observer(self) -> Observer:
        """What draws masks; made when it is needed: a model in use draws none, and may lack its table of stations."""
        return Observer(self.experiment, self.observed_on).to(self.rows.device)

    def observe(self, sample: Sample, generator: torch.Generator, ratio: float | Tensor | None = None,
                part: Part | None = None) -> Sample:  # fmt: skip
        """Observe whole fields as the experiment does, on the grid `observed_on`: the fields' own, or the enlarged.

        Args:
            sample: (b, C, H, W).
            generator: Draws masks and errors.
            ratio: The share that is masked, one or one a field; None draws it from the experiment's range.
            part: This process's part of a batch.

        Returns:
            The sample (b, C, H, W) or (b, C, h, w), which `shown` shows to the encoder.
        """
        return self.observer(self.before_observing(sample), generator, ratio, part)

    def before_observing(self, sample: Sample) -> Sample:
        """A sample on the grid on which the experiment hides values."""
        return sample if self.native else Sample.full(self.enlarged(sample.shown), sample.time)

    def shown(self, sample: Sample) -> Tensor:
        """Show the encoder a sample, on its own grid or already enlarged: what is not observed is 0, the mean."""
        native = sample.values.shape[-2:] == self.grid
        return torch.cat([self.enlarged(plane) if native else plane for plane in self._planes(sample)], 1)

    def _planes(self, sample: Sample) -> list[Tensor]:
        return [sample.shown, *[sample.observed] * self.mask_input]

    def sparse(self, sample: Sample, generator: torch.Generator, ratio: float | Tensor | None = None,
               part: Part | None = None) -> Tensor:  # fmt: skip
        """Show what `observe` leaves of a sample."""
        return self.shown(self.observe(sample, generator, ratio, part))

    def augmented(self, sample: Sample, generator: torch.Generator, part: Part | None = None) -> Tensor:
        """Show a random crop of the enlarged fields, smoothed."""
        crop = self._crop(part or Part.whole(len(sample)), generator)
        if self.native:
            return torch.cat(list(map(crop, self._planes(sample))), 1)
        return torch.cat(self._planes(Sample.full(crop(sample.shown), sample.time)), 1)  # enlarged they know no gaps

    def augmented_sparse(self, sample: Sample, generator: torch.Generator, part: Part | None = None) -> Tensor:
        """Show a random crop of the enlarged fields, smoothed, of which a share of its own is masked."""
        part = part or Part.whole(len(sample))
        crop = self._crop(part, generator)
        if self.native:
            return torch.cat(list(map(crop, self._planes(self.observer(sample, generator, None, part)))), 1)
        cropped = Sample.full(crop(sample.shown), sample.time)
        return torch.cat(self._planes(self.observer(cropped, generator, None, part)), 1)

    def _crop(self, part: Part, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        """Cut every sample of a part at a random place of its own."""
        i, j = (part.of(torch.randint(len(crops), (part.total,), generator=generator, device=generator.device))
                for crops in (self.crop_rows, self.crop_columns))  # fmt: skip
        right, left = self.crop_columns[j].transpose(1, 2), self.crop_rows[i][:, None]

        def crop(fields: Tensor) -> Tensor:  # columns first: it takes a quarter fewer operations
            return left @ (fields.flatten(1, 2) @ right).unflatten(1, fields.shape[1:3])

        return crop

    def enlarged(self, fields: Tensor) -> Tensor:
        """Fields (..., H, W) on the encoder's grid, (..., h, w)."""
        return fields if self.grid == self.view_size else self.rows @ fields @ self.columns.T
