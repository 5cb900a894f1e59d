"""Decoders: networks that turn an embedding into fields, one file each."""

from typing import ClassVar

from torch import nn

from sparta_core.encoders import Latent
from sparta_core.settings import Choice, Uses


class Decoder(Choice, slot="decoder_backbone", default="same"):
    """The decoder's network.

    A kind is a class with its settings as fields, and `build`.

    Example:
        >>> import torch
        >>> network = Decoder.kind("globe")(width=8).build(48, 5, (16, 32), autoencoder=False)
        >>> network(torch.zeros(2, 48)).shape
        torch.Size([2, 5, 16, 32])
    """

    uses: ClassVar[Uses] = (Latent,)

    def build(self, embedding: int, channels: int, grid: tuple[int, int], autoencoder: bool) -> nn.Module:
        """A fresh network of embeddings to standardised fields.

        Args:
            embedding: its size.
            channels: variables.
            grid: rows and columns.
            autoencoder: whether it is the baseline's.

        Returns:
            A module from (B, embedding) to (B, channels, *grid).
        """
        raise NotImplementedError
