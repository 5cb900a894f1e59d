"""Costs counted by hand."""

import torch
from torch import nn

from sparta_core.models.cost import parameters_and_flops


def test_a_linear_layer_and_a_convolution():
    """(3 + 1) 5 parameters and 2 x 15 operations; 4 x 3 x 9 + 4, and as many products at 6 x 8 places, twice."""
    assert parameters_and_flops(nn.Linear(3, 5), torch.zeros(7, 3)) == (20, 30)
    layer = nn.Conv2d(3, 4, 3, padding=1)
    assert parameters_and_flops(layer, torch.zeros(2, 3, 6, 8)) == (112, 2 * 108 * 48)


def test_what_is_not_trained_is_no_parameter():
    layer = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
    assert parameters_and_flops(layer.eval(), torch.zeros(2, 3))[0] == 20 + 10


def test_of_what_another_module_made():
    """Its result has a gradient, as an embedding has that goes on to the decoder, which reshapes it."""
    first, second = nn.Linear(2, 4), nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Linear(4, 5))
    assert parameters_and_flops(second, first(torch.zeros(7, 2))) == (25, 40)
