"""The decoder: its maps on every grid, and its blocks written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sparta_core.decoders.resnet18 import ResidualBlock, TransposedDecoder
from sparta_core.errors import ExperimentError


def test_maps_at_paper_size():
    """Channels 500-250-125-62-31-15 on maps doubling from 1x2 to 32x64 (SPEC of the method, section 3)."""
    decoder = TransposedDecoder(1000, 5, (32, 64))
    x = torch.randn(2, 1000).view(2, 500, 1, 2)
    shapes = []
    for block in decoder.blocks:
        x = block(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(250, 2, 4), (125, 4, 8), (62, 8, 16), (31, 16, 32), (15, 32, 64)]
    assert decoder(torch.randn(2, 1000)).shape == (2, 5, 32, 64)


@pytest.mark.parametrize("grid", [(64, 128), (121, 240), (16, 32), (33, 64)])
def test_other_grids(grid):
    out = TransposedDecoder(96, 3, grid)(torch.randn(2, 96))
    assert out.shape == (2, 3, *grid)
    edges = out[..., [0, -1], :].std() + out[..., [0, -1]].std()
    assert edges > 0 and torch.isfinite(out).all()


@pytest.mark.parametrize("expansion", [1, 2])
def test_residual_block_written_out(expansion):
    block = ResidualBlock(3, expansion, 0.1).double().eval()
    x = torch.randn(2, 3, 6, 8, dtype=torch.float64)
    y = F.relu(F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1))
    y = F.conv2d(y, block.conv2.weight, block.conv2.bias, padding=1)
    assert block.conv1.out_channels == 3 * expansion
    assert torch.allclose(block(x), F.relu(x + y), atol=1e-12)


def test_only_the_baseline_decodes_without_dropout():
    z = torch.randn(2, 64)
    for autoencoder in (True, False):
        decoder = TransposedDecoder(64, 5, (32, 64), autoencoder=autoencoder).train()
        rates = {m.p for m in decoder.modules() if isinstance(m, nn.Dropout)}
        assert rates == ({0.0} if autoencoder else {0.1})
        assert torch.equal(decoder(z), decoder(z)) is autoencoder


def test_an_embedding_that_does_not_fill_the_first_map():
    with pytest.raises(ExperimentError, match=r"embedding is 999.*multiple of 2"):
        TransposedDecoder(999, 5, (32, 64))
