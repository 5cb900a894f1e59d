"""Which season a sparse day belongs to (paper, section 4.3)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data.labelled import CONVENTIONS, TIME
from sparta_core.data.record import Record
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.observe import check_range
from sparta_core.settings import Choice, Share, Uses, setting
from sparta_core.tasks import Measure, Target, Task, Training, by_model, mean_over
from sparta_core.tasks.season.baselines import LOGISTIC, MEANS, Fitted, fit_classifiers
from sparta_core.tasks.season.labels import SEASONS, seasons
from sparta_core.tasks.season.scores import FEWEST, RELIABILITY, rows, season_scores
from sparta_core.tensors import Tensors
from sparta_core.training.cached import cached
from sparta_core.training.records import open_record, run_of, views_of
from sparta_core.training.runs import Run
from sparta_core.training.stages import representation

FILE = "classification.nc"
RATIOS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TARGET_RATIOS = (0.2, 0.5, 0.7, 0.9)


class Classifier(Choice, slot="classifier", default="mlp"):
    """What tells the season."""

    learns_from: ClassVar[str] = "downstream_train"  # the split of the days

    def trainings(self, experiment: Experiment) -> list[Training]:
        """What it trains."""
        return []

    def state(self, model: Sparta) -> Tensors:
        """What it has learned on the embeddings of `model`, kept beside its run; trains or finds what is missing."""
        raise NotImplementedError

    def logits(self, model: Sparta, state: Tensors, days: Sample, ratio: float | Tensor = 0.0,
               generator: torch.Generator | None = None) -> Tensor:  # fmt: skip
        """Tell the season of full fields.

        Args:
            model: The representation.
            state: What the classifier has learned.
            days: (N, C, H, W) full fields, which keep the climatology of their dates, as they are observed.
            ratio: The share of their values that is masked before, one or one a day (N,); 0.0: nothing.
            generator: Draws what is masked.

        Returns:
            (N, 4) logits of SEASONS.
        """
        raise NotImplementedError


class Season(Task, name="classification"):
    """The season of sparse days."""

    uses: ClassVar[Uses] = (*Task.uses, Classifier)
    benchmark: ClassVar[str] = LOGISTIC
    full_fields: ClassVar[bool] = True
    classification_mask_ratio: tuple[Share, Share] = setting(
        (0.2, 0.9), "range of the share of masked values, drawn for each day")

    def check(self, experiment: Experiment) -> None:
        check_range("classification_mask_ratio", self.classification_mask_ratio)

    def learns_from(self, experiment: Experiment) -> str:
        return experiment.of(Classifier).learns_from

    def trainings(self, experiment: Experiment) -> list[Training]:
        return experiment.of(Classifier).trainings(experiment)

    def train(self, experiment: Experiment) -> None:
        experiment.of(Classifier).state(representation(experiment))

    def runs(self, experiment: Experiment) -> list[Run]:
        return [run_of(experiment, self.name)]

    def score(self, experiment: Experiment, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
        """`season_scores` (ratio, ...) of the test days at each of the `ratios` masked."""

        def score() -> xr.Dataset:
            probabilities = _test_probabilities(experiment)
            return scores_by_ratio(open_record(experiment), ratios, lambda ratio: probabilities(ratio).cpu().numpy())

        return self._kept(run_of(experiment, self.name), score, ratios)

    def score_baselines(self, experiment: Experiment, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
        """The same (model, ratio, ...) of the baselines, fitted on the days from which the classifier learns."""

        def score() -> xr.Dataset:
            record, views = open_record(experiment), views_of(experiment)
            test, generator = record.full(record.splits["downstream_test"]), torch.Generator(record.device)

            def scored(classifier: Fitted) -> xr.Dataset:
                return scores_by_ratio(record, ratios, lambda ratio: classifier(
                    views.observe(test, generator.manual_seed(experiment.seed), ratio)))  # fmt: skip

            fitted = fit_classifiers(experiment, record, views)
            scores = {name: scored(classifier) for name, classifier in fitted.items()}
            # Distances to means say which season, not how surely.
            for name in ("cross_entropy", *RELIABILITY):
                scores[MEANS][name] = xr.full_like(scores[MEANS][name], np.nan)
            return xr.concat(scores.values(), xr.Variable("model", list(scores)))

        return self._kept(self.baselines(experiment), score, ratios, trained_on=list(self.classification_mask_ratio))

    def baselines(self, experiment: Experiment) -> Run:
        """Named after the days from which they learn, where these are not the paper's."""
        split = self.learns_from(experiment)
        learned = "" if split == Classifier.learns_from else f"-{split}"
        return run_of(experiment, "baselines", f"-{self.name}{learned}")

    def _kept(self, run: Run, score: Callable[[], xr.Dataset], ratios: Sequence[float], **settings: object
              ) -> xr.Dataset:  # fmt: skip
        return cached(run, FILE, self.name, score, rows, ratios=list(ratios), fewest_days_of_a_bin=FEWEST, **settings)

    def state(self, model: Sparta) -> Tensors:
        return model.experiment.of(Classifier).state(model)

    @torch.no_grad()
    def each_day(self, options: Mapping[str, Any]) -> bool:
        return True

    def predict(self, model: Sparta, state: Tensors, days: Sample, **options: Any) -> xr.Dataset:
        """The variable "probability" (time, season)."""
        probabilities = model.experiment.of(Classifier).logits(model, state, days).softmax(1).cpu().numpy()
        attributes = {"units": "1", "long_name": "probability of the season"}
        return xr.Dataset({"probability": (("time", "season"), probabilities, attributes)},
                          {"time": ("time", days.dates, TIME), "season": list(SEASONS)},
                          {"Conventions": CONVENTIONS, "title": "Seasons that days belong to"})  # fmt: skip

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        return (Measure(self.name, "cross_entropy", "season, cross-entropy"),)

    def targets(self, experiments: Sequence[Experiment]) -> Iterator[Target]:
        """A share of days taken for another season below that of each baseline."""
        wrong = 1 - mean_over("season", experiments, lambda each: self.score(each, TARGET_RATIOS)).accuracy
        limits = 1 - mean_over("season of the baselines", experiments,
                               lambda each: self.score_baselines(each, TARGET_RATIOS)).accuracy  # fmt: skip
        for model in map(str, limits.model.values):
            yield Target(f"wrong seasons below {model}", wrong, limits.sel(model=model, drop=True))


