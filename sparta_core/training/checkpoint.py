"""What a training keeps to go on from, bit for bit: modules, optimisers, schedules, generators, history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparta_core.tensors import Tensors, named, under
from sparta_core.training.schedules import RateSchedule


@dataclass
class State:
    """Everything that changes while `modules` train; `epoch` and `history` count whole epochs.

    `schedules` has one for each of the `optimisers`, under the same name.
    """

    modules: Mapping[str, nn.Module]
    optimisers: Mapping[str, Optimizer]
    schedules: Mapping[str, RateSchedule]
    generator: torch.Generator
    precision: str
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def weights(self) -> Tensors:
        """Return the state of every module, by part and name."""
        parts = (named(part, module.state_dict()) for part, module in self.modules.items())
        return {key: value for part in parts for key, value in part.items()}

    def tensors(self) -> Tensors:
        """Return all tensors of a checkpoint: weights, the optimisers' moments, the states of the generators."""
        tensors = named("model", self.weights())
        for name, optimiser in self.optimisers.items():
            for index, moments in optimiser.state_dict()["state"].items():
                tensors |= named(f"optimiser.{name}.{index}", moments)
        tensors |= {"generator": self.generator.get_state(), "global_generator": torch.get_rng_state()}
        if self.generator.device.type == "cuda":
            tensors["cuda_generator"] = torch.cuda.get_rng_state(self.generator.device)
        return tensors

    def record(self) -> dict[str, Any]:
        """Return the rest of a checkpoint, as JSON has it."""
        groups = {name: [{key: value for key, value in group.items() if key != "params"}
                         for group in optimiser.param_groups]
                  for name, optimiser in self.optimisers.items()}  # fmt: skip
        schedules = {name: schedule.scheduler.state_dict() for name, schedule in self.schedules.items()}
        return {"epoch": self.epoch, "precision": self.precision, "schedules": schedules, "groups": groups,
                "history": self.history}  # fmt: skip

    def restore(self, tensors: Tensors, record: dict[str, Any]) -> None:
        """Take over what `tensors()` and `record()` returned.

        Raises:
            RuntimeError, KeyError, ValueError, TypeError: they are of another training, or of an older version.
        """
        load_weights(self.modules, under("model", tensors))
        if record.get("schedules", {}).keys() != self.schedules.keys():
            raise ValueError(f"an older version wrote it, or its optimisers are not {', '.join(self.schedules)}")
        for name, optimiser in self.optimisers.items():
            _restore(optimiser, under(f"optimiser.{name}", tensors), record["groups"][name])
            self.schedules[name].scheduler.load_state_dict(record["schedules"][name])
        self.generator.set_state(tensors["generator"])
        torch.set_rng_state(tensors["global_generator"])
        if "cuda_generator" in tensors and self.generator.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["cuda_generator"], self.generator.device)
        self.epoch, self.history = record["epoch"], record["history"]


def load_weights(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Put saved weights into `modules`; every part must be there, whole."""
    for part, module in modules.items():
        module.load_state_dict(under(part, tensors))


def _restore(optimiser: Optimizer, tensors: Tensors, saved_groups: list[dict[str, Any]]) -> None:
    """Give `optimiser` its settings, and its moments in memory in their parameters' order.

    The fused kernel walks both side by side.
    """
    moments: dict[int, Tensors] = {}
    for key, value in tensors.items():
        index, name = key.split(".")
        moments.setdefault(int(index), {})[name] = value
    groups = [group | saved for group, saved in zip(optimiser.state_dict()["param_groups"], saved_groups, strict=True)]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    for parameter, state in optimiser.state.items():
        for name, value in state.items():
            if value.ndim and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
