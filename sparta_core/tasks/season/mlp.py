"""The paper's classifier: a small network on embeddings (section 4.3)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.observe.masks import draw_ratios
from sparta_core.settings import Amount, Count, Epochs, Positive, Share, Uses, setting
from sparta_core.tasks import Training
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.network import NetworkObjective, TrainsNetwork
from sparta_core.tasks.season import Classifier, Season
from sparta_core.tasks.season.labels import SEASONS, full_fields, seasons
from sparta_core.training.fit import Objective
from sparta_core.training.schedules import PlateauSettings, Schedule
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.views.sampling import batched


class MLP(Classifier, TrainsNetwork, name="mlp"):
    """The paper's network."""

    uses: ClassVar[Uses] = (PlateauSettings,)
    classification_widths: Annotated[tuple[Count, ...], Field(min_length=1)] = setting(
        (250, 62), "of the classifier's layers")
    classification_dropout: Share = setting(0.5, "of the classifier")
    classification_epochs: Epochs = setting(100, "epochs of the classifier")
    classification_rate: Positive = setting(1e-3, "learning rate of the classifier")
    classification_batch_size: Count = setting(64, "of the classifier", "days")
    classification_weight_decay: Amount = setting(1e-2, "of the classifier")

    def trainings(self, bench: Workbench) -> list[Training]:
        return [self.training(bench, bench.run(Season.name), bench.experiment.seed)]

    def build(self, bench: Workbench) -> nn.Module:
        return SeasonClassifier(bench.experiment.embedding, self.classification_widths, self.classification_dropout)

    def objective(self, bench: Workbench, model: Sparta, network: nn.Module) -> Objective:
        return SeasonCrossEntropy(bench, model, network)

    def schedule(self) -> Schedule:
        return Schedule(self.classification_epochs, self.classification_rate, self.classification_weight_decay)

    def logits(self, bench: Workbench, days: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
        classifier, model = train_classifier(bench.experiment), representation(bench.experiment)
        return classifier(embed(model, bench.views, days, ratio, generator))


class SeasonClassifier(nn.Sequential):
    """Embeddings (B, E) to the logits of the seasons (B, 4): 1000-250-62-4 in the paper."""

    def __init__(self, embedding: int, widths: Sequence[int], dropout: float) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([embedding, *widths]):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, nn.Linear(widths[-1], len(SEASONS)))


class SeasonCrossEntropy(NetworkObjective):
    """Cross-entropy of the season of embedded days, each hidden at a ratio of its own; equation 12.

    Every day has a fresh ratio and mask in every epoch.
    """

    def __init__(self, bench: Workbench, model: Sparta, classifier: nn.Module) -> None:
        super().__init__(bench, model, classifier)
        self.embeddings, self.seasons = torch.empty(0), torch.empty(0)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Days (B,) of the downstream part, from its first, in random order."""
        experiment, split = self.bench.experiment, f"downstream_{part}"
        days = full_fields(self.bench, split)
        ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
        self.embeddings = self.embed(part, days, ratios, generator)
        self.seasons = seasons(self.bench, split)
        order = torch.randperm(len(days), generator=generator, device=days.device)
        return batched(order, experiment.classification_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self.network(self.embeddings[batch]), self.seasons[batch])}


def train_classifier(experiment: Experiment) -> SeasonClassifier:
    """The finished network of an experiment, frozen, on its device; trains what is missing. The date needs none."""
    bench, mlp = Workbench.of(experiment), experiment.of(MLP)
    classifier: SeasonClassifier = mlp.trained(bench, bench.run(Season.name), experiment.seed)
    return classifier
