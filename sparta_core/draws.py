"""Random bits, four values to a draw: on a CPU torch's floats and Bernoulli numbers cost more than what they decide."""

import torch
from torch import Tensor

BITS = 16  # of a value: shares are exact to 2**-16
BFLOAT16_ONE = 0x3F80  # the bits of 1.0


def random_bits(count: int, device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """Uniform random bits.

    Args:
        count: how many values.
        device: where they lie.
        generator: that draws them; None: torch's global one.

    Returns:
        int16 (count,).
    """
    draws = torch.empty(-(-count // 4), dtype=torch.int64, device=device)
    return draws.random_(-(2**63), None, generator=generator).view(torch.int16)[:count]


def keep_mask(bits: Tensor, dropped: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask of random bits.

    Args:
        bits: of `random_bits`, of any shape.
        dropped: the share to drop, in [0, 1), of a shape that broadcasts to that of `bits`.
        dtype: of the mask.

    Returns:
        1 where a value is kept, else 0, laid out as `bits`.

    Example:
        >>> bits = random_bits(40_000, torch.device("cpu"), torch.Generator().manual_seed(0))
        >>> round(float(keep_mask(bits, torch.tensor(0.7), torch.float32).mean()), 2)
        0.3
    """
    least = ((dropped * 2**BITS).round() - 2 ** (BITS - 1)).clamp(max=2 ** (BITS - 1) - 1).to(torch.int16)
    # Written as numbers at once: multiplying by a mask of booleans takes twice the time of both.
    if dtype is torch.bfloat16:  # as their bits: torch turns truth into bfloat16 at half the speed
        return torch.ge(bits, least, out=torch.empty_like(bits)).mul_(BFLOAT16_ONE).view(dtype)
    return torch.ge(bits, least, out=torch.empty_like(bits, dtype=dtype))
