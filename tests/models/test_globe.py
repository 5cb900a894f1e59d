"""Convolutions on the globe: scipy's on hand-padded maps, no seam at the date line, any grid, every parameter used."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from scipy.special import erf
from torch.nn import functional as F

from sparta_core.decoders.globe import GlobeDecoder
from sparta_core.encoders.globe import GlobeEncoder
from sparta_core.layers.globe import COARSEST, GlobeBlock, GlobeConv, stage_widths


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def by_scipy(layer, x):
    """One map after the other: columns wrapped and rows repeated by numpy, correlated by scipy, every other kept."""
    step, weight, bias = layer.stride[0], layer.weight.detach().numpy(), layer.bias.detach().numpy()
    padded = [[np.pad(np.pad(map_, ((0, 0), (1, 1)), mode="wrap"), ((1, 1), (0, 0)), mode="edge") for map_ in sample]
              for sample in x.numpy()]  # fmt: skip
    return torch.from_numpy(np.stack([[
        bias[out] + sum(correlate2d(map_, weight[out, k], mode="valid") for k, map_ in enumerate(sample))
        for out in range(len(bias))] for sample in padded])[..., ::step, ::step])  # fmt: skip


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("grid", [(6, 12), (9, 18), (5, 7)])
def test_a_convolution_is_scipys_on_a_padded_map(grid, stride):
    layer = GlobeConv(3, 4, stride).double()
    x = random(2, 3, *grid)
    torch.testing.assert_close(layer(x), by_scipy(layer, x))


def test_a_block_written_out():
    """Norms over eight channels, the Gaussian-error unit and scipy's convolution, twice, added."""
    block = GlobeBlock(16).double()
    for norm in (block.layers[0], block.layers[3]):
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    x = made = random(2, 16, 4, 8) * 3 + 1
    for norm, conv in ((block.layers[0], block.layers[2]), (block.layers[3], block.layers[5])):
        groups = made.detach().numpy().reshape(2, 2, -1)
        groups = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(groups.var(-1, keepdims=True) + 1e-5)
        normed = groups.reshape(2, 16, 4, 8) * norm.weight.detach().numpy()[:, None, None]
        normed = normed + norm.bias.detach().numpy()[:, None, None]
        made = by_scipy(conv, torch.from_numpy(normed * (1 + erf(normed / np.sqrt(2))) / 2))
    torch.testing.assert_close(block(x), x + made)


@pytest.mark.parametrize("columns", [1, 5, 11])
def test_what_turns_with_the_globe_gives_what_turns_with_it(columns):
    x = random(2, 16, 6, 12)
    for layer in (GlobeConv(16, 4).double(), GlobeBlock(16).double()):
        torch.testing.assert_close(layer(x.roll(columns, -1)), layer(x).roll(columns, -1))
    halved = GlobeConv(16, 4, stride=2).double()
    torch.testing.assert_close(halved(x.roll(2 * columns, -1)), halved(x).roll(columns, -1))


def test_the_same_everywhere_is_the_same_everywhere():
    """Neither the poles nor the date line show: zeros beyond the edges would."""
    x = random(1, 3, 1, 1).expand(1, 3, 6, 12)
    made = GlobeConv(3, 4).double()(x)
    torch.testing.assert_close(made, made[..., :1, :1].expand_as(made))


def test_a_feature_at_the_date_line_gives_the_encoder_what_it_gives_elsewhere():
    """16 rows take two halvings, so maps turn by four columns at a time; by 16 the feature lies on the date line."""
    encoder = GlobeEncoder(3, 16, (16, 32), 8).double()
    x = random(1, 3, 16, 32) / 10
    x[..., 5:8, 14:17] += 5
    maps = encoder.stages(encoder.stem(x))
    for columns in range(4, 32, 4):
        turned = encoder.stages(encoder.stem(x.roll(columns, -1)))
        torch.testing.assert_close(turned, maps.roll(columns // 4, -1))


def test_the_decoders_maps_turn_with_its_coarsest_one():
    decoder = GlobeDecoder(16, 3, (16, 32), 8).double()
    seed = random(1, 32, 4, 8)
    whole = decoder.last(decoder.stages(seed))
    for columns in range(1, 8):
        torch.testing.assert_close(decoder.last(decoder.stages(seed.roll(columns, -1))), whole.roll(4 * columns, -1))


def test_places_are_kept():
    """The last map is flattened: the same weather elsewhere has another embedding."""
    encoder = GlobeEncoder(3, 16, (16, 32), 8).double()
    x = random(1, 3, 16, 32)
    assert (encoder(x.roll(8, -1)) - encoder(x)).abs().max() > 0.01


def test_stages_halve_the_rows_down_to_the_coarsest():
    for rows in range(COARSEST, 200):
        widths, left = stage_widths(rows, 8), rows
        for _ in widths[1:]:
            assert left >= 2 * COARSEST
            left = left - left // 2
        assert COARSEST <= left <= 2 * COARSEST
        assert widths == [8, 16, 32, 32, 32, 32][: len(widths)]


@pytest.mark.parametrize("grid", [(9, 18), (20, 40), (16, 32), (2, 4), (7, 13)])
def test_any_grid_goes_in_and_comes_out_exactly(grid):
    """Every value of a view reaches the embedding, every number of the embedding every value of the fields."""
    encoder, decoder = GlobeEncoder(3, 16, grid, 8).double(), GlobeDecoder(16, 3, grid, 8).double()
    view = random(1, 3, *grid).requires_grad_()
    embedding = encoder(view)
    embedding.square().sum().backward()
    assert (view.grad != 0).all()
    z = random(1, 16)
    made = decoder(z)
    assert made.shape == (1, 3, *grid)
    for k in range(16):
        assert (decoder(z + F.one_hot(torch.tensor([k]), 16)) != made).all()


@pytest.mark.parametrize("grid", [(9, 18), (16, 32)])
def test_gradients_reach_every_parameter(grid):
    encoder, decoder = GlobeEncoder(6, 16, grid, 16), GlobeDecoder(16, 3, grid, 16)
    decoder(encoder(random(4, 6, *grid).float())).square().sum().backward()
    for module in (encoder, decoder):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
