"""What torch.compile would bring a training step, and CUDA graphs: SPARTA uses neither unless they pay.

Only the encoder is compiled: on a CPU inductor trips over the decoder's masks, which are cut from wider numbers.
"""

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.ours import TrainingStep
from benchmarks.report import Row
from benchmarks.setting import Setting, noise_record
from benchmarks.steps import in_turn, rate
from benchmarks.timing import ratio, synchronise
from sparta_core.data.record import Record

MODES = {"cpu": ("default",), "cuda": ("default", "reduce-overhead")}  # the last is that with CUDA graphs


def compiled(setting: Setting) -> Iterator[Row]:
    record = noise_record(setting.experiment())
    for mode in MODES.get(setting.device, ()):
        yield measured(setting, mode, record)


def measured(setting: Setting, mode: str, record: Record) -> Row:
    """Stage 1's step with a compiled encoder, over the same as it is."""
    plain, faster = (TrainingStep(setting.experiment(), "pretrain", record) for _ in range(2))
    encoder: Any = faster.objective.modules["encoder"]
    encoder.module.compile(mode=mode)
    begun = time.perf_counter()
    faster()
    synchronise(setting.device)
    seconds = time.perf_counter() - begun
    plain()  # warms up
    times = in_turn({"compiled": faster, "plain": plain}, setting)
    return Row(f"early, stage 1's step with its encoder compiled ({mode}, {seconds:.0f} s); without",
               rate(times["compiled"]), rate(times["plain"]), ratio(times["plain"], times["compiled"]))  # fmt: skip
