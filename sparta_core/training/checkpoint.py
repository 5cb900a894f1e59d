"""What a training keeps to go on from, bit for bit: modules, optimiser, schedule, generators, history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sparta_core.training.tensors import Tensors


@dataclass
class State:
    """Everything that changes while `modules` train; `epoch` and `history` count whole epochs."""

    modules: Mapping[str, nn.Module]
    adam: Adam
    plateau: ReduceLROnPlateau
    generator: torch.Generator
    precision: str
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def weights(self) -> Tensors:
        return {f"{part}.{key}": value for part, module in self.modules.items()
                for key, value in module.state_dict().items()}  # fmt: skip

    def tensors(self) -> Tensors:
        tensors = {f"model.{key}": value for key, value in self.weights().items()}
        for index, moments in self.adam.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{key}": value for key, value in moments.items()}
        tensors |= {"generator": self.generator.get_state(), "global_generator": torch.get_rng_state()}
        if self.generator.device.type == "cuda":
            tensors["cuda_generator"] = torch.cuda.get_rng_state(self.generator.device)
        return tensors

    def record(self) -> dict[str, Any]:
        plain = {key: value for key, value in self.plateau.state_dict().items()
                 if isinstance(value, (int, float, str, list))}  # fmt: skip
        groups = [{key: value for key, value in group.items() if key != "params"}
                  for group in self.adam.state_dict()["param_groups"]]  # fmt: skip
        return {"epoch": self.epoch, "precision": self.precision, "plateau": plain, "groups": groups,
                "history": self.history}  # fmt: skip

    def restore(self, tensors: Tensors, record: dict[str, Any]) -> None:
        """Take over what `tensors` and `record` gave; RuntimeError, KeyError, ValueError, TypeError: no fit."""
        load_weights(self.modules, _under("model.", tensors))
        state: dict[int, Tensors] = {}
        for key, value in _under("optimiser.", tensors).items():
            index, name = key.split(".")
            state.setdefault(int(index), {})[name] = value
        groups = self.adam.state_dict()["param_groups"]
        groups = [group | saved for group, saved in zip(groups, record["groups"], strict=True)]
        self.adam.load_state_dict({"state": state, "param_groups": groups})
        self._arrange_moments()
        self.plateau.load_state_dict(record["plateau"])
        self.generator.set_state(tensors["generator"])
        torch.set_rng_state(tensors["global_generator"])
        if "cuda_generator" in tensors and self.generator.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["cuda_generator"], self.generator.device)
        self.epoch, self.history = record["epoch"], record["history"]

    def _arrange_moments(self) -> None:
        """Put Adam's moments in memory in their parameters' order: the fused kernel walks both side by side."""
        for parameter, moments in self.adam.state.items():
            for name in ("exp_avg", "exp_avg_sq"):
                moments[name] = torch.empty_like(parameter, requires_grad=False).copy_(moments[name])


def load_weights(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """Put saved weights into `modules`; every part must be there, whole."""
    for part, module in modules.items():
        module.load_state_dict(_under(f"{part}.", tensors))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
