"""The paper's classifier: a small network on embeddings (section 4.3)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.data.record import Record
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.observe.masks import draw_ratios
from sparta_core.settings import Amount, Count, Epochs, Positive, Share, Uses, setting
from sparta_core.tasks import Training
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.network import PART, NetworkObjective, TrainsNetwork
from sparta_core.tasks.season import Classifier, Season
from sparta_core.tasks.season.labels import SEASONS, seasons
from sparta_core.tensors import Tensors, named
from sparta_core.training.fit import Objective
from sparta_core.training.records import run_of
from sparta_core.training.schedules import PlateauSettings, Schedule
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

    def trainings(self, experiment: Experiment) -> list[Training]:
        return [self.training(experiment, run_of(experiment, Season.name), experiment.seed)]

    def build(self, model: Sparta) -> nn.Module:
        return SeasonClassifier(model.experiment.embedding, self.classification_widths, self.classification_dropout)

    def objective(self, record: Record, model: Sparta, network: nn.Module) -> Objective:
        return SeasonCrossEntropy(record, model, network)

    def schedule(self) -> Schedule:
        return Schedule(self.classification_epochs, self.classification_rate, self.classification_weight_decay)

    def state(self, model: Sparta) -> Tensors:
        experiment = model.experiment
        network: nn.Module = self.trained(model, run_of(experiment, Season.name), experiment.seed)
        return named(PART, network.state_dict())

    @torch.no_grad()
    def logits(self, model: Sparta, state: Tensors, days: Sample, ratio: float | Tensor = 0.0,
               generator: torch.Generator | None = None) -> Tensor:  # fmt: skip
        network = self.restored(model, Season.name, model.experiment.seed, state)
        logits: Tensor = network(embed(model, days, ratio, generator))
        return logits


class SeasonClassifier(nn.Sequential):
    """Embeddings (B, E) to the logits of the seasons (B, 4): 1000-250-62-4 in the paper."""

    def __init__(self, embedding: int, widths: Sequence[int], dropout: float) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([embedding, *widths]):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, nn.Linear(widths[-1], len(SEASONS)))


class SeasonCrossEntropy(NetworkObjective):
    """Cross-entropy of the season of embedded days, each masked at a ratio of its own; equation 12.

    Every day has a fresh ratio and mask in every epoch.
    """

    def __init__(self, record: Record, model: Sparta, classifier: nn.Module) -> None:
        super().__init__(record, model, classifier)
        self.embeddings, self.seasons = torch.empty(0), torch.empty(0)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Days (B,) of the downstream part, from its first, in random order."""
        experiment, split = self.experiment, f"downstream_{part}"
        days = self.record.full(self.record.splits[split])
        ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
        self.embeddings = self.embed(part, days, ratios, generator)
        self.seasons = seasons(self.record, split)
        order = torch.randperm(len(days), generator=generator, device=self.record.device)
        return batched(order, experiment.classification_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self.network(self.embeddings[batch]), self.seasons[batch])}
