"""Encoders: networks that turn a view into an embedding, one file each."""

from typing import ClassVar

from torch import nn

from sparta_core.settings import Choice, Count, Section, Uses, setting


class Latent(Section):
    embedding: Count = setting(1000, "size of the embedding")


class Encoder(Choice, slot="backbone", default="resnet18"):
    """The encoder's network."""

    uses: ClassVar[Uses] = (Latent,)
    decoder: ClassVar[str] = "resnet18"  # the kind of decoder that goes with it
    mask_input: bool = setting(False, "show the encoder what is observed, beside the values")

    def build(self, channels: int, outputs: int, view_size: tuple[int, int]) -> nn.Module:
        """A fresh network of views (B, channels, *view_size) to embeddings (B, outputs)."""
        raise NotImplementedError
