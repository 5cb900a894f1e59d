"""What every score refuses: values that are not finite, and shapes that broadcasting would hide."""

import torch
from torch import Tensor

from sparta_core.errors import DataError


def check_vector(name: str, values: Tensor, shape: torch.Size) -> None:
    """Refuse what broadcasting or a mean would hide.

    Raises:
        DataError: unless `values`, which the sentence calls `name`, are finite and of `shape`.

    Example:
        >>> check_vector("area", torch.ones(3), torch.Size([4]))
        Traceback (most recent call last):
        sparta_core.errors.DataError: area has shape (3,); the score needs (4,)
    """
    if values.shape != shape:
        raise DataError(f"{name} has shape {tuple(values.shape)}; the score needs {tuple(shape)}")
    if not torch.isfinite(values).all():
        raise DataError(f"{name} has NaN or infinite values; a score with them would mean nothing")


def checked(**fields: Tensor) -> list[Tensor]:
    """Fields (N, L, C, H, W) in float64; DataError names the first that is not finite or not of the truth's shape."""
    shape = fields["truth"].shape
    for name, values in fields.items():
        if values.ndim != 5 or values.shape != shape:
            raise DataError(f"{name} has shape {tuple(values.shape)}; the scores need (samples, leads, "
                            f"variables, latitude, longitude), here {tuple(shape)}")
        if not torch.isfinite(values).all():
            raise DataError(f"{name} has NaN or infinite values; a score of them would mean nothing")
    return [values.double() for values in fields.values()]


def area_mean(fields: Tensor, area: Tensor) -> Tensor:
    """Area-weighted mean of (..., H, W) over the grid; `area` (H, W) has mean 1."""
    check_vector("area", area, fields.shape[-2:])
    return (fields * area.double()).mean((-2, -1))
