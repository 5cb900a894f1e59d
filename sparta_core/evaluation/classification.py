"""Scores of the season classifier against the mask ratio, beside classifiers that need no embedding."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss
from torch import Tensor

from sparta_core.downstream.classification import SEASONS, season_probabilities, seasons
from sparta_core.errors import DataError
from sparta_core.evaluation.interpolation import ObservationGrid, Observed
from sparta_core.evaluation.kept import kept
from sparta_core.evaluation.scores import by_model
from sparta_core.evaluation.seasons import MEANS, Classifier, fit_classifiers
from sparta_core.experiment import Experiment
from sparta_core.training.workbench import Workbench

FILE = "classification.nc"
RATIOS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BINS = 10  # of confidence


def classification_scores(models: Mapping[str, Experiment], ratios: Sequence[float] = RATIOS) -> xr.Dataset:
    """Every score of the test days' seasons (model, ratio, ...), of the models by name and of the first's baselines."""
    made = by_model(models, lambda one: model_classification(one, ratios))
    return xr.concat([made, baseline_classification(next(iter(models.values())), ratios)], "model")


def model_classification(experiment: Experiment, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
    """The same of the experiment's own representation; trains what is missing."""
    bench = Workbench.of(experiment)

    def score() -> xr.Dataset:
        return _against_ratio(bench, ratios, lambda ratio: season_probabilities(experiment, ratio).cpu().numpy())

    return kept(bench.run("classification"), FILE, score, ratios=list(ratios))


def baseline_classification(experiment: Experiment, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
    """The same of the baselines, fitted on the days whose seasons the models learn from too."""
    bench = Workbench.of(experiment)

    def score() -> xr.Dataset:
        grid = ObservationGrid.of(experiment.mask_grid, bench.fields, bench.views)
        test = torch.as_tensor(bench.fields.splits["downstream_test"])
        made = {}
        for name, fitted in fit_classifiers(bench, grid).items():

            def probabilities(ratio: float, fitted: Classifier = fitted) -> np.ndarray:
                return fitted(Observed.draw(grid, bench.fields, test, ratio, experiment.seed, whole=True))

            made[name] = _against_ratio(bench, ratios, probabilities)
        # Distances to means say which season, not how surely.
        unsure = made[MEANS]
        for name in ("cross_entropy", "confidence", "hits", "share"):
            unsure[name] = xr.full_like(unsure[name], np.nan)
        return xr.concat([own.expand_dims(model=[name]) for name, own in made.items()], "model")

    return kept(bench.run("baselines", baselines_variant(experiment)), FILE, score, ratios=list(ratios),
                trained_on=list(experiment.classification_mask_ratio))  # fmt: skip


def baselines_variant(experiment: Experiment) -> str:
    """The end of the name of the baselines' run: they learn from the days that the classifier learns from."""
    return "-classification-train" if experiment.learns_from("classification") == "train" else "-classification"


def _against_ratio(bench: Workbench, ratios: Sequence[float], probabilities: Callable[[float], np.ndarray]
                   ) -> xr.Dataset:  # fmt: skip
    truth = seasons(bench, "downstream_test").cpu().numpy()
    parts = [season_scores(probabilities(ratio), truth) for ratio in ratios]
    return xr.concat(parts, xr.Variable("ratio", list(ratios))).assign_attrs(source=bench.fields.source)


def season_scores(probabilities: np.ndarray | Tensor, truth: np.ndarray) -> xr.Dataset:
    """cross_entropy (nats), accuracy, macro_f1, confusion (season, predicted) in days, and reliability (bin).

    probabilities (N, 4), truth (N,). Of the days whose largest probability falls in a bin of `confidence`,
    `hits` is the share that is right, and `share` how many of all days they are; NaN where there are none.
    Raises DataError for probabilities that are not finite.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if not np.isfinite(probabilities).all():
        raise DataError("the seasons' probabilities have NaN or infinite values; a score of them would mean nothing")
    guess, labels = probabilities.argmax(1), np.arange(len(SEASONS))
    sure = probabilities.max(1)
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        confidence, hits = (np.bincount(place, x, BINS) / count for x in (sure, guess == truth))
    return xr.Dataset({
        "cross_entropy": log_loss(truth, probabilities / probabilities.sum(1, keepdims=True), labels=labels),
        "accuracy": accuracy_score(truth, guess),
        "macro_f1": f1_score(truth, guess, average="macro", labels=np.unique(truth), zero_division=0),
        "confusion": (("season", "predicted"), confusion_matrix(truth, guess, labels=labels)),
        "confidence": ("bin", confidence), "hits": ("bin", hits), "share": ("bin", count / len(truth)),
    }, {"season": list(SEASONS), "predicted": list(SEASONS)})  # fmt: skip
