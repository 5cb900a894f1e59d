"""Objectives: what a representation learns from, one file each: the loss, its batches, its settings, its stages."""

from typing import ClassVar

from sparta_core.settings import Choice


class Recipe(Choice, slot="objective", default="contrastive"):
    """What the embeddings that tasks use are learned from."""

    stages: ClassVar[tuple[str, ...]]  # by name, in their order; the last leaves encoder and decoder
