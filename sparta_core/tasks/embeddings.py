"""Days to embeddings and back, with the frozen encoder and decoder, in bounded memory."""

import torch
from torch import Tensor

from sparta_core.data.sample import Sample
from sparta_core.models.sparta import Sparta

CHUNK = 256  # days at once: enough to fill a device, little enough for any


@torch.no_grad()
def embed(model: Sparta, days: Sample, ratio: float | Tensor = 0.0, generator: torch.Generator | None = None) -> Tensor:
    """Embed days with a frozen encoder.

    Args:
        model: The representation.
        days: (T, C, H, W) standardised anomalies, as they are observed.
        ratio: The share of their values that is masked before, one or one a day (T,); 0.0: nothing.
        generator: Draws what is masked.

    Returns:
        (T, E) embeddings.
    """
    if generator is None or (isinstance(ratio, float) and ratio == 0):
        return torch.cat([model.encoder(model.views.shown(chunk)) for chunk in days.split(CHUNK)])
    ratios = torch.as_tensor(ratio, dtype=days.values.dtype, device=days.values.device).expand(len(days))
    chunks = zip(days.split(CHUNK), ratios.split(CHUNK), strict=True)
    return torch.cat([model.encoder(model.views.sparse(chunk, generator, own)) for chunk, own in chunks])


class Embedder:
    """`embed` of a frozen model that remembers each part's last result, and where the generator stood before it.

    Standing there again it would draw the same masks, as validation does after every epoch. Whole days have none, and
    are embedded once.
    """

    def __init__(self, model: Sparta) -> None:
        self.model = model
        self.last: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        self.cached: dict[str, Tensor] = {}

    def __call__(self, part: str, days: Sample, ratio: float | Tensor, generator: torch.Generator) -> Tensor:
        before = generator.get_state()
        if part not in self.last or not torch.equal(self.last[part][0], before):
            embeddings = embed(self.model, days, ratio, generator)
            self.last[part] = (before, generator.get_state(), embeddings)
        _, after, embeddings = self.last[part]
        generator.set_state(after)
        return embeddings

    def whole(self, part: str, days: Sample) -> Tensor:
        """The embeddings (T, E) of a part's whole days."""
        if part not in self.cached:
            self.cached[part] = embed(self.model, days)
        return self.cached[part]


@torch.no_grad()
def reconstruct(model: Sparta, days: Sample, errors: Tensor | None = None) -> Tensor:
    """Make of sparse days whole fields (T, C, H, W), standardised, by a frozen representation.

    `errors` (T or 1, C, H, W) are standard deviations of the observations' errors; None: they have none.
    """
    made = []
    for first in range(0, len(days), CHUNK):
        some = slice(first, first + CHUNK)
        own = errors if errors is None or len(errors) == 1 else errors[some]
        made.append(model.reconstructed(model.views.shown(days[some]), None if own is None else own.square()))
    return torch.cat(made)


@torch.no_grad()
def decode(model: Sparta, embeddings: Tensor) -> Tensor:
    """Decode embeddings (..., E) to standardised fields (..., C, H, W)."""
    assert model.decoder is not None
    flat = embeddings.reshape(-1, embeddings.shape[-1])
    fields = torch.cat([model.decoder(chunk) for chunk in flat.split(CHUNK)])
    return fields.view(*embeddings.shape[:-1], *fields.shape[1:])
