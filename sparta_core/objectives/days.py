"""What every objective on batches of days shares, and reconstruction (paper, equation 9)."""

from typing import NamedTuple
from zlib import crc32

import torch
from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.data.sample import Sample
from sparta_core.losses import observed_reconstruction, reconstruction
from sparta_core.models.sparta import Sparta
from sparta_core.processes import Part, Share
from sparta_core.training.fit import Objective
from sparta_core.views.sampling import Sampler

Losses = dict[str, Tensor]


class Days(NamedTuple):
    """This process's `part` of a batch: whole days, one sample (b, C, H, W) of them for each role."""

    part: Part
    roles: list[Sample]


class DayObjective(Objective):
    """An `Objective` of training.fit whose batches are days: indices (roles, B) of the record, first the anchors."""

    trains: tuple[str, ...] = ("encoder", "decoder")
    hard_negatives = True  # batches with negatives are what all variants of the autoencoder share

    def __init__(self, record: Record, model: Sparta) -> None:
        self.modules, self.share = model.parts, Share.here()
        self.record, self.experiment, self.views = record, model.experiment, model.views
        self.loads_ahead = record.needs_transfer
        for name, module in self.modules.items():
            module.train(name in self.trains).requires_grad_(name in self.trains)
        self.samplers = {
            part: Sampler.of(self.experiment, part, record.splits[part], self.hard_negatives, record.clock)
            for part in ("train", "validation")
        }

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """One epoch of days (1, B), their negatives beside them."""
        if self.share.rank:  # dropout of its own, and after a stop the same again
            torch.manual_seed(crc32(generator.get_state().numpy().tobytes()) + self.share.rank)
        batches = [days[None] for days in self.samplers[part].batches(generator)]
        self.share.check(min(days.shape[1] for days in batches))
        return batches

    def load(self, batch: Tensor) -> Days:
        part = self.share.part(batch.shape[1])
        return Days(part, [self.record.take(part.of(days)) for days in batch])

    def reconstruct(self, truth: Sample, part: Part, generator: torch.Generator) -> Tensor:
        """Rec(dec(enc(mask(enlarge(x)))), x): the loss of whole fields rebuilt from sparse ones."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and "encoder" in self.trains):
            embedding = self.modules["encoder"](self.views.sparse(truth, generator, part=part))
        return self.rebuilt(embedding, truth, part)

    def rebuilt(self, embedding: Tensor, truth: Sample, part: Part) -> Tensor:
        """Rec(dec(z), x) of this process's `part` of a batch, over what the data have of it."""
        decoded = self.modules["decoder"](embedding)
        loss = (observed_reconstruction(decoded, truth.values, truth.observed) if self.record.gaps
                else reconstruction(decoded, truth.values))  # fmt: skip
        return self.share.weighted(loss, part)


class Reconstruction(DayObjective):
    """Masked days in, whole days out; trains on the sum over variables, tells and is validated on their mean."""

    monitored = printed = "mse"

    def losses(self, batch: Days, epoch: int, generator: torch.Generator) -> Losses:
        loss = self.reconstruct(batch.roles[0], batch.part, generator)
        return {"loss": loss, "mse": loss / len(self.record.variables)}
