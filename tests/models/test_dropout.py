"""ReLU and dropout: how much is dropped, that draws are independent, what happens to the rest and to gradients."""

import pytest
import torch
from torch import nn

from sparta_core.layers.dropout import ReLUDropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_share_and_the_scale(p, layout):
    """A share p within five standard errors is 0, everything else 1/(1-p): the mean stays."""
    torch.manual_seed(0)
    y = ReLUDropout(p).train()(torch.ones(8, 20, 30, 40).contiguous(memory_format=layout))
    assert y.is_contiguous(memory_format=layout)
    share = (y == 0).double().mean().item()
    assert abs(share - p) < 5 * (p * (1 - p) / y.numel()) ** 0.5
    assert torch.allclose(y[y != 0], torch.tensor(1 / (1 - p)), rtol=1e-4)


def test_neighbours_drop_independently():
    """Values beside each other, which share a draw of 64 bits, agree as often as independent ones: p^2 + (1-p)^2."""
    torch.manual_seed(1)
    gone = ReLUDropout(0.3).train()(torch.ones(400_000)) == 0
    for apart in (1, 2, 3, 4):
        agree = (gone[apart:] == gone[:-apart]).double().mean().item()
        assert agree == pytest.approx(0.3**2 + 0.7**2, abs=5 * (0.25 / 400_000) ** 0.5)


def test_relu_and_dropout_one_after_the_other():
    """The same values, and the derivatives that autograd and finite differences find."""
    x = torch.randn(40, 30, dtype=torch.float64, requires_grad=True)

    def thinned(x):
        torch.manual_seed(2)
        return ReLUDropout(0.3).train()(x)

    torch.manual_seed(2)
    mask = ReLUDropout(0.3).mask(x)
    assert set(mask.unique().tolist()) == {0, 1}
    expected = x.relu() * mask / (1 - round(0.3 * 2**16) / 2**16)
    assert torch.allclose(thinned(x), expected, rtol=1e-14)
    ours, plain = (torch.autograd.grad(y.square().sum(), x)[0] for y in (thinned(x), expected))
    assert torch.allclose(ours, plain, rtol=1e-13) and (ours != 0).any()
    assert torch.autograd.gradcheck(thinned, x[:5, :6].detach().requires_grad_())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_masks_are_equal_in_every_precision(layout, dtype):
    """Of the same draws, in order in memory: bfloat16's are made of whole numbers."""
    x = torch.randn(3, 5, 7, 11).contiguous(memory_format=layout)
    for p in (1e-4, 0.1, 0.5, 0.999):
        masks = []
        for kind in (torch.float32, dtype):
            torch.manual_seed(3)
            masks.append(ReLUDropout(p).mask(x.to(kind)))
        assert torch.equal(masks[0], masks[1].float()) and masks[1].dtype == dtype
        assert masks[1].is_contiguous(memory_format=layout)


def test_the_mean_in_bfloat16():
    """The scale 1/(1-p) is a number of full precision: as one of bfloat16, 1.109, all would be 0.16 % too small."""
    torch.manual_seed(4)
    x = (1 + torch.rand(400_000)).to(torch.bfloat16)
    y = ReLUDropout(0.1).train()(x)
    assert (y / x.double())[y != 0].mean().item() == pytest.approx(1 / 0.9, rel=2e-4)


def test_the_generator_decides():
    layer, x = ReLUDropout(0.5).train(), torch.ones(5, 11)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second = layer(x), layer(x)
    torch.set_rng_state(state)
    assert torch.equal(layer(x), first) and not torch.equal(second, first)


@pytest.mark.parametrize("layer", [ReLUDropout(0.5).eval(), ReLUDropout(0.0).train()])
def test_relu_alone(layer):
    x = torch.randn(3, 4)
    assert torch.equal(layer(x), x.relu())


def test_the_same_law_as_torch():
    """Mean and variance of each output over many draws, beside nn.Dropout's closed form p/(1-p) x^2."""
    torch.manual_seed(6)
    x = torch.tensor([1.0, 2.0, 3.0]).expand(200_000, 3)
    for layer in (ReLUDropout(0.25).train(), nn.Dropout(0.25).train()):
        y = layer(x).double()
        assert torch.allclose(y.mean(0), x[0].double(), rtol=0.01)
        assert torch.allclose(y.var(0), x[0].double() ** 2 / 3, rtol=0.02)
