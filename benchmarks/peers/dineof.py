"""DINEOF by pyDINEOF (Beckers and Rixen, 2003), of all variables side by side (Alvera-Azcárate et al., 2007).

Missing values are guessed, EOFs are taken of all days, the values are guessed again from the leading ones, and so on.
"""

import contextlib
import io
from importlib.metadata import version
from typing import ClassVar

import numpy as np
import xarray as xr
from pydineof import run_2D

from benchmarks.peers import Method
from benchmarks.peers.archive import Archive, Sparse
from sparta_core.progress import say

COMPLETE = 400  # training days beside the sparse ones
MODES = 200  # EOFs at most
SPARE = 20  # dimensions beside as many of the subspace that EOFs are sought in
TRIED = 0.05  # share of the sparse days' values by which the number of EOFs is chosen


class Dineof(Method):
    """Fills all sparse days at once, beside complete training days, from which it has its EOFs.

    Nothing is learned before: the number of EOFs is found in each run, by its own cross-validation, on values of the
    sparse days. Observed values are kept.
    """

    title: ClassVar[str] = f"DINEOF (pyDINEOF {version('pyDINEOF')})"
    cannot: ClassVar[str] = "has to be run again, with its training days, for each new day"
    packages: ClassVar[tuple[str, ...]] = ("pyDINEOF",)

    def fit(self, archive: Archive) -> str:
        self.std = archive.std
        self.weight = np.sqrt(archive.area) / self.std
        self.complete = archive.some(COMPLETE)
        return (f"beside {len(self.complete)} complete training days; at most {MODES} EOFs, their number in each run "
                f"by {TRIED:.0%} of the sparse days' values")  # fmt: skip

    def __call__(self, sparse: Sparse) -> np.ndarray:
        say(f"dineof, {sparse.kind}: a run on {len(self.complete) + len(sparse.values)} days")
        days = np.concatenate([self.complete, sparse.values]) * self.weight
        made = filled(side_by_side(days), len(self.complete), min(MODES, len(days) // 2))
        return (apart(made, sparse.values.shape[1])[len(self.complete) :] / self.weight).astype(np.float32)


def filled(days: np.ndarray, complete: int, modes: int, seed: int = 0) -> np.ndarray:
    """Days (T, Y, X) with all values, which are those that were there and what DINEOF makes of NaN.

    Args:
        days: The first of them whole.
        complete: How many those are.
        modes: EOFs at most.
        seed: Of the values of the others by which the number of EOFs is chosen.
    """
    matrix = days.reshape(len(days), -1).T
    rows, columns = np.nonzero(~np.isnan(matrix[:, complete:]))
    drawn = np.random.default_rng(seed).choice(len(rows), max(1, int(TRIED * len(rows))), replace=False)
    tried = rows[drawn], columns[drawn] + complete
    # It takes logarithms of what it is given, and dates as whole numbers.
    axes = dict(zip(("time", "y", "x"), map(np.arange, days.shape), strict=True))
    given = xr.DataArray(np.exp(days), axes, tuple(axes))
    with contextlib.redirect_stdout(io.StringIO()):
        made = run_2D(given, nev=modes, ncv=modes + SPARE, clouds=tried, rec=False, seed=seed)
    values = np.log(made.transpose("time", "y", "x").values.astype(np.float64))
    return np.where(np.isnan(days), values, days)


def side_by_side(days: np.ndarray) -> np.ndarray:
    """Days (N, C, H, W) as one variable (N, C H, W)."""
    return days.reshape(len(days), -1, days.shape[-1])


def apart(days: np.ndarray, variables: int) -> np.ndarray:
    """The other way."""
    return days.reshape(len(days), variables, -1, days.shape[-1])
