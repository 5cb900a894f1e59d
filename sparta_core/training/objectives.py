"""What a representation stage minimises on a batch of days (paper, equations 9 and 13 to 17)."""

from collections.abc import Mapping
from math import exp

import torch
from torch import Tensor, nn

from sparta_core.losses import cycle_consistency, nt_xent, reconstruction
from sparta_core.training.workbench import Workbench
from sparta_core.views.sampling import Sampler

Losses = dict[str, Tensor]


class DayObjective:
    """An `Objective` of training.fit whose batches are days: indices (B,) of the record."""

    trains: tuple[str, ...] = ("encoder", "decoder")
    monitored = "loss"

    def __init__(self, bench: Workbench, parts: Mapping[str, nn.Module]) -> None:
        self.modules = parts
        self.experiment, self.fields, self.views = bench.experiment, bench.fields, bench.views
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
        """One epoch of days, their negatives beside them."""
        return self.samplers[part].batches(generator)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> Losses:
        raise NotImplementedError

    def reconstruct(self, days: Tensor, generator: torch.Generator) -> Tensor:
        """Rec(dec(enc(mask(enlarge(x)))), x): the loss of whole fields rebuilt from sparse ones."""
        truth = self.fields.values[days]
        with torch.set_grad_enabled(torch.is_grad_enabled() and "encoder" in self.trains):
            embedding = self.modules["encoder"](self.views.sparse(truth, generator))
        return reconstruction(self.modules["decoder"](embedding), truth)


class Reconstruction(DayObjective):
    """Masked days in, whole days out; validated on the plain mean squared error."""

    monitored = "mse"

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> Losses:
        loss = self.reconstruct(batch, generator)
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

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> Losses:
        losses, _ = self.contrast(batch, generator)
        return {"loss": losses["contrastive"] + self.experiment.cycle_weight * losses["cycle"], **losses}

    def contrast(self, days: Tensor, generator: torch.Generator) -> tuple[Losses, list[tuple[Tensor, Tensor]]]:
        """The contrastive and cycle losses, and both positives as (embedding, whole field)."""
        encoder, projector = self.modules["encoder"], self.modules["projector"]
        offsets = self.samplers["train"].offsets(len(days), generator)
        now = encoder(self.views.augmented(self.fields.values[days], generator))
        truths = [self.fields.values[days + offsets], self.fields.values[days - offsets]]
        after, before = (encoder(self.views.augmented_sparse(truth, generator)) for truth in truths)
        anchor = projector(now)
        ahead, back = (nt_xent(anchor, projector(z), self.experiment.temperature) for z in (after, before))
        losses = {"contrastive": ahead + back, "cycle": cycle_consistency(before, now, after)}
        return losses, list(zip((after, before), truths, strict=True))


class Blend(Contrast):
    """Stage 2: from contrast to reconstruction, alpha = exp(-blend_decay epoch) (equation 17)."""

    trains = ("encoder", "projector", "decoder")
    monitored = "monitored"

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> Losses:
        losses, positives = self.contrast(batch, generator)
        ahead, back = (reconstruction(self.modules["decoder"](z), x) for z, x in positives)
        neighbours = ahead + back
        sparse = self.reconstruct(batch, generator)
        alpha = exp(-self.experiment.blend_decay * epoch)
        cycle = self.experiment.cycle_weight * losses["cycle"]
        without_cycle = alpha * (losses["contrastive"] + neighbours) + (1 - alpha) * sparse
        loss = without_cycle + alpha * cycle
        # The authors' validation leaves the cycle term out for early fusion only.
        monitored = without_cycle if self.experiment.fusion == "early" else loss
        return {"loss": loss, **losses, "neighbours": neighbours, "reconstruction": sparse,
                "monitored": monitored}  # fmt: skip
