"""Encoders: networks that turn a view into an embedding, one file each."""

from typing import ClassVar

from torch import nn

from sparta_core.settings import Choice, Count, Section, Uses, setting


class Latent(Section):
    embedding: Count = setting(1000, "size of the embedding")


class Encoder(Choice, slot="backbone", default="resnet18"):
    """The encoder's network.

    A kind is a class with its settings as fields, and `build`.

    Example:
        >>> import torch
        >>> network = Encoder.kind("globe")(width=8).build(5, 48, (16, 32))
        >>> network(torch.zeros(2, 5, 16, 32)).shape
        torch.Size([2, 48])
    """

    uses: ClassVar[Uses] = (Latent,)
    decoder: ClassVar[str] = "resnet18"  # the kind of decoder that goes with it
    mask_input: bool = setting(False, "show the encoder what is observed, beside the values")

    def build(self, channels: int, outputs: int, view_size: tuple[int, int]) -> nn.Module:
        """A fresh network of views to embeddings.

        Args:
            channels: of a view.
            outputs: size of the embedding.
            view_size: rows and columns of a view.

        Returns:
            A module from (B, channels, *view_size) to (B, outputs).
        """
        raise NotImplementedError
