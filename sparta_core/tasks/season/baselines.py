"""Which season a sparse day is of, without a network: what a practitioner would use."""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sparta_core.baselines.interpolation import ObservationGrid, Observed, scores_of
from sparta_core.encoders.linear_path import OptimalInterpolation
from sparta_core.errors import DataError
from sparta_core.observe.masks import draw_ratios
from sparta_core.tasks.season.labels import SEASONS, full_fields, seasons
from sparta_core.training.modes import modes_of
from sparta_core.training.workbench import Workbench

COMPONENTS, MASKS = 50, 3  # of the PCA; how often each training day is hidden anew for it
PENALTIES = (1.0, 0.1, 0.01, 0.001)  # C of the logistic regression on scores; what validation days like best counts
LOGISTIC, MEANS, ON_SCORES = "PCA + logistic regression", "nearest seasonal mean", "scores + logistic regression"
Fitted = Callable[[Observed], np.ndarray]  # to probabilities (N, 4)


def fit_classifiers(bench: Workbench, grid: ObservationGrid) -> dict[str, Fitted]:
    """The baselines by name; with a linear path, logistic regression on its scores is one."""
    baselines = {LOGISTIC: fit_logistic(bench, grid), MEANS: fit_means(bench, grid)}
    return baselines | ({ON_SCORES: fit_on_scores(bench, grid)} if bench.experiment.linear_path else {})


def fit_logistic(bench: Workbench, grid: ObservationGrid) -> Fitted:
    """Logistic regression on the principal components of the sparse fields."""
    experiment, fields = bench.experiment, bench.fields
    part = experiment.learns_from("classification")
    days = torch.as_tensor(fields.splits[part])
    generator = torch.Generator(bench.device).manual_seed(experiment.seed)
    x = []
    for mask in range(MASKS):
        ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
        x.append(_filled(Observed.draw(grid, fields, days, ratios, experiment.seed + 1 + mask, whole=True)))
    labels = np.tile(seasons(bench, part).cpu().numpy(), MASKS)
    if len(np.unique(labels)) < 2:
        raise DataError(f"all {part} days are of season {SEASONS[labels[0]]}; use more days, "
                        "or a split that trains on more of them")
    components = min(COMPONENTS, len(days) - 1)
    pipeline = make_pipeline(PCA(components, random_state=experiment.seed), StandardScaler(),
                             LogisticRegression(max_iter=1000))  # fmt: skip
    pipeline.fit(np.concatenate(x), labels)
    return lambda observed: _of_all(pipeline, _filled(observed))


def fit_means(bench: Workbench, grid: ObservationGrid) -> Fitted:
    """The season whose mean whole field lies nearest, by the mean squared distance over the values seen."""
    part = bench.experiment.learns_from("classification")
    labels, days = seasons(bench, part), grid.project(full_fields(bench, part))
    means = {season: days[labels == season].mean(0) for season in labels.unique().tolist()}

    def probabilities(observed: Observed) -> np.ndarray:
        distance = torch.full((len(observed.days), len(SEASONS)), torch.inf)
        for season, mean in means.items():
            squares = (observed.values - mean).square() * observed.seen
            distance[:, season] = (squares.flatten(1).sum(1) / observed.seen.flatten(1).sum(1)).cpu()
        return np.eye(len(SEASONS))[distance.argmin(1).numpy()]

    return probabilities


def _filled(observed: Observed) -> np.ndarray:
    """Hidden values at 0, the mean, the others over the share seen: so a component's score is unbiased."""
    seen = observed.seen.flatten(1).to(observed.values)
    return (observed.values.flatten(1) * seen / seen.mean(1, keepdim=True)).cpu().numpy()


def fit_on_scores(bench: Workbench, grid: ObservationGrid) -> Fitted:
    """Logistic regression on the modes' scores by optimal interpolation, with all training days."""
    experiment, fields = bench.experiment, bench.fields
    interpolation = OptimalInterpolation(modes_of(experiment, fields)).to(bench.device)

    def scores(observed: Observed) -> np.ndarray:
        return scores_of(interpolation, observed.values, observed.seen).double().cpu().numpy()

    def sparse(split: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        days, generator = fields.splits[split], torch.Generator(bench.device).manual_seed(seed)
        ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
        observed = Observed.draw(grid, fields, torch.as_tensor(days), ratios, seed, whole=True)
        return scores(observed), fields.season[days.start : days.stop]

    (x, labels), (held_out, truth) = sparse("train", experiment.seed + 1), sparse("validation", experiment.seed + 2)
    fitted = [make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000)).fit(x, labels)
              for penalty in PENALTIES]  # fmt: skip
    best = min(fitted, key=lambda each: log_loss(truth, _of_all(each, held_out), labels=range(len(SEASONS))))
    return lambda observed: _of_all(best, scores(observed))


def _of_all(fitted: Pipeline, x: np.ndarray) -> np.ndarray:
    """Probabilities (N, 4) by a pipeline that may know fewer seasons."""
    probabilities = np.zeros((len(x), len(SEASONS)))
    probabilities[:, fitted.classes_] = fitted.predict_proba(x)
    return probabilities
