"""What a representation stage minimises on a batch of days (paper, equations 9 and 13 to 17)."""

from collections.abc import Mapping
from math import exp
from typing import NamedTuple
from zlib import crc32

import torch
from torch import Tensor, nn

from sparta_core.losses import cycle_consistency, nt_xent, observed_reconstruction, reconstruction
from sparta_core.processes import Part, Share
from sparta_core.training.fit import Objective
from sparta_core.training.modes import modes_of
from sparta_core.training.workbench import Workbench
from sparta_core.typed import Table
from sparta_core.views.sampling import Sampler

Losses = dict[str, Tensor]
SMALLEST = 1e-6  # of the largest variance: components with less are in its units


class Days(NamedTuple):
    """This process's `part` of a batch: whole standardised days, one tensor (b, C, H, W) of them for each role."""

    part: Part
    roles: list[Tensor]


class DayObjective(Objective):
    """An `Objective` of training.fit whose batches are days: indices (roles, B) of the record, first the anchors."""

    trains: tuple[str, ...] = ("encoder", "decoder")

    def __init__(self, bench: Workbench, parts: Mapping[str, nn.Module]) -> None:
        self.modules, self.share = parts, Share.here()
        self.experiment, self.fields, self.views = bench.experiment, bench.fields, bench.views
        self.loads_ahead = self.fields.elsewhere
        for name, module in parts.items():
            module.train(name in self.trains).requires_grad_(name in self.trains)
        self.samplers = {
            part: Sampler.of(self.experiment, part, self.fields.splits[part], self.hard_negatives)
            for part in ("train", "validation")
        }

    @property
    def hard_negatives(self) -> bool:
        return self.experiment.hard_negatives

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """One epoch of days (1, B), their negatives beside them."""
        if self.share.rank:  # dropout of its own, and after a stop the same again
            torch.manual_seed(crc32(generator.get_state().numpy().tobytes()) + self.share.rank)
        batches = [days[None] for days in self.samplers[part].batches(generator)]
        self.share.check(min(days.shape[1] for days in batches))
        return batches

    def load(self, batch: Tensor) -> Days:
        part = self.share.part(batch.shape[1])
        return Days(part, [self.fields.take(part.of(days)) for days in batch])

    def reconstruct(self, truth: Tensor, part: Part, generator: torch.Generator) -> Tensor:
        """Rec(dec(enc(mask(enlarge(x)))), x): the loss of whole fields rebuilt from sparse ones."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and "encoder" in self.trains):
            embedding = self.modules["encoder"](self.views.sparse(truth, generator, part=part))
        return self.rebuilt(embedding, truth, part)

    def rebuilt(self, embedding: Tensor, truth: Tensor, part: Part) -> Tensor:
        """Rec(dec(z), x) of this process's `part` of a batch."""
        loss = observed_reconstruction if self.experiment.gaps else reconstruction
        return self.share.weighted(loss(self.modules["decoder"](embedding), truth), part)


class Reconstruction(DayObjective):
    """Masked days in, whole days out; trains on the sum over variables, tells and is validated on their mean."""

    monitored = printed = "mse"

    def losses(self, batch: Days, epoch: int, generator: torch.Generator) -> Losses:
        loss = self.reconstruct(batch.roles[0], batch.part, generator)
        return {"loss": loss, "mse": loss / len(self.fields.variables)}


class BaselineReconstruction(Reconstruction):
    """The autoencoder's: always on batches with hard negatives, so that all variants share it."""

    hard_negatives = True


class DecoderReconstruction(Reconstruction):
    """Stage 3's: the encoder stays as it is."""

    trains: tuple[str, ...] = ("decoder",)


class Contrast(DayObjective):
    """Stage 1: contrastive loss of an anchor with its sparse neighbours in time, and the cycle loss."""

    trains: tuple[str, ...] = ("encoder", "projector")

    def __init__(self, bench: Workbench, parts: Mapping[str, nn.Module]) -> None:
        super().__init__(bench, parts)
        self.unit = torch.ones((), device=bench.device)
        if bench.experiment.linear_path:  # scores are as large as their modes: unscaled, a few would be all of a loss
            variance = modes_of(bench.experiment, bench.fields).variance
            self.unit = variance.clamp_min(SMALLEST * variance.max()).sqrt()

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """One epoch of days (3, B): the anchors with their negatives, and as many days after and before each."""
        anchors = [days for (days,) in super().batches(part, generator)]
        offsets = self.samplers[part].offsets(sum(map(len, anchors)), generator).split([len(days) for days in anchors])
        return [torch.stack([days, days + d, days - d]) for days, d in zip(anchors, offsets, strict=True)]

    def losses(self, batch: Days, epoch: int, generator: torch.Generator) -> Losses:
        losses, _ = self.contrast(batch, generator)
        return {"loss": losses["contrastive"] + self.experiment.cycle_weight * losses["cycle"], **losses}

    def contrast(self, batch: Days, generator: torch.Generator) -> tuple[Losses, list[Tensor]]:
        """The losses of the whole batch, and the embeddings of both positives of this process's part."""
        encoder, projector, part = self.modules["encoder"], self.modules["projector"], batch.part
        now, *neighbours = batch.roles
        own = [encoder(self.views.augmented(now, generator, part)),
               *(encoder(self.views.augmented_sparse(days, generator, part)) for days in neighbours)]  # fmt: skip
        z, after, before = (self.share.gather(rows / self.unit, part) for rows in own)
        anchor = projector(z)
        ahead, back = (nt_xent(anchor, projector(other), self.experiment.temperature) for other in (after, before))
        losses = {"contrastive": ahead + back, "cycle": cycle_consistency(before, z, after)}
        return losses, own[1:]


# The authors' validation leaves the cycle term out for early fusion only.
CYCLE_MONITORED = Table("fusion", {"early": False, "attention": True, "gnn": True, "hybrid": True})


class Blend(Contrast):
    """Stage 2: from contrast to reconstruction, alpha = exp(-blend_decay epoch) (equation 17)."""

    trains = ("encoder", "projector", "decoder")
    monitored = "monitored"

    def losses(self, batch: Days, epoch: int, generator: torch.Generator) -> Losses:
        losses, positives = self.contrast(batch, generator)
        now, *truths = batch.roles
        ahead, back = (self.rebuilt(z, x, batch.part) for z, x in zip(positives, truths, strict=True))
        neighbours = ahead + back
        sparse = self.reconstruct(now, batch.part, generator)
        alpha = exp(-self.experiment.blend_decay * epoch)
        cycle = self.experiment.cycle_weight * losses["cycle"]
        without_cycle = alpha * (losses["contrastive"] + neighbours) + (1 - alpha) * sparse
        loss = without_cycle + alpha * cycle
        monitored = loss if CYCLE_MONITORED[self.experiment.fusion] else without_cycle
        return {"loss": loss, **losses, "neighbours": neighbours, "reconstruction": sparse,
                "monitored": monitored}  # fmt: skip
