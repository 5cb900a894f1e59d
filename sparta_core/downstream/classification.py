"""Which season a sparse day belongs to, from its embedding (paper, section 4.3)."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.downstream import calendar
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.observe.masks import draw_ratios
from sparta_core.tasks.embeddings import Embedder, embed
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, Schedule, seeded
from sparta_core.training.stages import representation
from sparta_core.training.workbench import Workbench
from sparta_core.typed import Table
from sparta_core.views.sampling import batched

SEASONS = ("DJF", "MAM", "JJA", "SON")


class SeasonClassifier(nn.Sequential):
    """Embeddings (B, E) to the logits of the seasons (B, 4): 1000-250-62-4 in the paper."""

    def __init__(self, embedding: int, widths: Sequence[int], dropout: float) -> None:
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([embedding, *widths]):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, nn.Linear(widths[-1], len(SEASONS)))


class SeasonCrossEntropy(Objective):
    """Cross-entropy of the season of embedded days, each hidden at a ratio of its own; equation 12.

    Every day has a fresh ratio and mask in every epoch.
    """

    trains: tuple[str, ...] = ("classifier",)

    def __init__(self, bench: Workbench, model: Sparta, classifier: nn.Module) -> None:
        self.modules: Mapping[str, nn.Module] = {"classifier": classifier}
        self.bench, self.embed = bench, Embedder(model, bench.views)
        self.embeddings, self.seasons = torch.empty(0), torch.empty(0)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Days (B,) of the downstream part, from its first, in random order."""
        experiment, name = self.bench.experiment, f"downstream_{part}"
        days = whole_days(self.bench, name)
        ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
        self.embeddings = self.embed(part, days, ratios, generator)
        self.seasons = seasons(self.bench, name)
        order = torch.randperm(len(days), generator=generator, device=days.device)
        return batched(order, experiment.classification_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self.modules["classifier"](self.embeddings[batch]), self.seasons[batch])}


def whole_days(bench: Workbench, split: str) -> Tensor:
    """All days (T, C, H, W) of a split with what is usual on their dates, which nobody may take off: it tells them."""
    days = bench.fields.splits[split]
    return bench.fields.whole(slice(days.start, days.stop))


def seasons(bench: Workbench, split: str) -> Tensor:
    """The season (days,) of every day of a split: an index of SEASONS."""
    days = bench.fields.splits[split]
    return torch.from_numpy(bench.fields.season[days.start : days.stop]).to(bench.device)


def classification(experiment: Experiment) -> SeasonClassifier:
    """The trained season classifier of `experiment`, frozen; trains what is missing. The date needs none."""
    bench = Workbench.of(experiment)
    run = bench.run("classification")
    bench.finish(run, lambda: job(bench, representation(experiment)))
    classifier = _build(experiment)
    load_weights({"classifier": classifier}, run.load(MODEL)[0])
    return classifier.to(bench.device).eval().requires_grad_(False)


def job(bench: Workbench, model: Sparta) -> Job:
    """The training of a fresh classifier on the embeddings of `model`."""
    experiment, run = bench.experiment, bench.run("classification")
    fabric = bench.fabric(run)
    objective = SeasonCrossEntropy(bench, model, fabric.setup_module(_build(experiment)))
    schedule = Schedule(experiment.classification_epochs, experiment.classification_rate,
                        experiment.classification_weight_decay)  # fmt: skip
    return Job(objective, schedule, experiment, run, fabric, experiment.seed)


def _build(experiment: Experiment) -> SeasonClassifier:
    with seeded(experiment.seed, "classification", "build"):
        return SeasonClassifier(experiment.embedding, experiment.classification_widths,
                                experiment.classification_dropout)  # fmt: skip


@torch.no_grad()
def season_probabilities(experiment: Experiment, ratio: float) -> Tensor:
    """Probabilities (days, 4) of the seasons of the downstream test days, a fraction `ratio` of each hidden."""
    bench = Workbench.of(experiment)
    generator = torch.Generator(bench.device).manual_seed(experiment.seed)
    days = whole_days(bench, "downstream_test")
    return CLASSIFIERS[experiment.classifier](bench, days, ratio, generator).softmax(1)


def _season_logits(bench: Workbench, days: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
    classifier, model = classification(bench.experiment), representation(bench.experiment)
    return classifier(embed(model, bench.views, days, ratio, generator))


# Logits of the seasons (N, 4) of whole days, a fraction of each hidden.
CLASSIFIERS: Table[Callable[[Workbench, Tensor, float, torch.Generator], Tensor]] = Table(
    "classifier", {"mlp": _season_logits, "date": calendar.season_logits})
