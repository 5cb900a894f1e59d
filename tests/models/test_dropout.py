"""Dropout: how much is dropped, that draws are independent, what happens to the rest and to gradients."""

import pytest
import torch
from torch import nn

from sparta_core.models.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_share_and_the_scale(p, layout):
    """A share p within five standard errors is 0, everything else 1/(1-p): the mean stays."""
    torch.manual_seed(0)
    y = Dropout(p).train()(torch.ones(8, 20, 30, 40).contiguous(memory_format=layout))
    assert y.is_contiguous(memory_format=layout)
    share = (y == 0).double().mean().item()
    assert abs(share - p) < 5 * (p * (1 - p) / y.numel()) ** 0.5
    assert torch.allclose(y[y != 0], torch.tensor(1 / (1 - p)), rtol=1e-4)


def test_neighbours_drop_independently():
    """Values beside each other, which share a draw of 64 bits, agree as often as independent ones: p^2 + (1-p)^2."""
    torch.manual_seed(1)
    gone = Dropout(0.3).train()(torch.ones(400_000)) == 0
    for apart in (1, 2, 3, 4):
        agree = (gone[apart:] == gone[:-apart]).double().mean().item()
        assert agree == pytest.approx(0.3**2 + 0.7**2, abs=5 * (0.25 / 400_000) ** 0.5)


def test_gradients_pass_where_values_do():
    torch.manual_seed(2)
    x = torch.randn(7, 5, 3, requires_grad=True)
    y = Dropout(0.4).train()(x)
    y.sum().backward()
    assert torch.allclose(y, x * x.grad)
    assert set((x.grad != 0).flatten().tolist()) == {True, False}


def test_the_generator_decides():
    layer, x = Dropout(0.5).train(), torch.ones(5, 11)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first, second = layer(x), layer(x)
    torch.set_rng_state(state)
    assert torch.equal(layer(x), first) and not torch.equal(second, first)


@pytest.mark.parametrize("layer", [Dropout(0.5).eval(), Dropout(0.0).train()])
def test_the_identity(layer):
    x = torch.randn(3, 4)
    assert torch.equal(layer(x), x)


def test_the_same_law_as_torch():
    """Mean and variance of each output over many draws, beside nn.Dropout's closed form p/(1-p) x^2."""
    torch.manual_seed(4)
    x = torch.tensor([1.0, -2.0, 3.0]).expand(200_000, 3)
    for layer in (Dropout(0.25).train(), nn.Dropout(0.25).train()):
        y = layer(x).double()
        assert torch.allclose(y.mean(0), x[0].double(), rtol=0.01)
        assert torch.allclose(y.var(0), x[0].double() ** 2 / 3, rtol=0.02)
