"""Timings that share one run: the contenders take turns, so that a busy machine slows all of them."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

Clock = Callable[[], float]


@dataclass(frozen=True)
class Contender:
    """`run` is timed, on what `prepare` returns, which is not; it does `units` pieces of work."""

    run: Callable[[Any], object]
    units: int = 1
    prepare: Callable[[], Any] = lambda: None


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


def interleaved(contenders: Mapping[str, Contender], device: str, rounds: int, warmup: int = 0,
                clock: Clock = time.perf_counter) -> dict[str, list[float]]:  # fmt: skip
    """Seconds a unit of every contender, one per round; the `warmup` rounds before are not kept."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warmup + rounds):
        for name, contender in contenders.items():
            taken = _timed(contender, device, clock)
            if turn >= warmup:
                seconds[name].append(taken / contender.units)
    return seconds


def _timed(contender: Contender, device: str, clock: Clock) -> float:
    prepared = contender.prepare()
    synchronise(device)
    start = clock()
    contender.run(prepared)
    synchronise(device)
    return clock() - start


def repeated(call: Callable[[], object], count: int = 1) -> Callable[[Any], None]:
    """What a contender runs that calls `call` so many times."""

    def run(_: Any) -> None:
        for _ in range(count):
            call()

    return run


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times longer theirs took, round by round."""
    return Spread.of([a / b for a, b in zip(theirs, ours, strict=True)])


def synchronise(device: str) -> None:
    """Wait until the device has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()
    elif device == "mps":
        torch.mps.synchronize()


@lru_cache
def matmul_peak(device: str, precision: str) -> float:
    """FLOP/s of the fastest of ten large matrix products in bf16 or float32, torch's settings as they are."""
    size, count = (8192, 10) if device == "cuda" else (2048, 1)
    dtype = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
    a, b = torch.randn(2, size, size, device=device).to(dtype)

    product = Contender(repeated(lambda: a @ b, count), count)
    fastest = min(interleaved({"product": product}, device, rounds=10, warmup=1)["product"])
    return 2 * size**3 / fastest
