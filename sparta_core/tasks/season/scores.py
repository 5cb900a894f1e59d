"""Scores of the probabilities of seasons."""

from collections.abc import Iterator

import numpy as np
import scipy  # whose parts load when they are asked for
import xarray as xr
from torch import Tensor

from sparta_core.errors import DataError
from sparta_core.tasks.season.labels import SEASONS

BINS = 10  # of confidence, before neighbours join
FEWEST = 15  # days of a bin: of fewer, the share that is right says nothing
CONFIDENCE = 0.95  # of the interval of that share
RELIABILITY = ("confidence", "hits", "hits_low", "hits_high", "days")


def rows(scores: xr.Dataset) -> Iterator[tuple[str, str, float]]:
    """What the score card shows of a model's scores (ratio, ...): means over the ratios, of what is known."""
    low, high = float(scores.ratio.min()), float(scores.ratio.max())
    for name in ("cross_entropy", "accuracy", "macro_f1"):
        if not scores[name].isnull().all():
            yield f"mask{low:g}-{high:g}", name, float(scores[name].mean("ratio"))


def season_scores(probabilities: np.ndarray | Tensor, truth: np.ndarray) -> xr.Dataset:
    """cross_entropy (nats), accuracy, macro_f1, confusion (season, predicted) in days, and reliability (bin).

    probabilities (N, 4), truth (N,). Reliability is that of `reliability`. Raises DataError for probabilities that are
    not finite.
    """
    from sklearn import metrics  # here, as it takes two seconds, and every task is imported

    probabilities = np.asarray(probabilities, dtype=np.float64)
    if not np.isfinite(probabilities).all():
        raise DataError("the seasons' probabilities have NaN or infinite values; a score of them would mean nothing")
    guess, labels = probabilities.argmax(1), np.arange(len(SEASONS))
    return xr.Dataset({
        "cross_entropy": metrics.log_loss(truth, probabilities / probabilities.sum(1, keepdims=True), labels=labels),
        "accuracy": metrics.accuracy_score(truth, guess),
        "macro_f1": metrics.f1_score(truth, guess, average="macro", labels=np.unique(truth), zero_division=0),
        "confusion": (("season", "predicted"), metrics.confusion_matrix(truth, guess, labels=labels)),
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
    binned = {name: np.full(BINS, np.nan) for name in RELIABILITY}
    for number, days in enumerate(reversed(bins)):  # the least sure first
        hits = int(right[days].sum())
        low, high = scipy.stats.binomtest(hits, len(days)).proportion_ci(CONFIDENCE, "wilson")
        for name, value in zip(RELIABILITY, (sure[days].mean(), hits / len(days), low, high, len(days)), strict=True):
            binned[name][number] = value
    return binned
