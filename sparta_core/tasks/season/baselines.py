"""Which season a sparse day is of, without a network: what a practitioner would use."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sparta_core.baselines.interpolation import scores_of
from sparta_core.data.record import Record
from sparta_core.data.sample import Sample
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.observe.masks import draw_ratios
from sparta_core.optimal_interpolation import OptimalInterpolation
from sparta_core.tasks.season.labels import SEASONS, seasons
from sparta_core.training.modes import modes_of
from sparta_core.views.augment import Views

COMPONENTS, MASKS = 50, 3  # of the PCA; how often each training day is masked anew for it
PENALTIES = (1.0, 0.1, 0.01, 0.001)  # C of the logistic regression on scores; what validation days like best counts
LOGISTIC, MEANS, ON_SCORES = "PCA + logistic regression", "nearest seasonal mean", "scores + logistic regression"
Fitted = Callable[[Sample], np.ndarray]  # to probabilities (N, 4)


def fit_classifiers(experiment: Experiment, record: Record, views: Views) -> dict[str, Fitted]:
    """The baselines by name; with a linear path, logistic regression on its scores is one."""
    baselines = {LOGISTIC: fit_logistic(experiment, record, views), MEANS: fit_means(experiment, record, views)}
    return baselines | ({ON_SCORES: fit_on_scores(experiment, record, views)} if experiment.linear_path else {})


def fit_logistic(experiment: Experiment, record: Record, views: Views) -> Fitted:
    """Logistic regression on the principal components of the sparse fields."""
    from sklearn.decomposition import PCA  # here, as all of sklearn: it takes two seconds, and every task is imported

    part = experiment.learns_from("classification")
    days = record.full(record.splits[part])
    generator, masks = (torch.Generator(record.device).manual_seed(experiment.seed) for _ in range(2))
    x = []
    for mask in range(MASKS):
        ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
        x.append(_filled(views.observe(days, masks.manual_seed(experiment.seed + 1 + mask), ratios)))
    labels = np.tile(seasons(record, part).cpu().numpy(), MASKS)
    if len(np.unique(labels)) < 2:
        raise DataError(f"all {part} days are of season {SEASONS[labels[0]]}; use more days, "
                        "or a split that trains on more of them")
    components = min(COMPONENTS, len(days) - 1)
    pipeline = _logistic(PCA(components, random_state=experiment.seed))
    pipeline.fit(np.concatenate(x), labels)
    return lambda observed: _of_all(pipeline, _filled(observed))


def fit_means(experiment: Experiment, record: Record, views: Views) -> Fitted:
    """The season whose mean full field lies nearest, by the mean squared distance over the values observed."""
    part = experiment.learns_from("classification")
    labels, days = seasons(record, part), views.before_observing(record.full(record.splits[part])).values
    means = {season: days[labels == season].mean(0) for season in labels.unique().tolist()}

    def probabilities(observed: Sample) -> np.ndarray:
        distance = torch.full((len(observed), len(SEASONS)), torch.inf)
        for season, mean in means.items():
            squares = (observed.values - mean).square() * observed.observed
            distance[:, season] = (squares.flatten(1).sum(1) / observed.observed.flatten(1).sum(1)).cpu()
        return np.eye(len(SEASONS))[distance.argmin(1).numpy()]

    return probabilities


def _filled(observed: Sample) -> np.ndarray:
    """Masked values at 0, the mean, the others over the share observed: so a component's score is unbiased."""
    return (observed.shown.flatten(1) / observed.observed.flatten(1).mean(1, keepdim=True)).cpu().numpy()


def fit_on_scores(experiment: Experiment, record: Record, views: Views) -> Fitted:
    """Logistic regression on the modes' scores by optimal interpolation, with all training days."""
    from sklearn.metrics import log_loss

    interpolation = OptimalInterpolation(modes_of(experiment, record)).to(record.device)

    def scores(observed: Sample) -> np.ndarray:
        return scores_of(interpolation, observed.values, observed.observed).double().cpu().numpy()

    def sparse(split: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        days, generators = record.splits[split], [torch.Generator(record.device).manual_seed(seed) for _ in range(2)]
        ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generators[0])
        observed = views.observe(record.full(days), generators[1], ratios)
        return scores(observed), record.season[days.start : days.stop]

    (x, labels), (held_out, truth) = sparse("train", experiment.seed + 1), sparse("validation", experiment.seed + 2)
    fitted = [_logistic(penalty=penalty).fit(x, labels) for penalty in PENALTIES]
    every = range(len(SEASONS))
    best = min(fitted, key=lambda each: log_loss(truth, _of_all(each, held_out), labels=every))
    return lambda observed: _of_all(best, scores(observed))


def _logistic(*before: Any, penalty: float = 1.0) -> Any:
    """A pipeline that ends with logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(*before, StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))


def _of_all(fitted: Any, x: np.ndarray) -> np.ndarray:
    """Probabilities (N, 4) by a pipeline that may know fewer seasons."""
    probabilities = np.zeros((len(x), len(SEASONS)))
    probabilities[:, fitted.classes_] = fitted.predict_proba(x)
    return probabilities
