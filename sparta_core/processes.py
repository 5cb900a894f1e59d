"""One training on several processes, a device each: every batch is shared out, its statistics are of all of it.

Every process draws what the whole batch needs from the same generator and works on its part. The mean
over processes of the loss is then the loss of the whole batch, and of its gradients, which DDP takes,
the gradient.
"""

import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional as F

from sparta_core.errors import ExperimentError


@dataclass(frozen=True)
class Part:
    """The `rows` of a batch of `total` samples that a process works on.

    >>> part = Share(rank=1, processes=3).part(7)
    >>> len(part), part.of(torch.arange(7))
    (2, tensor([2, 3]))
    """

    total: int
    rows: slice

    @classmethod
    def whole(cls, total: int) -> "Part":
        return cls(total, slice(0, total))

    def __len__(self) -> int:
        return self.rows.stop - self.rows.start

    def of(self, batch: Tensor) -> Tensor:
        """Its rows of something drawn for the whole batch (total, ...)."""
        return batch[self.rows]


@dataclass(frozen=True)
class Share:
    """What one of `processes` works on."""

    rank: int = 0
    processes: int = 1

    @classmethod
    def here(cls) -> "Share":
        """This process's; the whole where it is alone."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    def check(self, smallest: int) -> None:
        """ExperimentError unless every process has a sample of a batch of `smallest`."""
        if smallest < self.processes:
            raise ExperimentError(f"the smallest batch has {smallest} samples, too few for {self.processes} processes; "
                                  "start fewer, or change batch_size")

    def part(self, total: int) -> Part:
        """Its rows of a batch of `total`: all processes' are as equal as whole numbers allow."""
        first, last = (total * place // self.processes for place in (self.rank, self.rank + 1))
        return Part(total, slice(first, last))

    def gather(self, rows: Tensor, part: Part) -> Tensor:
        """Gather the whole batch, through which gradients find their way back.

        Args:
            rows: this process's (b, ...).
            part: which of the batch they are.

        Returns:
            All processes' (total, ...), in order.
        """
        if self.processes == 1:
            return rows
        before, after = part.rows.start, part.total - part.rows.stop
        return summed(F.pad(rows, [0, 0] * (rows.ndim - 1) + [before, after]))

    def weighted(self, mean: Tensor, part: Part) -> Tensor:
        """A mean over its rows, weighted so that the mean over processes is the mean over the batch."""
        return mean if self.processes == 1 else mean * (len(part) * self.processes / part.total)


def first_process() -> bool:
    """Whether this process speaks for all."""
    return os.environ.get("RANK", "0") == "0"


def agreed(own: bool) -> bool:
    """The first process's answer, for all of one launch."""
    if not dist.is_initialized():
        return own
    answer = torch.tensor(int(own), device="cuda" if dist.get_backend() == "nccl" else "cpu")
    dist.broadcast(answer, 0)
    return bool(answer)


def summed(own: Tensor) -> Tensor:
    """The sum over processes of a tensor that each has; of gradients, too."""
    total: Tensor = _Sum.apply(own)
    return total


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return summed(gradient)