def classification_scores(models: Mapping[str, Experiment], ratios: Sequence[float] = RATIOS) -> xr.Dataset:
    """The scores (model, ratio, ...) of the models by name, and after them those of the first one's baselines."""
    scores = by_model(models, lambda each: each.of(Season).score(each, ratios))
    first = next(iter(models.values()))
    return xr.concat([scores, first.of(Season).score_baselines(first, ratios)], "model")


def season_probabilities(experiment: Experiment, ratio: float) -> Tensor:
    """Probabilities (N, 4) of the seasons of the downstream test days, a share `ratio` of each masked."""
    return _test_probabilities(experiment)(ratio)


def _test_probabilities(experiment: Experiment) -> Callable[[float], Tensor]:
    """The same at any ratio, by a classifier that is loaded once."""
    record, model, classifier = open_record(experiment), representation(experiment), experiment.of(Classifier)
    days, state = record.full(record.splits["downstream_test"]), classifier.state(model)

    @torch.no_grad()
    def probabilities(ratio: float) -> Tensor:
        generator = torch.Generator(record.device).manual_seed(experiment.seed)
        return classifier.logits(model, state, days, ratio, generator).softmax(1)

    return probabilities


def scores_by_ratio(record: Record, ratios: Sequence[float], probabilities: Callable[[float], np.ndarray]
                    ) -> xr.Dataset:  # fmt: skip
    """`season_scores` (ratio, ...) of the test days' `probabilities` (N, 4) at each ratio."""
    truth = seasons(record, "downstream_test").cpu().numpy()
    scores = [season_scores(probabilities(ratio), truth) for ratio in ratios]
    return xr.concat(scores, xr.Variable("ratio", list(ratios))).assign_attrs(source=record.source)
