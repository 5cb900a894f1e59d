"""Sample: values of fields, what of them is observed, and when; what every step of the way hands on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

UNKNOWN = np.datetime64("NaT", "s")  # the time of fields that have none


@dataclass(frozen=True, eq=False)
class Sample:
    """Fields at some times, and their mask.

    Args:
        values: (B, C, H, W), finite; they count where they are observed.
        observed: (B, C, H, W), 1 where a value is observed, else 0.
        time: (B,) int64, seconds since 1970, on the values' device.
        follows: (B,) bool, whether a time comes next after the one before on its own calendar; None where that is the
            record's, whose clock can tell.

    Example:
        >>> sample = Sample.of(torch.tensor([[[[1.0, torch.nan]]]]), np.array(["2001-01-01"], "M8[D]"))
        >>> sample.observed.tolist(), str(sample.dates[0])
        ([[[[1.0, 0.0]]]], '2001-01-01T00:00:00')
    """

    values: Tensor
    observed: Tensor
    time: Tensor
    follows: Tensor | None = None

    @classmethod
    def of(cls, values: Tensor, dates: np.ndarray | None = None, follows: np.ndarray | None = None) -> "Sample":
        """Take NaN in values (B, C, H, W) as not observed; dates (B,), datetime64, None where they are not known."""
        time = seconds(np.full(len(values), UNKNOWN) if dates is None else dates).to(values.device)
        next_ones = None if follows is None else torch.from_numpy(follows).to(values.device)
        return cls(values.nan_to_num(0), (~values.isnan()).to(values.dtype), time, next_ones)

    @classmethod
    def full(cls, values: Tensor, time: Tensor) -> "Sample":
        """Take every value (B, C, H, W) as observed."""
        return cls(values, values.new_ones(()).expand(values.shape), time)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice | Tensor) -> "Sample":
        follows = None if self.follows is None else self.follows[rows]
        return Sample(self.values[rows], self.observed[rows], self.time[rows], follows)

    def split(self, size: int) -> Iterator["Sample"]:
        """Yield `size` times after the other, the last ones being fewer."""
        return (self[start : start + size] for start in range(0, len(self), size))

    @property
    def shown(self) -> Tensor:
        """The values that are observed, 0 elsewhere: (B, C, H, W)."""
        return self.values * self.observed

    @property
    def with_gaps(self) -> Tensor:
        """The values that are observed, NaN elsewhere: (B, C, H, W)."""
        return torch.where(self.observed > 0, self.values, torch.nan)

    @property
    def dates(self) -> np.ndarray:
        """When they are of, (B,) datetime64[s]."""
        return self.time.cpu().numpy().astype("datetime64[s]")


def seconds(dates: np.ndarray) -> Tensor:
    """Dates, datetime64, as seconds since 1970, int64."""
    return torch.from_numpy(dates.astype("datetime64[s]").astype(np.int64))
