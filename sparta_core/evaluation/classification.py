"""Scores of the season classifier against the mask ratio, beside classifiers that need no embedding."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import xarray as xr
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss
from torch import Tensor

from sparta_core.baselines.interpolation import ObservationGrid, Observed
from sparta_core.downstream.classification import SEASONS, season_probabilities, seasons
from sparta_core.errors import DataError
from sparta_core.evaluation.seasons import MEANS, Classifier, fit_classifiers
from sparta_core.experiment import Experiment
from sparta_core.tasks import by_model
from sparta_core.training.kept import kept
from sparta_core.training.workbench import Workbench

FILE = "classification.nc"
RATIOS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
BINS = 10  # of confidence, before neighbours join
FEWEST = 15  # days of a bin: of fewer, the share that is right says nothing
CONFIDENCE = 0.95  # of the interval of that share
RELIABILITY = ("confidence", "hits", "hits_low", "hits_high", "days")
# What scores are kept with, beside the ratios: others count as missing.
BINNED = {"fewest_days_of_a_bin": FEWEST}


def classification_scores(models: Mapping[str, Experiment], ratios: Sequence[float] = RATIOS) -> xr.Dataset:
    """Every score of the test days' seasons (model, ratio, ...), of the models by name and of the first's baselines."""
    made = by_model(models, lambda one: model_classification(one, ratios))
    return xr.concat([made, baseline_classification(next(iter(models.values())), ratios)], "model")


def model_classification(experiment: Experiment, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
    """The same of the experiment's own representation; trains what is missing."""
    bench = Workbench.of(experiment)

    def score() -> xr.Dataset:
        return _against_ratio(bench, ratios, lambda ratio: season_probabilities(experiment, ratio).cpu().numpy())

    return kept(bench.run("classification"), FILE, score, ratios=list(ratios), **BINNED)


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
        for name in ("cross_entropy", *RELIABILITY):
            unsure[name] = xr.full_like(unsure[name], np.nan)
        return xr.concat([own.expand_dims(model=[name]) for name, own in made.items()], "model")

    return kept(bench.run("baselines", baselines_variant(experiment)), FILE, score, ratios=list(ratios),
                trained_on=list(experiment.classification_mask_ratio), **BINNED)  # fmt: skip


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

    probabilities (N, 4), truth (N,). Reliability is that of `reliability`. Raises DataError for probabilities that are
    not finite.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if not np.isfinite(probabilities).all():
        raise DataError("the seasons' probabilities have NaN or infinite values; a score of them would mean nothing")
    guess, labels = probabilities.argmax(1), np.arange(len(SEASONS))
    return xr.Dataset({
        "cross_entropy": log_loss(truth, probabilities / probabilities.sum(1, keepdims=True), labels=labels),
        "accuracy": accuracy_score(truth, guess),
        "macro_f1": f1_score(truth, guess, average="macro", labels=np.unique(truth), zero_division=0),
        "confusion": (("season", "predicted"), confusion_matrix(truth, guess, labels=labels)),
        **{name: ("bin", values) for name, values in reliability(probabilities.max(1), guess == truth).items()},
    }, {"season": list(SEASONS), "predicted": list(SEASONS)})  # fmt: skip


def reliability(sure: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """RELIABILITY, by name (BINS,): is the share that is right as large as the probabilities of what was chosen?

    Of days `sure` (N,) of what they chose, from 0 to 1, some are `right` (N,). Bins of a tenth join the next less sure
    one, from the surest down, until they hold FEWEST days; what is left over joins the last, and what is no bin is NaN.
    Of each the mean `confidence`, the share of `hits` with its Wilson interval, and the number of `days`.
    """
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    bins: list[np.ndarray] = []
    waiting = np.empty(0, dtype=int)
    for tenth in reversed(range(BINS)):
        waiting = np.append(waiting, np.flatnonzero(place == tenth))
        if len(waiting) >= FEWEST:
            bins.append(waiting)
            waiting = waiting[:0]
    if bins:
        bins[-1] = np.append(bins[-1], waiting)
    made = {name: np.full(BINS, np.nan) for name in RELIABILITY}
    for number, days in enumerate(reversed(bins)):  # the least sure first
        hits = int(right[days].sum())
        low, high = binomtest(hits, len(days)).proportion_ci(CONFIDENCE, "wilson")
        for name, value in zip(RELIABILITY, (sure[days].mean(), hits / len(days), low, high, len(days)), strict=True):
            made[name][number] = value
    return made
