"""Ordinary kriging on the sphere by gstools, a variable at a time (Matheron, 1963; Müller et al., 2022, GMD)."""

from importlib.metadata import version
from typing import Any, ClassVar

import gstools
import numpy as np

from benchmarks.peers import Method
from benchmarks.peers.archive import Archive, Sparse, observed
from sparta_core.progress import Told

MODELS = ("Exponential", "Spherical", "Gaussian", "Cubic", "JBessel")
POINTS, DAYS = 800, 60  # of the training days, that a variogram is estimated from
REACH, BINS = 6000.0, 30  # km, of the variogram
NUDGE = 1e-3  # degrees
SPARSE_DAYS, DENSE_DAYS, DENSE = 8, 2, 300  # validation days that a model is chosen on, of few values and of many


class Kriging(Method):
    """Kriges anomalies over their standard deviation at their place, which makes them nearly stationary.

    The variogram of each variable is estimated on training days and fitted with several covariance models, with a
    nugget; which of them is taken is chosen for each kind of observations by the error on validation days. Observed
    values are kept.
    """

    title: ClassVar[str] = f"ordinary kriging (gstools {version('gstools')})"
    cannot: ClassVar[str] = "takes one variable at a time, one covariance for all places and days, and has no memory"
    packages: ClassVar[tuple[str, ...]] = ("gstools",)

    def fit(self, archive: Archive) -> str:
        self.scale = archive.scale.reshape(len(archive.variables), -1).astype(np.float64)
        self.places = tuple(each.reshape(-1) for each in archive.record.domain.places())
        self.models = [self.fitted(archive, channel) for channel in range(len(archive.variables))]
        told = Told(len(archive.validation))
        self.chosen: dict[str, list[str]] = {}
        for number, (kind, sparse) in enumerate(archive.validation.items()):
            self.chosen[kind] = self.choice(archive, sparse)
            told(number + 1, f"kriging: chosen for {kind}")
        words = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in self.chosen.items())
        return f"variograms of {len(archive.some(DAYS))} training days; covariance models by validation days: {words}"

    def fitted(self, archive: Archive, channel: int) -> dict[str, Any]:
        """The covariance models of a variable, fitted to its variogram on training days."""
        points = archive.points(POINTS)
        days = archive.some(DAYS)[:, channel].reshape(-1, self.scale.shape[1]) / self.scale[channel]
        # gstools counts two points on opposite sides of the globe in all bins where rounding makes their distance NaN.
        nudge = np.random.default_rng(0).uniform(-NUDGE, NUDGE, (2, len(points)))
        distance, variogram = gstools.vario_estimate(
            [each[points] + by for each, by in zip(self.places, nudge, strict=True)], list(days[:, points]),
            np.linspace(0, REACH, BINS + 1), latlon=True, geo_scale=gstools.KM_SCALE)  # fmt: skip
        models = {}
        for name in MODELS:
            models[name] = getattr(gstools, name)(latlon=True, geo_scale=gstools.KM_SCALE)
            models[name].fit_variogram(distance, variogram, nugget=True)
        return models

    def choice(self, archive: Archive, sparse: Sparse) -> list[str]:
        """Of each variable the model with the least error on some validation days."""
        dense = np.isfinite(sparse.values[0, 0]).sum() > DENSE
        days = np.linspace(0, len(sparse.values) - 1, DENSE_DAYS if dense else SPARSE_DAYS).astype(int)
        area, truth = archive.area.reshape(-1), sparse.truth[days].reshape(len(days), len(self.scale), -1)
        error = np.zeros((len(self.scale), len(MODELS)))
        for day, channel, places, values in observed(sparse.values[days]):
            for number, name in enumerate(MODELS):
                made = self.filled(self.models[channel][name], channel, places, values)
                error[channel, number] += np.average(np.square(made - truth[day, channel]), weights=area)
        return [MODELS[number] for number in error.argmin(1)]

    def filled(self, model: Any, channel: int, places: np.ndarray, values: np.ndarray) -> np.ndarray:
        """A field (P,) of a variable from its values at some places, both (p,)."""
        scale = self.scale[channel]
        known = tuple(each[places] for each in self.places)
        kriged = gstools.krige.Ordinary(model, known, values / scale[places], exact=True, pseudo_inv_type="pinvh")
        made: np.ndarray = kriged(self.places, return_var=False, store=False) * scale
        return made

    def __call__(self, sparse: Sparse) -> np.ndarray:
        made = np.empty_like(sparse.values).reshape(*sparse.values.shape[:2], -1)
        told = Told(made.shape[0] * made.shape[1])
        for day, channel, places, values in observed(sparse.values):
            model = self.models[channel][self.chosen[sparse.kind][channel]]
            made[day, channel] = self.filled(model, channel, places, values)
            told(day * made.shape[1] + channel + 1, f"kriging, {sparse.kind}: day {day + 1}/{len(made)}")
        return made.reshape(sparse.values.shape)
