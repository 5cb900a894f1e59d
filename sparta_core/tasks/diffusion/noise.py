"""The objective of diffusion: predict the noise in noised embeddings (Ho et al., 2020)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.data.record import Record
from sparta_core.models.sparta import Sparta
from sparta_core.tasks.diffusion.sampling import noising
from sparta_core.tasks.network import NetworkObjective
from sparta_core.views.sampling import batched

# Embeddings (N, E) and their conditions (N, condition) of a part, train or validation, whose masks a generator draws.
Pairs = Callable[[str, torch.Generator], tuple[Tensor, Tensor]]


class NoisePrediction(NetworkObjective):
    """Mean squared error of the noise in noised embeddings, given their conditions."""

    def __init__(self, record: Record, model: Sparta, pairs: Pairs, denoiser: nn.Module) -> None:
        super().__init__(record, model, denoiser)
        self.pairs, self.noising = pairs, noising(model.experiment)
        self.clean = self.conditions = torch.empty(0)

    def batches(self, part: str, generator: torch.Generator) -> list[Tensor]:
        """Indices (B,) of the part's pairs, in random order."""
        self.clean, self.conditions = self.pairs(part, generator)
        order = torch.randperm(len(self.clean), generator=generator, device=self.clean.device)
        return batched(order, self.experiment.diffusion_batch_size)

    def losses(self, batch: Tensor, epoch: int, generator: torch.Generator) -> dict[str, Tensor]:
        clean, steps = self.clean[batch], self.experiment.diffusion_steps
        step = torch.randint(steps, (len(batch),), generator=generator, device=batch.device)
        noise = torch.randn(clean.shape, generator=generator, device=batch.device)
        noised = self.noising.add_noise(clean, noise, step)
        predicted = self.network(noised, step, self.conditions[batch])
        return {"loss": F.mse_loss(predicted, noise)}
