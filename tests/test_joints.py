"""The joints carry what comes next: sketches at toy size of methods that are not built yet, on the package's protocols.

A nowcaster on sequences that never touch each other, with masks inside its encoder and maps beside the vector, which
is pre-trained and then fine-tuned. A generator with a critic, two optimisers and a finer grid, is in
tests/training/test_optimisers.py.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparta_core.data.clock import Clock
from sparta_core.data.domain import Domain
from sparta_core.data.sample import Sample
from sparta_core.training.checkpoint import load_weights
from sparta_core.training.fit import MODEL, Job, Objective, fabric_of, fit, seeded
from sparta_core.training.records import run_of
from sparta_core.training.schedules import Schedule

PAST, FUTURE, EVERY = 12, 12, np.timedelta64(5, "m")


class Events:
    """A record of separate sequences of radar frames: a window never leaves its sequence, nor its split."""

    domain = Domain(np.linspace(50.0, 50.7, 8), np.linspace(5.0, 5.7, 8), Clock(EVERY))
    splits = {"train": range(0, 6), "validation": range(6, 8)}  # whole events

    def __init__(self, count=8, frames=30):
        generator = torch.Generator().manual_seed(0)
        start = torch.rand(count, 1, 1, 1, generator=generator) * 8
        step = torch.arange(frames).view(1, -1, 1, 1) * 0.25
        column = torch.arange(8.0).view(1, 1, 1, -1)
        rain = torch.exp(-((column - (start + step) % 8) ** 2)).expand(-1, -1, 8, -1)
        self.values = rain[:, :, None].double()  # (events, frames, 1, H, W)
        self.begin = np.datetime64("2020-06-01T00:00", "s") + np.arange(count) * np.timedelta64(1, "D")

    def windows(self, split, length, every=1):
        """Event and first frame (N, 2) of all windows of a split."""
        last = self.values.shape[1] - length
        return torch.tensor([(event, frame) for event in self.splits[split] for frame in range(0, last + 1, every)])

    def take(self, index, length):
        frames = index[:, 1:] + torch.arange(length)
        minutes = self.begin[index[:, 0].numpy()][:, None] + frames.numpy() * EVERY
        time = torch.from_numpy(minutes.astype("datetime64[s]").astype(np.int64))
        return Sample.full(self.values[index[:, :1], frames], time)


class Features(NamedTuple):
    vector: Tensor
    maps: tuple[Tensor, ...]


class MaskedEncoder(nn.Module):
    """Frames as channels; what is masked stays 0 after every layer, as in sparse convolutions; four maps."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(a, 8, 3, padding=1).double() for a in (PAST, 8, 8, 8))

    def forward(self, seen):
        maps, x, mask = [], seen.shown.flatten(1, 2), seen.observed.flatten(1, 2).amax(1, keepdim=True)
        for layer in self.layers:
            x = F.gelu(layer(x)) * mask
            maps.append(x)
        return Features(x.mean((2, 3)), tuple(maps))


class MapDecoder(nn.Module):
    """From the maps around a place, for where it is masked they are 0."""

    def __init__(self, frames):
        super().__init__()
        self.last = nn.Conv2d(4 * 8, frames, 5, padding=2).double()

    def forward(self, features):
        return self.last(torch.cat(features.maps, 1))


class Pretraining(Objective):
    """Frames with half of their patches masked, to themselves: what was masked counts."""

    trains, target = ("encoder", "decoder"), slice(0, PAST)
    ratio = 0.5

    def __init__(self, record):
        self.record = record
        with seeded(0, "nowcast", "build"):
            self.modules = {"encoder": MaskedEncoder(), "decoder": MapDecoder(FUTURE)}

    def batches(self, part, generator):
        windows = self.record.windows(part, PAST + FUTURE)
        return windows[torch.randperm(len(windows), generator=generator)].split(8)

    def load(self, batch):
        return self.record.take(batch, PAST + FUTURE)

    def losses(self, batch, epoch, generator):
        past, truth = batch.values[:, :PAST], batch.values[:, self.target].flatten(1, 2)
        patches = (torch.rand(len(past), 1, 1, 4, 4, generator=generator) >= self.ratio).double()
        mask = patches.repeat_interleave(2, -1).repeat_interleave(2, -2).expand(past.shape)
        made = self.modules["decoder"](self.modules["encoder"](Sample(past, mask, batch.time[:, :PAST])))
        return {"loss": self.weighted((made - truth).square(), mask[:, :, 0])}

    def weighted(self, square, mask):
        return (square * (1 - mask)).sum() / (1 - mask).sum()


class Nowcasting(Pretraining):
    """The twelve frames after twelve, from whole ones."""

    target, ratio = slice(PAST, None), 0.0

    def weighted(self, square, mask):
        return square.mean()


def trained(experiment, objective, variant, weights=None):
    """The run of a training that starts from other weights, or from fresh ones."""
    run = run_of(experiment, "autoencoder", variant)
    if weights:
        load_weights({"encoder": objective.modules["encoder"]}, weights)
    fit(Job(objective, Schedule(6, 3e-3), experiment, run, fabric_of(experiment, run), 0))
    return run


def test_a_nowcaster_is_pre_trained_and_fine_tuned_on_separate_sequences(tiny):
    record, experiment = Events(), tiny()
    windows = record.windows("train", PAST + FUTURE)
    assert len(windows) == 6 * 7 and windows[:, 0].unique().tolist() == list(range(6))
    sample = record.take(windows[6:8], PAST + FUTURE)  # the last of one event, the first of the next
    assert sample.values.shape == (2, 24, 1, 8, 8) and (np.diff(sample.dates, axis=1) == EVERY).all()
    before = trained(experiment, Pretraining(record), "-masked")
    tuned = trained(experiment, Nowcasting(record), "-tuned", before.load(MODEL)[0])
    for run in (before, tuned):
        losses = run.history()["validation_loss"]
        assert losses[-1] < 0.9 * losses[0]
    fresh = trained(experiment, Nowcasting(record), "-fresh").history()["training_loss"]
    assert tuned.history()["training_loss"][0] != pytest.approx(fresh[0], rel=1e-6)  # it began elsewhere
