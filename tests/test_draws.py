"""Random bits: uniform over all 16 bits, a stream that the generator decides, and the share that is dropped."""

import pytest
import torch

from sparta_core.draws import keep_mask, random_bits

CPU = torch.device("cpu")


def test_every_bit_is_a_fair_coin():
    bits = random_bits(400_003, CPU, torch.Generator().manual_seed(0))
    assert bits.dtype == torch.int16 and bits.shape == (400_003,)
    for place in range(16):
        ones = ((bits >> place) & 1).double().mean().item()
        assert abs(ones - 0.5) < 5 * (0.25 / len(bits)) ** 0.5


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_share_of_all_values_is_dropped(share):
    """Of the 65,536 values there are, exactly the nearest whole number."""
    every = torch.arange(-(2**15), 2**15).to(torch.int16)
    for dtype in (torch.bool, torch.float32):
        assert (keep_mask(every, torch.tensor(share), dtype) == 0).sum().item() == round(share * 2**16)


def test_the_generator_decides():
    first, again, other = (random_bits(100, CPU, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    torch.manual_seed(3)
    first = random_bits(100, CPU)
    torch.manual_seed(3)
    assert torch.equal(random_bits(100, CPU), first)
