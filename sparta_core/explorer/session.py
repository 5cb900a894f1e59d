"""What the explorer shows: a day, what the encoder saw of it, what became of it, and where it lies among the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.latent.scores import analogues, tsne
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation

PLANES = ("PCA", "t-SNE")
SPLIT = "downstream"
ANALOGUES, GAP = 5, 60  # how many, and how many days back they begin: before that it is the same weather


@dataclass(frozen=True)
class Frame:
    """One day of one variable in physical units, and the embedding of what the encoder saw of it."""

    truth: NDArray[np.float32]  # (H, W)
    observed: NDArray[np.float32]  # (h, w) on the grid where values are masked; NaN where they are
    reconstruction: NDArray[np.float32]  # (H, W)
    rmse: float  # area-weighted
    embedding: Tensor  # (E,)

    @property
    def error(self) -> NDArray[np.float32]:
        return self.reconstruction - self.truth


class Session:
    """The downstream days under each model; models are trained or loaded, days embedded, when first asked for."""

    def __init__(self, experiments: Mapping[str, Experiment]) -> None:
        if not experiments:
            raise ExperimentError("there is no model to explore; name at least one experiment")
        self.experiments = dict(experiments)
        self.records = {name: open_record(experiment) for name, experiment in experiments.items()}
        self.record = next(iter(self.records.values()))
        days = self.record.fingerprint, self.record.splits
        for name, record in self.records.items():
            if (record.fingerprint, record.splits) != days:
                raise DataError(f"{name} was trained on other days than the first model; explore them apart")
        self.days = self.record.splits[SPLIT]
        self._models: dict[str, Sparta] = {}
        self._embeddings: dict[str, Tensor] = {}
        self._pca: dict[str, Any] = {}
        self._planes: dict[tuple[str, str], NDArray[np.float64]] = {}

    def model(self, name: str) -> Sparta:
        """The model, trained if it is missing."""
        if name not in self._models:
            self._models[name] = representation(self.experiments[name])
        return self._models[name]

    def embeddings(self, name: str) -> Tensor:
        """All days, whole, under a model: (days, E)."""
        if name not in self._embeddings:
            self._embeddings[name] = embed(self.model(name), self.records[name].split(SPLIT))
        return self._embeddings[name]

    def plane(self, name: str, method: str) -> NDArray[np.float64]:
        """All days as points (days, 2) in one of PLANES."""
        if (name, method) not in self._planes:
            z = self.embeddings(name)
            made = tsne(z, self.experiments[name].seed) if method == "t-SNE" else self._fitted(name).transform(_flat(z))
            self._planes[name, method] = np.asarray(made, dtype=np.float64)
        return self._planes[name, method]

    def on_plane(self, name: str, method: str, embedding: Tensor) -> NDArray[np.float64] | None:
        """Where another embedding (E,) lies in the plane (2,); t-SNE has no place for new points."""
        return self._fitted(name).transform(_flat(embedding[None]))[0] if method == "PCA" else None

    def _fitted(self, name: str) -> Any:
        if name not in self._pca:
            from sklearn.decomposition import PCA  # here, as it takes two seconds to import

            self._pca[name] = PCA(2, svd_solver="full").fit(_flat(self.embeddings(name)))
        return self._pca[name]

    @torch.no_grad()
    def frame(self, name: str, day: int, ratio: float, variable: int) -> Frame:
        """Day `day`, counted from the first shown, with a fraction `ratio` masked by a draw that is the day's own."""
        record, model = self.records[name], self.model(name)
        truth = record.take(torch.tensor([self.days[day]], device=record.device))
        observed = model.views.observe(truth, torch.Generator(record.device).manual_seed(day), ratio)
        embedding = embed(model, observed)
        reconstruction = model.corrected(decode(model, embedding), model.views.shown(observed))
        square = ((reconstruction - truth.with_gaps)[0, variable].square() * record.cell_area).mean()
        rmse = float(square.sqrt() * record.std[variable])
        whole, sparse, made = (self._physical(name, days, truth.dates, variable) for days in
                              (truth.with_gaps, observed.with_gaps, reconstruction))  # fmt: skip
        return Frame(whole, sparse, made, rmse, embedding[0])

    def _physical(self, name: str, fields: Tensor, dates: NDArray[np.datetime64], variable: int) -> NDArray[np.float32]:
        """One variable (H, W), or on the grid on which values are masked, of one day's standardised fields."""
        record, view = self.records[name], self.model(name).views
        native = fields.shape[-2:] == record.grid
        climatology = record.climatology_of(dates)
        full = fields + (climatology if native or not climatology.ndim else view.enlarged(climatology))
        field: NDArray[np.float32] = (full[0, variable] * record.std[variable] + record.mean[variable]).cpu().numpy()
        return field

    def analogues(self, name: str, day: int) -> list[tuple[int, float]]:
        """The past days nearest in latent space, whole days, nearest first, each with its distance."""
        gap = max(1, round(GAP / self.record.clock.days))
        days, distances = analogues(self.embeddings(name), day, ANALOGUES, gap)
        return list(zip(days.tolist(), distances.tolist(), strict=True))

    def limits(self, variable: int) -> tuple[float, float, float]:
        """Lowest and highest value, and the largest anomaly from the days' mean, in physical units.

        Of all days shown, less one value in 200 at either end: the colour scales, the same for every day.
        """
        step = max(1, len(self.days) // 100)
        days = slice(self.days.start, self.days.stop, step)
        sample = self.record.take(days)
        values = self.record.physical(sample.with_gaps, sample.dates)[:, variable].cpu().numpy()
        low, high = np.percentile(values, (0.5, 99.5))
        return float(low), float(high), float(np.percentile(np.abs(values - values.mean(0)), 99.5))

    def date(self, day: int) -> str:
        """The time of a day counted from the first shown, as a person reads it."""
        return self.record.clock.text(self.record.time[self.days[day]])


def _flat(embeddings: Tensor) -> NDArray[np.float64]:
    return embeddings.double().cpu().numpy()
