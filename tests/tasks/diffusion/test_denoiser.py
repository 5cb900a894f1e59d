"""The denoiser: its sizes, its time embedding, and one-token attention against torch's own."""

from math import pi

import pytest
import torch
from torch import nn

from sparta_core.tasks.diffusion.denoiser import Block, ConditionAttention, Denoiser, ResidualMLP, TimeEmbedding


def test_sizes_of_the_paper():
    """1000-1024-512-256-256-512-1024-1000 with concatenated skips (SPEC, section 6)."""
    denoiser = Denoiser(1000, (1024, 512, 256), torch.ones(5))
    blocks = [*denoiser.down, denoiser.middle, *denoiser.up]
    sizes = [(block.first.layers[0].in_features, block.last.layers[-1].out_features) for block in blocks]
    assert sizes == [(1000, 1024), (1024, 512), (512, 256), (256, 256), (512, 512), (1024, 1024), (2048, 1000)]


def test_time_embedding_in_closed_form():
    time = torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64)
    made = TimeEmbedding().double()(time)
    periods = [1000 ** (k / 127) for k in range(128)]
    for k in (0, 50, 127):
        phase = 2 * pi * periods[k] * time
        assert torch.allclose(made[:, k], phase.sin(), atol=2e-3) and torch.allclose(
            made[:, 128 + k], phase.cos(), atol=2e-3)


@pytest.mark.parametrize("heads", [1, 4])
def test_attention_to_one_token_is_a_linear_map_whatever_the_heads(heads):
    """torch's attention, any query: the same as its value and output maps in a row."""
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, heads, kdim=6, vdim=6, batch_first=True).double()
    query, token = torch.randn(5, 1, 8).double(), torch.randn(5, 1, 6).double()
    made = ConditionAttention(8, 6).double()
    value, out = attention.v_proj_weight, attention.out_proj
    made.attend.weight.data = out.weight @ value
    made.attend.bias.data = out.weight @ attention.in_proj_bias[16:] + out.bias
    assert torch.allclose(made.attend(token[:, 0]), attention(query, token, token)[0][:, 0], atol=1e-12)


def test_a_block_written_out():
    torch.manual_seed(0)
    block = Block(6, 4, 5).double().eval()
    x, time, condition = (torch.randn(3, size).double() for size in (6, 256, 5))

    def mlp(part, h):
        a, norm, _, b = part.layers
        return part.shortcut(h) + b(nn.functional.silu(norm(a(h))))

    h = mlp(block.first, x + block.time(time))
    a = block.attention
    h = h + a.norm1(a.attend(condition))
    h = h + a.norm2(a.mlp[2](nn.functional.gelu(a.mlp[0](h))))
    assert torch.allclose(block(x, time, condition), mlp(block.last, h), atol=1e-12)


def test_the_way_up_sees_the_way_down():
    """With the middle silenced, what the last block sees of the first still changes its output."""
    torch.manual_seed(0)
    denoiser = Denoiser(4, (8, 6), torch.ones(5)).eval()
    seen = []
    denoiser.down[0].register_forward_hook(lambda *args: seen.append(args[2]))
    denoiser.up[1].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    denoiser(torch.randn(3, 4), torch.arange(3), torch.randn(3, 4))
    assert torch.equal(seen[1][:, 8:], seen[0])


def test_the_skip_hands_pure_noise_on():
    """Both forms share their weights; with the skip all noise is its own prediction, all signal the network's."""
    torch.manual_seed(0)
    signal = torch.tensor([1.0, 0.36, 0.0])
    plain, skipping = Denoiser(4, (8, 6), signal).eval(), Denoiser(4, (8, 6), signal, skip=True).eval()
    skipping.load_state_dict(plain.state_dict())
    noised, condition = torch.randn(3, 4), torch.randn(3, 4)
    f, made = (net(noised, torch.arange(3), condition) for net in (plain, skipping))
    assert torch.allclose(made, torch.stack([f[0], 0.8 * noised[1] + 0.6 * f[1], noised[2]]), atol=1e-6)


def test_the_last_step_is_time_one():
    seen = []
    denoiser = Denoiser(4, (8, 6), torch.ones(5)).eval()
    denoiser.time.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    denoiser(torch.randn(2, 4), torch.tensor([0, 4]), torch.randn(2, 4))
    assert seen[0].tolist() == pytest.approx([0.2, 1.0])


def test_output_is_not_confined():
    """Noise has any sign and size: the last layer is linear."""
    assert isinstance(ResidualMLP(3, 4).layers[-1], nn.Linear)
