"""Where a run computes and how precisely: lightning-fabric, with bf16 where the hardware has it."""

import ctypes
import logging
import os
import sys
from typing import TYPE_CHECKING, Literal

import torch
from torch import distributed as dist

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.settings import Section, setting
from sparta_core.typed import Table, check_choice

if TYPE_CHECKING:
    from lightning_fabric import Fabric

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISION = "SPARTA_PRECISION"  # the environment variable
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # as glibc's malloc.h numbers them


class Device(Section):
    """What computes, and how precisely."""

    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "what computes; auto: the best there is",
                                                            trains=False)  # fmt: skip
    precision: Literal["auto", "32-true", "bf16-mixed"] = setting(
        "auto", "of training; auto: bf16 where the hardware has it", trains=False)


def prepare_process() -> None:
    """Set this process up to train: every program calls it first, importing changes nothing, a second call neither.

    Numbers below 1e-38 count as 0 from here on, in threads that start later, too: unused moments of Adam decay to them,
    and made a forecaster's epoch 13 times longer. glibc reuses large freed blocks, which it would give back and get
    again page by page: a step at the paper's size takes a fifth less time so, its views half, and a tenth more memory.
    lightning_fabric is silent about the choices made here.

    Example:
        >>> prepare_process()
        >>> float(torch.tensor(1e-39) * 1)
        0.0
    """
    torch.set_flush_denormal(True)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_MMAP_MAX, 0)


def make_fabric(experiment: Experiment, precision: str | None = None) -> "Fabric":
    """The Fabric that places modules and runs their forward passes for `experiment`.

    `precision` overrides the experiment's: a resumed run goes on in the one it began with. For "auto" it is what the
    environment variable SPARTA_PRECISION says, by which tests compute as other hardware does, or the hardware's.
    Raises ExperimentError where the device is not there or the variable names no precision.
    """
    device = resolve_device(experiment.device)
    return _launched(device, precision or PRECISIONS[experiment.precision](device))


def _launched(device: str, precision: str) -> "Fabric":
    """One process, or one of those that torchrun or `fabric run` has started."""
    from lightning_fabric import Fabric  # here: it takes seconds to import, and only training needs it

    together = dist.is_torchelastic_launched()
    here = int(os.environ["LOCAL_WORLD_SIZE"]) if together else 1
    nodes = int(os.environ["WORLD_SIZE"]) // here if together else 1
    fabric = Fabric(accelerator=device, devices=here, num_nodes=nodes, strategy="ddp" if together else "auto",
                    precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def join_launch(experiment: Experiment) -> None:
    """Let the processes of one launch know each other, before any of them looks at a run."""
    if dist.is_torchelastic_launched() and not dist.is_initialized():
        make_fabric(experiment)


def local_device(name: str) -> str:
    """`resolve_device`, and of several processes each one's own GPU."""
    device = resolve_device(name)
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and dist.is_torchelastic_launched() else device


def resolve_device(name: str) -> str:
    """`name`, or for "auto" the best device here: cuda, mps, cpu in this order."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    check_choice("device", name, DEVICES)
    if name == "auto":
        return next(device for device, found in there.items() if found)
    if not there[name]:
        raise ExperimentError(f"device is {name!r}, which this machine does not have; use device='auto'")
    return name


def arrange(model: Sparta, device: str, precision: str = "32-true") -> None:
    """Put convolutions channels-last, in place, where that was measured to pay: on a CPU.

    A decoder's step takes a third less time so in float32, half in bf16; an encoder gains a little in
    float32, and in bf16 the paper's would take twice as long.
    """
    if device == "cpu":
        for name, part in model.parts.items():
            if name == "decoder" or precision == "32-true":
                part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def native_precision(device: str) -> str:
    """bf16-mixed where the hardware multiplies in bf16 and torch's convolutions gain by it, else 32-true.

    It asks what the device can do and times nothing: the same machine always gives the same bits.
    """
    native = False  # on mps autocast covers too few operations
    if device == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device == "cpu":
        can = torch.cpu.get_capabilities()
        native = any(can.get(name) for name in ("avx512_bf16", "amx_bf16"))
    return "bf16-mixed" if native else "32-true"


def automatic_precision(device: str) -> str:
    """What the environment variable says, else `native_precision`; ExperimentError for a precision that is none."""
    chosen = [name for name in PRECISIONS if name != "auto"]
    precision = os.environ.get(PRECISION) or native_precision(device)
    if precision not in chosen:
        raise ExperimentError(f"the environment variable {PRECISION} is {precision!r}; it must be one of "
                              f"{', '.join(chosen)}")
    return precision


PRECISIONS = Table("precision", {"auto": automatic_precision, "32-true": lambda device: "32-true",
                                 "bf16-mixed": lambda device: "bf16-mixed"})  # fmt: skip
