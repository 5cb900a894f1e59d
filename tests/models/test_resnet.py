"""The encoder: its size, its norms, and a plain convolution-by-convolution reference."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sparta_core.encoders.resnet18 import BasicBlock, MaxPool2d, ResNet18
from sparta_core.errors import ExperimentError


def paper_encoder():
    return ResNet18(5, 1000, (72, 144))


def test_parameters_at_paper_size():
    """11.7 million within 1 %: torchvision's published 11,689,512 and two input channels more."""
    count = sum(p.numel() for p in paper_encoder().parameters())
    assert count == pytest.approx(11.7e6, rel=0.01)
    assert count == 11_689_512 + 2 * 64 * 7 * 7


def test_batch_norm_in_the_stem_only():
    encoder = paper_encoder()
    places = [name for name, module in encoder.named_modules() if isinstance(module, nn.BatchNorm2d)]
    groups = [m for m in encoder.modules() if isinstance(m, nn.GroupNorm)]
    assert places == ["stem.1"]
    assert len(groups) == 19 and all(m.num_groups == m.num_channels for m in groups)


def normed(x):
    """One-channel group norm, written out."""
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / (x.var((2, 3), keepdim=True, unbiased=False) + 1e-5).sqrt()


@pytest.mark.parametrize("stride", [1, 2])
def test_basic_block_written_out(stride):
    block = BasicBlock(4, 4 * stride, stride, None).double()
    x = torch.randn(2, 4, 8, 8, dtype=torch.float64)
    y = F.relu(normed(F.conv2d(x, block.conv1.weight, stride=stride, padding=1)))
    y = normed(F.conv2d(y, block.conv2.weight, padding=1))
    shortcut = x if stride == 1 else normed(F.conv2d(x, block.shortcut[0].weight, stride=2))
    assert torch.allclose(block(x), F.relu(y + shortcut), atol=1e-10)


def test_embedding_of_a_sample_does_not_depend_on_its_neighbours_in_evaluation():
    encoder = ResNet18(5, 32, (32, 64), width=4).eval()
    x = torch.randn(6, 5, 32, 64)
    assert torch.allclose(encoder(x)[2:3], encoder(x[2:3]), atol=1e-5)


@pytest.mark.parametrize("view_size", [(32, 64), (72, 144), (64, 128), (121, 240)])
@pytest.mark.parametrize("head", ["pool", "flatten"])
def test_any_view_size(view_size, head):
    encoder = ResNet18(3, 10, view_size, width=4, norm_groups=4, head=head)
    x = torch.randn(2, 3, *view_size)
    z = encoder(x)
    assert z.shape == (2, 10) and z.std(0).min() > 0
    maps = encoder.stages(encoder.stem(x))
    assert maps.shape[-2:] == tuple(-(-size // 32) for size in view_size)


def test_flattened_head_knows_where_things_are():
    """Moving the last map's pattern leaves a pooled embedding as it is and changes a flattened one."""
    maps = torch.randn(1, 32, 2, 3)
    for head, same in (("pool", True), ("flatten", False)):
        encoder = ResNet18(1, 6, (64, 96), width=4, head=head)
        assert torch.allclose(encoder.head(maps), encoder.head(maps.roll(1, -1)), atol=1e-6) is same


def test_views_too_small_for_one_channel_norms():
    with pytest.raises(ExperimentError, match=r"view_size \(32, 32\) leaves a 1x1 map"):
        ResNet18(5, 10, (32, 32))


def test_groups_that_do_not_divide_the_channels():
    with pytest.raises(ExperimentError, match="norm_groups is 3; it must divide"):
        ResNet18(5, 10, (32, 64), width=4, norm_groups=3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_pooling_is_torchs_in_value_gradient_and_layout(dtype, layout):
    x = torch.randn(3, 4, 9, 14).relu().to(dtype).to(memory_format=layout)  # relu: ties, where order decides
    results = []
    for pool in (MaxPool2d(3, stride=2, padding=1), nn.MaxPool2d(3, stride=2, padding=1)):
        start = x.clone().requires_grad_()
        made = pool(start)
        made.backward(torch.arange(made.numel()).view_as(made).to(dtype))
        results.append((made, start.grad))
    (made, gradient), (expected, right) = results
    assert torch.equal(made, expected) and torch.equal(gradient, right)
    assert made.stride() == expected.stride() and gradient.stride() == x.stride()
