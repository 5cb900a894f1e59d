"""Decoders: networks that turn an embedding into fields, one file each."""

from typing import ClassVar

from torch import nn

from sparta_core.encoders import Latent
from sparta_core.settings import Choice, Uses


class Decoder(Choice, slot="decoder_backbone", default="same"):
    """The decoder's network."""

    uses: ClassVar[Uses] = (Latent,)

    def build(self, embedding: int, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
        """A fresh network of embeddings (B, embedding) to fields (B, channels, *grid), the `autoencoder`'s or ours."""
        raise NotImplementedError
