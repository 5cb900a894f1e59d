"""Which season a sparse day belongs to (paper, section 4.3)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.baselines.interpolation import ObservationGrid, Observed
from sparta_core.experiment import Experiment
from sparta_core.observe import check_range
from sparta_core.settings import Choice, Share, Uses, setting
from sparta_core.tasks import Measure, Target, Task, Training, by_model, mean_over
from sparta_core.tasks.season.baselines import LOGISTIC, MEANS, Fitted, fit_classifiers
from sparta_core.tasks.season.labels import full_fields, seasons
from sparta_core.tasks.season.scores import FEWEST, RELIABILITY, rows, season_scores
from sparta_core.training.kept import kept
from sparta_core.training.runs import Run
from sparta_core.training.workbench import Workbench

FILE = "classification.nc"
RATIOS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TARGET_RATIOS = (0.2, 0.5, 0.7, 0.9)


class Classifier(Choice, slot="classifier", default="mlp"):
    """What tells the season."""

    learns_from: ClassVar[str] = "downstream_train"  # the split of the days

    def trainings(self, bench: Workbench) -> list[Training]:
        """What it trains."""
        return []

    def prepare(self, bench: Workbench) -> None:
        """Find what it needs besides, and keep it beside the run, unless it is there."""

    def logits(self, bench: Workbench, days: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
        """Logits (N, 4) of the seasons of full fields (N, C, H, W), a share `ratio` of each hidden."""
        raise NotImplementedError


class Season(Task, name="classification"):
    """The season of sparse days."""

    uses: ClassVar[Uses] = (*Task.uses, Classifier)
    benchmark: ClassVar[str] = LOGISTIC
    classification_mask_ratio: tuple[Share, Share] = setting(
        (0.2, 0.9), "range of the share of hidden values, drawn for each day")

    def check(self, experiment: Experiment) -> None:
        check_range("classification_mask_ratio", self.classification_mask_ratio)

    def learns_from(self, experiment: Experiment) -> str:
        return experiment.of(Classifier).learns_from

    def trainings(self, bench: Workbench) -> list[Training]:
        return bench.experiment.of(Classifier).trainings(bench)

    def train(self, experiment: Experiment) -> None:
        super().train(experiment)
        experiment.of(Classifier).prepare(Workbench.of(experiment))

    def runs(self, bench: Workbench) -> list[Run]:
        return [bench.run(self.name)]

    def score(self, experiment: Experiment, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
        """`season_scores` (ratio, ...) of the test days at each of the `ratios` hidden."""
        bench = Workbench.of(experiment)

        def score() -> xr.Dataset:
            return scores_by_ratio(bench, ratios, lambda ratio: season_probabilities(experiment, ratio).cpu().numpy())

        return self._kept(bench.run(self.name), score, ratios)

    def score_baselines(self, experiment: Experiment, ratios: Sequence[float] = RATIOS) -> xr.Dataset:
        """The same (model, ratio, ...) of the baselines, fitted on the days from which the classifier learns."""
        bench = Workbench.of(experiment)

        def score() -> xr.Dataset:
            grid = ObservationGrid.of(experiment.mask_grid, bench.fields, bench.views)
            test = torch.as_tensor(bench.fields.splits["downstream_test"])

            def scored(classifier: Fitted) -> xr.Dataset:
                return scores_by_ratio(bench, ratios, lambda ratio: classifier(
                    Observed.draw(grid, bench.fields, test, ratio, experiment.seed, whole=True)))  # fmt: skip

            scores = {name: scored(classifier) for name, classifier in fit_classifiers(bench, grid).items()}
            # Distances to means say which season, not how surely.
            for name in ("cross_entropy", *RELIABILITY):
                scores[MEANS][name] = xr.full_like(scores[MEANS][name], np.nan)
            return xr.concat(scores.values(), xr.Variable("model", list(scores)))

        return self._kept(self.baselines(bench), score, ratios, trained_on=list(self.classification_mask_ratio))

    def baselines(self, bench: Workbench) -> Run:
        """Named after the days from which they learn, where these are not the paper's."""
        split = self.learns_from(bench.experiment)
        return bench.run("baselines", f"-{self.name}" + ("" if split == Classifier.learns_from else f"-{split}"))

    def _kept(self, run: Run, score: Callable[[], xr.Dataset], ratios: Sequence[float], **settings: object
              ) -> xr.Dataset:  # fmt: skip
        return kept(run, FILE, self.name, score, rows, ratios=list(ratios), fewest_days_of_a_bin=FEWEST, **settings)

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


@torch.no_grad()
def season_probabilities(experiment: Experiment, ratio: float) -> Tensor:
    """Probabilities (N, 4) of the seasons of the downstream test days, a share `ratio` of each hidden."""
    bench = Workbench.of(experiment)
    generator = torch.Generator(bench.device).manual_seed(experiment.seed)
    days = full_fields(bench, "downstream_test")
    return experiment.of(Classifier).logits(bench, days, ratio, generator).softmax(1)


def scores_by_ratio(bench: Workbench, ratios: Sequence[float], probabilities: Callable[[float], np.ndarray]
                    ) -> xr.Dataset:  # fmt: skip
    """`season_scores` (ratio, ...) of the test days' `probabilities` (N, 4) at each ratio."""
    truth = seasons(bench, "downstream_test").cpu().numpy()
    scores = [season_scores(probabilities(ratio), truth) for ratio in ratios]
    return xr.concat(scores, xr.Variable("ratio", list(ratios))).assign_attrs(source=bench.fields.source)
