"""Days and the seasons that they belong to: what classifiers learn and are scored on."""

import torch
from torch import Tensor

from sparta_core.training.workbench import Workbench

SEASONS = ("DJF", "MAM", "JJA", "SON")


def full_fields(bench: Workbench, split: str) -> Tensor:
    """All days (T, C, H, W) of a split with the climatology of their dates, which nobody may take off: it tells them.

    In training standard deviations.
    """
    days = bench.fields.splits[split]
    return bench.fields.whole(slice(days.start, days.stop))


def seasons(bench: Workbench, split: str) -> Tensor:
    """The season (T,) of every day of a split: an index of SEASONS."""
    days = bench.fields.splits[split]
    return torch.from_numpy(bench.fields.season[days.start : days.stop]).to(bench.device)
