"""Least squares on the leading EOFs by xeofs (Rieger and Levang, 2024, JOSS), all variables together."""

from importlib.metadata import version
from typing import ClassVar

import numpy as np
import xarray as xr
import xeofs

from benchmarks.peers import Method
from benchmarks.peers.archive import Archive, Sparse
from sparta_core.progress import say

MODES = 1700  # at most
TRIED = (5, 10, 20, 30, 40, 55, 75, 100, 130, 170, 220, 300, 400, 600, 800, 1000, 1200, 1400, 1700)


class LeastSquares(Method):
    """Finds the scores of the leading EOFs that are closest to what is observed, each variable over its own std.

    EOFs are those of the training anomalies, weighted by the area, of standardised variables together. How many of
    them are taken is chosen for each kind of observations by the error on validation days.
    """

    title: ClassVar[str] = f"least squares on EOFs (xeofs {version('xeofs')})"
    cannot: ClassVar[str] = "trusts all of its EOFs alike, so that few can be taken, and has no memory"
    packages: ClassVar[tuple[str, ...]] = ("xeofs",)

    def fit(self, archive: Archive) -> str:
        self.std = archive.std
        say("eofs: EOFs of the training days")
        self.patterns = patterns(archive, self.std, MODES)
        self.count: dict[str, int] = {}
        for kind, sparse in archive.validation.items():
            tried = [count for count in TRIED if count <= len(self.patterns)]
            wrong = [archive.error(self.filled(sparse.values, count), sparse) for count in tried]
            self.count[kind] = tried[int(np.argmin(wrong))]
        words = ", ".join(f"{count} for {kind}" for kind, count in self.count.items())
        return f"EOFs of {len(archive.train):,} training days; their number by validation days: {words}"

    def filled(self, values: np.ndarray, count: int) -> np.ndarray:
        """Sparse days (N, C, H, W) from so many EOFs."""
        flat, shown = (values / self.std).reshape(len(values), -1), self.patterns[:count].reshape(count, -1)
        made = np.empty(values.shape, np.float32)
        for number, day in enumerate(flat):
            places = np.flatnonzero(~np.isnan(day))
            scores = np.linalg.lstsq(shown[:, places].T, day[places], rcond=None)[0]
            made[number] = (scores @ shown).reshape(values.shape[1:]) * self.std
        return made

    def __call__(self, sparse: Sparse) -> np.ndarray:
        return self.filled(sparse.values, self.count[sparse.kind])


def patterns(archive: Archive, std: np.ndarray, count: int) -> np.ndarray:
    """The leading EOFs (K, C, H, W) of standardised training anomalies, as fields, float64."""
    days = archive.train / std
    places = {"time": np.arange(len(days)), "lat": archive.latitude, "lon": archive.longitude}
    fields = [xr.DataArray(days[:, channel], dims=("time", "lat", "lon"), coords=places, name=name)
              for channel, name in enumerate(archive.variables)]  # fmt: skip
    wanted = min(count, len(days) - 1)
    model = xeofs.single.EOF(n_modes=wanted, center=False, use_coslat=True, random_state=0, check_nans=False)
    model.fit(fields, dim="time")
    number = np.arange(1, wanted + 1)
    unit = xr.DataArray(np.eye(wanted), dims=("time", "mode"), coords={"time": number, "mode": number})
    made = model.inverse_transform(unit)
    return np.stack([each.transpose("time", "lat", "lon").values for each in made], axis=1)
