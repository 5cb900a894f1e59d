"""Which days meet in a batch: temporal positives, hard and soft negatives (paper, 3.3.1 and 3.4.1).

Index arithmetic only: every draw costs the same, whatever the length of the record.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sparta_core.data.clock import Clock
from sparta_core.durations import Length, duration, in_days
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.settings import Count, Section, setting


class Batches(Section):
    """Which days meet in a batch."""

    batch_size: Count = setting(128, "days of a batch; with hard negatives a third of them are anchors")
    max_offset: Length = setting(5, "from an anchor to its positives, at most", "days")
    hard_gap: tuple[Length, Length] = setting((11, 40), "from an anchor to its hard negative", "days")
    soft_gap: Length = setting(1000, "from an anchor to its soft negative, at least", "days")

    def check(self, experiment: Experiment) -> None:
        if self.batch_size < 3:
            raise ExperimentError(f"batch_size is {self.batch_size}; one anchor with its negatives needs 3")
        offset, near, far, soft = (in_days(duration(each)) for each in (self.max_offset, *self.hard_gap, self.soft_gap))
        if not offset < near <= far < soft:
            raise ExperimentError(
                f"hard_gap is {self.hard_gap}; it must lie between max_offset ({self.max_offset}) "
                f"and soft_gap ({self.soft_gap}), so that no negative is also a positive")


def draw_offsets(count: int, max_offset: int, decay: float, generator: torch.Generator) -> Tensor:
    """Steps between anchor and positives, d in 1..max_offset with P(d) proportional to exp(-decay d)."""
    steps = torch.arange(1, max_offset + 1, device=generator.device)
    weights = torch.exp(-decay * steps)
    return 1 + torch.multinomial(weights, count, replacement=True, generator=generator)


def draw_negatives(anchors: Tensor, days: range, near: int, far: int, generator: torch.Generator) -> Tensor:
    """For each anchor a day of `days` with near <= distance <= far, uniform over both sides.

    Every anchor must have one; `Sampler` checks that for a whole split.
    """
    left = (anchors - far).clamp(min=days[0])
    right = anchors + near
    on_left = (anchors - near - left + 1).clamp(min=0)
    on_right = ((anchors + far).clamp(max=days[-1]) - right + 1).clamp(min=0)
    count = on_left + on_right
    draw = torch.rand(len(anchors), generator=generator, device=generator.device)
    index = torch.minimum((draw * count).long(), count - 1)  # rounding may reach the count itself
    return torch.where(index < on_left, left + index, right + index - on_left)


def batched(order: Tensor, size: int) -> list[Tensor]:
    """`order` (N,) in batches of `size`, the last one partial; one left over joins its neighbours.

    A batch of one has no statistics for batch norm and no negatives.
    """
    batches = list(order.split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


@dataclass(frozen=True)
class Sampler:
    """Draws the batches of one split; distances in time are in steps of the record's clock.

    `anchors` are the days that have positives on both sides inside the split; negatives come
    from the same days. Raises DataError for a split too short for the negatives' gap.
    """

    anchors: range
    batch_size: int
    max_offset: int
    offset_decay: float
    hard_gap: tuple[int, int]
    soft_gap: int
    hard_negatives: bool

    @classmethod
    def of(cls, experiment: Experiment, part: str, days: range, hard_negatives: bool, clock: Clock) -> "Sampler":
        """The sampler of the split called `part`, which holds `days`."""
        margin, soft = (clock.steps(name, getattr(experiment, name)) for name in ("max_offset", "soft_gap"))
        near, far = (clock.steps("hard_gap", gap) for gap in experiment.hard_gap)
        anchors = range(days.start + margin, days.stop - margin)
        needed = 2 * soft if hard_negatives else 1
        if len(anchors) < needed:
            raise DataError(
                f"the {part} split has {len(days)} {clock.fields}, too short for soft negatives {soft} "
                f"{clock.fields} away: it needs {needed + 2 * margin}; lower soft_gap to "
                f"{clock.duration(len(anchors) // 2)} or use more {clock.fields}"
                if hard_negatives
                else f"the {part} split has {len(days)} {clock.fields}; positives need more than {2 * margin}"
            )
        return cls(anchors, experiment.batch_size, margin, experiment.offset_decay * clock.days, (near, far), soft,
                   hard_negatives)  # fmt: skip

    def batches(self, generator: torch.Generator) -> list[Tensor]:
        """One epoch of days (B,): every anchor once, in random order, partial last batch kept (section 6.1.2).

        With hard negatives a batch is its anchors, then a hard and a soft negative of each.
        """
        order = torch.randperm(len(self.anchors), generator=generator, device=generator.device)
        anchors = order + self.anchors.start
        if not self.hard_negatives:
            return batched(anchors, self.batch_size)
        hard = draw_negatives(anchors, self.anchors, *self.hard_gap, generator)
        soft = draw_negatives(anchors, self.anchors, self.soft_gap, len(self.anchors), generator)
        days = torch.stack([anchors, hard, soft])
        return [triple.flatten() for triple in days.split(self.batch_size // 3, dim=1)]

    def offsets(self, count: int, generator: torch.Generator) -> Tensor:
        """The distance of each sample's two positives."""
        return draw_offsets(count, self.max_offset, self.offset_decay, generator)
