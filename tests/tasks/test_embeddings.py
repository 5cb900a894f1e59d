"""Embeddings that are remembered are those that would be made again, and leave the generator where they would."""

import torch
from torch import nn

from sparta_core.tasks.embeddings import Embedder, embed
from sparta_core.training.records import open_record, views_of


class Flat(nn.Module):
    """Every day embedded as itself."""

    def __init__(self, views):
        super().__init__()
        self.views, self.encoder, self.days = views, nn.Flatten(), 0
        self.encoder.register_forward_hook(self.count)

    def count(self, module, inputs, output):
        self.days += len(output)


def pair(seed):
    return [torch.Generator().manual_seed(seed) for _ in range(2)]


def test_what_is_remembered_is_what_would_be_made(tiny):
    """As in training: one stream for the training days, validation from the same beginning after every epoch."""
    experiment = tiny()
    record, model = open_record(experiment), Flat(views_of(experiment))
    remembering, training = Embedder(model), pair(1)
    for epoch in range(3):
        for part, (ours, plain) in {"train": training, "validation": pair(2)}.items():
            days, before = record.split(f"downstream_{part}"), model.days
            mine = remembering(part, days, 0.7, ours)
            assert model.days - before == (0 if part == "validation" and epoch else len(days))
            assert torch.equal(mine, embed(model, days, 0.7, plain))
            assert torch.equal(ours.get_state(), plain.get_state())
