"""A training step's losses and gradients in float64; run by several processes, the first one writes them.

`torchrun --nproc_per_node 2 shared_step.py SETTINGS OUT`, SETTINGS being Experiment's fields as JSON.
"""

import json
import sys
from dataclasses import replace
from unittest.mock import patch

import torch
from safetensors.torch import save_file

from sparta_core.experiment import Experiment
from sparta_core.layers.dropout import ReLUDropout
from sparta_core.training import stages
from sparta_core.training.device import make_fabric
from sparta_core.training.records import open_record

EPOCH = 1  # where the blend weighs all its losses


def in_float64(experiment):
    record = open_record(experiment)
    return replace(record, values=record.values.double())


def exact_fabric(experiment, run):
    return make_fabric(experiment, "64-true")


def gradients(experiment, stage, size):
    """Of the stage's first batch, cut to `size`: every loss, and every gradient of what trains; without dropout."""
    with patch.multiple(stages, open_record=in_float64, fabric_of=exact_fabric):
        job = stages.job(experiment, stage)
    objective, fabric = job.objective, job.fabric
    objective.views.double()
    trained = [objective.modules[part] for part in objective.trains]
    for layer in (layer for module in trained for layer in module.modules() if isinstance(layer, ReLUDropout)):
        layer.p = 0.0
    generator = torch.Generator().manual_seed(5)
    batch = objective.batches("train", generator)[0][:, :size]
    losses = objective.losses(objective.load(batch), EPOCH, generator)
    fabric.backward(losses["loss"])
    means = fabric.all_reduce(torch.stack([value.detach() for value in losses.values()]), reduce_op="mean")
    made_of = {f"loss.{name}": value for name, value in zip(losses, means, strict=True)}
    parameters = [p for module in trained for p in module.parameters()]
    return made_of | {f"gradient.{index}": p.grad for index, p in enumerate(parameters)}, fabric


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    settings, out = json.loads(sys.argv[1]), sys.argv[2]
    for fusion, stage, size in settings.pop("cases"):
        tensors, fabric = gradients(Experiment(**settings | {"fusion": fusion}), stage, size)
        if fabric.is_global_zero:
            whole = {key: value.clone().contiguous() for key, value in tensors.items()}
            save_file(whole, f"{out}/{fusion}-{stage}-{size}")
