"""Training steps of every model beside the same in float64, in a process of its own: a fault of a library may end it.

`python -m tests.training.precision_steps PRECISION LAYOUT` prints each case before it runs; LAYOUT is the precision
whose memory layout `arrange` gives. A loss, gradient or step of Adam that is wrong ends it with an error.
"""

import copy
import sys

import torch
from torch import nn

from sparta_core.data.domain import Domain
from sparta_core.data.normaliser import Normaliser
from sparta_core.experiment import Experiment
from sparta_core.layers.dropout import ReLUDropout
from sparta_core.models.sparta import Sparta
from sparta_core.training.device import arrange, make_fabric, prepare_process
from tests.globe import axes

VARIABLES = ("2m_temperature", "geopotential")
BATCH = 4
SIZES = [(5, 7), (9, 17), (16, 33), (17, 15), (31, 63), (32, 64), (33, 65), (35, 8), (40, 72), (48, 97), (63, 129),
         (72, 144)]  # fmt: skip
GRID = (33, 65)  # of the fields, at most
LARGE = (256, 512)  # where AVX-512 has the fault that AVX2 has on any map
MODELS = [(backbone, fusion, decoder) for backbone, other in (("resnet18", "globe"), ("globe", "resnet18"))
          for fusion in ("early", "attention", "gnn", "hybrid") for decoder in ("same", other)]  # fmt: skip
# Of a weight's gradient, given what its layer is given; relative. Of bfloat16's two roundings, 4e-3 each, a CPU without
# its instructions adds its own; a wrong kernel is off by more than a tenth.
OF_LAYERS = {"32-true": 3e-5, "bf16-mixed": 2e-2}
OF_LOSS = {"32-true": 1e-4, "bf16-mixed": 0.1}
# Of the whole gradient, relative, in float32 alone: rounding moves values across the bends of ReLU and max pooling.
OF_ALL = 0.1


def cases():
    """Every model on a size or two, each size with one or two models; widths on both sides of 8."""
    for i, size in enumerate(SIZES):
        for j, (backbone, fusion, decoder) in enumerate(MODELS):
            if (i + 5 * j) % 8 == 0:
                narrow = (4, 6, 12)[i % 3]
                yield size, backbone, fusion, decoder, 8 if "globe" in (backbone, decoder) else narrow
    yield LARGE, "resnet18", "early", "same", 4


def experiment(precision, size, backbone, fusion, decoder, width):
    large = min(size) > 32  # else one-channel norms see a value or two, and leave little but signs
    return Experiment(
        device="cpu", precision=precision, variables=VARIABLES, edges=(VARIABLES,), view_size=size, crop_from=size,
        backbone=backbone, fusion=fusion, decoder_backbone=decoder, width=width, embedding=60, projection=8,
        attention_heads=4, norm_groups=None if large else 2, head="pool" if large else "flatten")  # fmt: skip


def fields_on(grid):
    """Of standardised fields on a grid (H, W) around the globe."""
    count = len(VARIABLES)
    return Normaliser(domain=Domain(*axes(*grid)), variables=VARIABLES, units=("1",) * count, level=850,
                      mean=torch.zeros(count), std=torch.ones(count))  # fmt: skip


def loss_of(parts, view, along):
    """What the parts make of `view`, projected on the fixed directions `along`: far from a minimum, so that gradients
    are sums of what rounding leaves of them, not differences.
    """
    embedding = parts["encoder"](view)
    made = (embedding, parts["projector"](embedding), parts["decoder"](embedding))
    return sum((one * direction).mean() for one, direction in zip(made, along, strict=True))


class Layers:
    """What each convolution of `model` is given, forward and backward, and whether it makes the right of it."""

    def __init__(self, model):
        self.model, self.given = model, {}
        for name, module in model.named_modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                module.register_forward_hook(lambda module, inputs, made, name=name: self._follow(name, inputs, made))

    def _follow(self, name, inputs, made):
        made.register_hook(lambda gradient: self.given.update({name: (inputs[0].detach(), gradient)}))

    def check(self, bound):
        """The weight's gradient beside float64's, computed by torch without oneDNN."""
        for name, (x, gradient) in self.given.items():
            module = self.model.get_submodule(name)
            plain = copy.deepcopy(module).double().to(memory_format=torch.contiguous_format)
            plain._forward_hooks.clear()
            made = plain(x.double().contiguous())
            expected, = torch.autograd.grad(made, plain.weight, gradient.double().contiguous())
            off = (module.weight.grad - expected).norm() / expected.norm()
            assert off < bound, f"{name}'s weight's gradient is {off:.2g} off"


def check_whole(model, reference):
    pairs = [(p.grad.double(), q.grad) for p, q in zip(model.parameters(), reference.parameters(), strict=True)]
    off = (sum((p - q).square().sum() for p, q in pairs) / sum(q.square().sum() for _, q in pairs)).sqrt()
    assert off < OF_ALL, f"the gradient is {off:.2g} off"


def check_adam(model, adam):
    """A step of the fused kernel, which walks parameters and gradients side by side in memory, and the plain one."""
    plain = [nn.Parameter(p.detach().contiguous().clone()) for p in model.parameters()]
    for copied, parameter in zip(plain, model.parameters(), strict=True):
        copied.grad = parameter.grad.contiguous().clone()
    torch.optim.Adam(plain, lr=1e-3, foreach=False).step()
    adam.step()
    assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(model.parameters(), plain, strict=True)), "Adam differs"


def check(precision, layout, *case):
    settings = experiment(precision, *case)
    size = settings.view_size
    grid = min(size, GRID)
    torch.manual_seed(0)
    model = Sparta.build(settings, ("encoder", "projector", "decoder"), fields_on(grid))
    view = torch.randn(BATCH, len(VARIABLES), *size)
    along = [torch.randn(BATCH, n) for n in (settings.embedding, settings.projection)]
    along.append(torch.randn(BATCH, len(VARIABLES), *grid))
    dropouts = [module for module in model.modules() if isinstance(module, ReLUDropout)]
    shares = [module.p for module in dropouts]
    for module in dropouts:  # its draws lie in memory's order, which is another in float64's layout
        module.p = 0.0
    reference = copy.deepcopy(model).double()
    expected = loss_of(reference.parts, view.double(), [one.double() for one in along])
    expected.backward()
    arrange(model, "cpu", layout)
    fabric = make_fabric(settings)
    parts = {name: fabric.setup_module(module) for name, module in model.parts.items()}
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    layers = Layers(model)
    loss = loss_of(parts, view, along)
    fabric.backward(loss)
    off = abs(loss.item() - expected.item())
    assert off < OF_LOSS[precision], f"the loss is {off:.2g} off"
    layers.check(OF_LAYERS[precision])
    if precision == "32-true":
        check_whole(model, reference)
    check_adam(model, adam)
    for module, share in zip(dropouts, shares, strict=True):
        module.p = share
    adam.zero_grad()
    fabric.backward(loss_of(parts, view, along))
    adam.step()
    assert all(torch.isfinite(p).all() for p in model.parameters()), "a parameter is not finite"


if __name__ == "__main__":
    prepare_process()
    torch.set_num_threads(1)
    for case in cases():
        print(*sys.argv[1:], *case, flush=True)
        check(*sys.argv[1:], *case)
    print("done", flush=True)
