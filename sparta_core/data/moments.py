"""Number, mean, spread and range of values, of parts of them, and of all parts together."""

from typing import Any, NamedTuple

import numpy as np


class Moments(NamedTuple):
    """Of the finite values of an array or of its parts, float64; a part without any has the mean 0, and no range."""

    number: np.ndarray
    mean: np.ndarray
    squares: np.ndarray  # sum of squared anomalies from the mean
    minimum: np.ndarray
    maximum: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Moments":
        """Of the last two axes of `values` (..., H, W)."""
        exact = values.reshape(*values.shape[:-2], -1).astype(np.float64)
        finite = np.isfinite(exact)
        there: Any = True if finite.all() else finite  # without a mask sums are several times as fast
        number = finite.sum(-1)
        mean = exact.sum(-1, where=there) / np.maximum(number, 1)
        squares = np.square(exact - mean[..., None]).sum(-1, where=there)
        return cls(number, mean, squares, exact.min(-1, where=there, initial=np.inf),
                   exact.max(-1, where=there, initial=-np.inf))  # fmt: skip

    @classmethod
    def joined(cls, parts: "list[Moments]") -> "Moments":
        """Parts one after the other along the first axis."""
        return cls(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def total(self) -> "Moments":
        """Of all parts along the first axis together (Chan et al. 1983)."""
        number = self.number.sum(0)
        mean = (self.number * self.mean).sum(0) / np.maximum(number, 1)
        squares = (self.squares + self.number * (self.mean - mean) ** 2).sum(0)
        return Moments(number, mean, squares, self.minimum.min(0), self.maximum.max(0))

    def part(self, days: range) -> "Moments":
        """The parts `days` along the first axis."""
        return Moments(*(array[days.start : days.stop] for array in self))

    @property
    def std(self) -> np.ndarray:
        std: np.ndarray = np.sqrt(self.squares / np.maximum(self.number, 1))
        return std
