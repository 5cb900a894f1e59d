"""What others would fill sparse days with, on the same days and observations as ours: `python -m benchmarks.peers`.

A method is a class in a file. Those of other packages import them at the head of their file, which is read only when
the method is asked for.
"""

import importlib
from abc import ABC, abstractmethod
from importlib.metadata import version
from typing import ClassVar

import numpy as np

from benchmarks.peers.archive import Archive, Sparse
from sparta_core.errors import ExperimentError
from sparta_core.typed import nearest

PEERS = {"kriging": "Kriging", "dineof": "Dineof", "eofs": "LeastSquares", "gaussian_process": "GaussianProcess",
         "convnp": "ConvolutionalProcess"}  # fmt: skip


class Method(ABC):
    """Makes full fields of sparse days."""

    title: ClassVar[str]  # in tables
    cannot: ClassVar[str]  # what it cannot do, as a phrase
    packages: ClassVar[tuple[str, ...]] = ()  # whose versions tell what was measured
    every_day: ClassVar[bool] = False  # whether it goes through all days before those that are scored
    kept_seconds: float = 0.0  # CPU time of a training that `fit` has found done

    def made_with(self) -> dict[str, str]:
        """What its results depend on besides days and observations: versions of packages."""
        return {name: version(name) for name in self.packages}

    @abstractmethod
    def fit(self, archive: Archive) -> str:
        """Learn from training days, and choose on validation days; returns what was learned and chosen, as a phrase."""

    @abstractmethod
    def __call__(self, sparse: Sparse) -> np.ndarray:
        """Fill the sparse days: (N, C, H, W), standardised anomalies."""


def load(name: str) -> Method:
    """Make a peer by its name.

    Raises:
        ExperimentError: For a name that none has, and for a package that is not there.

    Example:
        load("kriging").fit(archive)
    """
    if name not in PEERS:
        raise ExperimentError(f"there is no peer {name}{nearest(name, PEERS)}; choose of {', '.join(PEERS)}")
    try:
        module = importlib.import_module(f"benchmarks.peers.{name}")
    except ModuleNotFoundError as error:
        package = (error.name or name).partition(".")[0]
        raise ExperimentError(f"{name} needs {package}: pip install 'sparta-core[peers]'") from error
    made: Method = getattr(module, PEERS[name])()
    return made
