"""Gaussian processes on the sphere by scikit-learn, a variable at a time (Rasmussen and Williams, 2006)."""

from typing import Any, ClassVar

import numpy as np
import sklearn
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from benchmarks.peers import Method
from benchmarks.peers.archive import Archive, Sparse, observed
from sparta_core.progress import Told

POINTS, DAYS = 400, 100  # of the training days, that a kernel is fitted to
SHAPES = {"Matern 1/2": Matern(nu=0.5), "Matern 3/2": Matern(nu=1.5), "Matern 5/2": Matern(nu=2.5), "RBF": RBF()}
LENGTH, NOISE = 0.2, 0.05  # where the fit begins: of the earth's radius, and of the variance
LENGTHS, NOISES = (0.02, 3.0), (1e-5, 1.0)


class GaussianProcess(Method):
    """Takes a covariance of the chord between points of the unit sphere, times a constant, plus white noise.

    Anomalies are over their standard deviation at their place. The kernel of each variable has the parameters, and is
    of the shape, that make training days most likely, each day a draw of its own.
    """

    title: ClassVar[str] = f"Gaussian process (scikit-learn {sklearn.__version__})"
    cannot: ClassVar[str] = "takes one variable at a time, one covariance for all places and days, and has no memory"
    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    def fit(self, archive: Archive) -> str:
        self.scale = archive.scale.reshape(len(archive.variables), -1).astype(np.float64)
        self.positions = archive.positions
        points, days = archive.points(POINTS), archive.some(DAYS)
        told = Told(len(self.scale) * len(SHAPES))
        self.kernels: list[Any] = []
        names: list[str] = []
        for channel, scale in enumerate(self.scale):
            draws = (days[:, channel].reshape(len(days), -1) / scale)[:, points].T
            fitted = {}
            for name, shape in SHAPES.items():
                process = GaussianProcessRegressor(begun(shape), random_state=0).fit(self.positions[points], draws)
                fitted[name] = process.log_marginal_likelihood_value_, process.kernel_
                told(len(names) * len(SHAPES) + len(fitted), f"gaussian_process: {archive.variables[channel]}, {name}")
            best = max(fitted, key=lambda name: fitted[name][0])
            self.kernels.append(fitted[best][1])
            names.append(best)
        return (f"kernels most likely on {len(days)} training days at {len(points)} points: "
                f"{', '.join(names)}")  # fmt: skip

    def filled(self, kernel: Any, channel: int, places: np.ndarray, values: np.ndarray) -> np.ndarray:
        """A field (P,) of a variable from its values at some places, both (p,)."""
        scale = self.scale[channel]
        process = GaussianProcessRegressor(kernel, optimizer=None).fit(self.positions[places], values / scale[places])
        made: np.ndarray = process.predict(self.positions) * scale
        return made

    def __call__(self, sparse: Sparse) -> np.ndarray:
        made = np.empty_like(sparse.values).reshape(*sparse.values.shape[:2], -1)
        told = Told(len(made))
        for day, channel, places, values in observed(sparse.values):
            made[day, channel] = self.filled(self.kernels[channel], channel, places, values)
            told(day + 1, f"gaussian_process, {sparse.kind}: day {day + 1}/{len(made)}")
        return made.reshape(sparse.values.shape)


def begun(shape: Any) -> Any:
    """The kernel of a shape before its fit: a constant times the shape, plus noise."""
    scaled = shape.clone_with_theta(np.log([LENGTH])).set_params(length_scale_bounds=LENGTHS)
    return ConstantKernel(1.0) * scaled + WhiteKernel(NOISE, NOISES)
