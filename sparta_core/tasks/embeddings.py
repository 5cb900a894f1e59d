"""Days to embeddings and back, with the frozen encoder and decoder, in bounded memory."""

import torch
from torch import Tensor

from sparta_core.models.sparta import Sparta
from sparta_core.views.augment import Views

CHUNK = 256  # days at once: enough to fill a device, little enough for any


@torch.no_grad()
def embed(model: Sparta, views: Views, days: Tensor, ratio: float | Tensor, generator: torch.Generator) -> Tensor:
    """Standardised days (T, C, H, W) to embeddings (T, E), a fraction `ratio`, one or one a day (T,), dropped."""
    if isinstance(ratio, float) and ratio == 0:
        return torch.cat([model.encoder(views.full(chunk)) for chunk in days.split(CHUNK)])
    ratios = torch.as_tensor(ratio, dtype=days.dtype, device=days.device).expand(len(days))
    chunks = zip(days.split(CHUNK), ratios.split(CHUNK), strict=True)
    return torch.cat([model.encoder(views.sparse(chunk, generator, own)) for chunk, own in chunks])


class Embedder:
    """`embed` of a frozen model that remembers each part's last result, and where the generator stood before it.

    Standing there again it would draw the same masks, as validation does after every epoch. Whole days have none, and
    are embedded once.
    """

    def __init__(self, model: Sparta, views: Views) -> None:
        self.model, self.views = model, views
        self.last: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        self.kept: dict[str, Tensor] = {}

    def __call__(self, part: str, days: Tensor, ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        before = generator.get_state()
        if part not in self.last or not torch.equal(self.last[part][0], before):
            made = embed(self.model, self.views, days, ratio, generator)
            self.last[part] = (before, generator.get_state(), made)
        _, after, made = self.last[part]
        generator.set_state(after)
        return made

    def whole(self, part: str, days: Tensor) -> Tensor:
        """The embeddings (T, E) of a part's whole days."""
        if part not in self.kept:
            self.kept[part] = embed(self.model, self.views, days, 0.0, torch.Generator(days.device))
        return self.kept[part]


@torch.no_grad()
def decode(model: Sparta, embeddings: Tensor) -> Tensor:
    """Embeddings (..., E) to standardised fields (..., C, H, W)."""
    assert model.decoder is not None
    flat = embeddings.reshape(-1, embeddings.shape[-1])
    fields = torch.cat([model.decoder(chunk) for chunk in flat.split(CHUNK)])
    return fields.view(*embeddings.shape[:-1], *fields.shape[1:])
