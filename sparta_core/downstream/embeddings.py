"""Days to embeddings and back, with the frozen encoder and decoder, in bounded memory."""

import torch
from torch import Tensor

from sparta_core.models.sparta import Sparta
from sparta_core.views.augment import Views

CHUNK = 256  # days at once: enough to fill a device, little enough for any


@torch.no_grad()
def embed(model: Sparta, views: Views, days: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
    """Standardised days (T, C, H, W), a fraction `ratio` of each dropped, to embeddings (T, E)."""
    seen = (views.sparse(chunk, generator, ratio) if ratio else views.full(chunk) for chunk in days.split(CHUNK))
    return torch.cat([model.encoder(view) for view in seen])


@torch.no_grad()
def decode(model: Sparta, embeddings: Tensor) -> Tensor:
    """Embeddings (..., E) to standardised fields (..., C, H, W)."""
    assert model.decoder is not None
    flat = embeddings.flatten(0, -2)
    fields = torch.cat([model.decoder(chunk) for chunk in flat.split(CHUNK)])
    return fields.unflatten(0, embeddings.shape[:-1])
