"""Tasks: what is made of the embeddings, one folder each."""

from typing import ClassVar

from sparta_core.data.days import DownstreamSplit
from sparta_core.experiment import Experiment, Trained
from sparta_core.objectives import Recipe
from sparta_core.settings import Section, Share, Uses, setting


class DownstreamMask(Section):
    downstream_mask_ratio: Share = setting(0.7, "share of hidden values of the days that tasks see")


class Task(Trained):
    """What is made of the embeddings that an objective has learned."""

    uses: ClassVar[Uses] = (DownstreamSplit, DownstreamMask, Recipe)

    def needs(self, experiment: Experiment) -> tuple[str, ...]:
        return (experiment.representation,)
