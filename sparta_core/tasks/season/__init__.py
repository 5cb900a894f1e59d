"""Which season a sparse day belongs to (paper, section 4.3)."""

from typing import ClassVar

from sparta_core.experiment import Experiment
from sparta_core.observe import check_range
from sparta_core.settings import Choice, Share, Uses, setting
from sparta_core.tasks import Task


class Classifier(Choice, slot="classifier", default="mlp"):
    """What tells the season."""

    learns_from: ClassVar[str]  # the split of the days


class Season(Task, name="classification"):
    uses: ClassVar[Uses] = (*Task.uses, Classifier)
    classification_mask_ratio: tuple[Share, Share] = setting(
        (0.2, 0.9), "range of the share of hidden values, drawn for each day")

    def check(self, experiment: Experiment) -> None:
        check_range("classification_mask_ratio", self.classification_mask_ratio)

    def learns_from(self, experiment: Experiment) -> str:
        return experiment.of(Classifier).learns_from
