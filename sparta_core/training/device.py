"""Where a run computes and how precisely: lightning-fabric, with bf16 only where it was timed to be faster."""

import logging
import os
import time
from functools import lru_cache

import torch
from lightning_fabric import Fabric
from torch import distributed as dist

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta

WORTHWHILE = 1.2  # how many times faster bf16 must be; below that its rounding buys nothing
PROBE = 32  # samples in a timed step

logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its notes on the choices made here
# Numbers below 1e-38 count as 0: unused moments of Adam decay to them, and made a forecaster's epoch 13 times longer.
torch.set_flush_denormal(True)


def make_fabric(experiment: Experiment, precision: str | None = None) -> Fabric:
    """The Fabric that places modules and runs their forward passes for `experiment`.

    `precision` overrides the experiment's: a resumed run goes on in the one it began with.
    Raises ExperimentError where the device is not there.
    """
    device = resolve_device(experiment.device)
    precision = precision or experiment.precision
    if precision == "auto":
        # The first process decides for all.
        precision = _launched(device, "32-true").broadcast(measured_precision(experiment.replace(seed=0), device))
    return _launched(device, precision)


def _launched(device: str, precision: str) -> Fabric:
    """One process, or one of those that torchrun or `fabric run` has started."""
    together = dist.is_torchelastic_launched()
    here = int(os.environ["LOCAL_WORLD_SIZE"]) if together else 1
    nodes = int(os.environ["WORLD_SIZE"]) // here if together else 1
    fabric = Fabric(accelerator=device, devices=here, num_nodes=nodes, strategy="ddp" if together else "auto",
                    precision=precision)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def local_device(name: str) -> str:
    """`resolve_device`, and of several processes each one's own GPU."""
    device = resolve_device(name)
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and dist.is_torchelastic_launched() else device


def resolve_device(name: str) -> str:
    """`name`, or for "auto" the best device here: cuda, mps, cpu in this order."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
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


@lru_cache
def measured_precision(experiment: Experiment, device: str) -> str:
    """bf16-mixed where a step of this experiment's encoder and decoder is clearly faster so, else 32-true.

    The whole model is timed, because a processor good at bf16 products may still be slow at
    convolutions with few channels.
    """
    if device == "mps":
        return "32-true"  # autocast covers too few operations there
    single, half = _step_times(experiment, device)
    return "bf16-mixed" if single > WORTHWHILE * half else "32-true"


def _step_times(experiment: Experiment, device: str) -> list[float]:
    """Seconds of a forward and backward pass in float32 and in bf16: each the best of three, in turn."""
    channels = len(experiment.variables)
    with torch.random.fork_rng():
        models = [Sparta.build(experiment, "decoder", channels, (32, 64)).to(device) for _ in range(2)]
        for model, precision in zip(models, ("32-true", "bf16-mixed"), strict=True):
            arrange(model, device, precision)
        view = torch.randn(PROBE, channels, *experiment.view_size, device=device)
        rounds = [[_step_time(model, view, bf16) for model, bf16 in zip(models, (False, True), strict=True)]
                  for _ in range(4)]  # fmt: skip
    return [min(times) for times in zip(*rounds[1:], strict=True)]  # the first round warms up


def _step_time(model: Sparta, view: torch.Tensor, bf16: bool) -> float:
    start = time.perf_counter()
    with torch.enable_grad(), torch.autocast(view.device.type, torch.bfloat16, enabled=bf16):
        loss = model(view).float().square().mean()
    loss.backward()
    loss.item()  # waits for the device
    return time.perf_counter() - start
