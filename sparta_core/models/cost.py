"""What a model costs: trained parameters, and operations for one sample."""

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def parameters_and_flops(module: nn.Module, *inputs: Tensor) -> tuple[int, float]:
    """Trained parameters, and floating-point operations a sample of `inputs` (B, ...), a multiplication and addition
    being two. Of optimal interpolation, whose steps depend on what is observed, for just these.
    """
    with FlopCounterMode(display=False) as counter:
        module(*(one.detach() for one in inputs))  # the counter's hooks want no gradients
    return sum(p.numel() for p in module.parameters()), counter.get_total_flops() / len(inputs[0])
