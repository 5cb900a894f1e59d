"""The seasons that days belong to: what classifiers learn and are scored on."""

import torch
from torch import Tensor

from sparta_core.data.record import Record

SEASONS = ("DJF", "MAM", "JJA", "SON")


def seasons(record: Record, split: str) -> Tensor:
    """The season (T,) of every day of a split: an index of SEASONS."""
    days = record.splits[split]
    return torch.from_numpy(record.season[days.start : days.stop]).to(record.device)
