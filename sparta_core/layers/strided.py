"""Strided convolutions, kept off two faults in how oneDNN 3.12, of torch 2.13.0, takes their weights' gradient.

Both scripts on an x86 CPU, with OMP_NUM_THREADS=1.

1. A 1x1 convolution of few channels in channels-last writes outside its workspace: the process dies ("Aborted", "Bus
error", "Segmentation fault"), or the gradient is wrong, or nothing is seen. With AVX2 of 2 to 7 channels on almost any
map; with AVX-512 of 2 to 15, on maps from 64x128. https://github.com/uxlfoundation/oneDNN/issues/6035

    import torch  # ONEDNN_MAX_CPU_ISA=AVX2
    x = torch.randn(32, 4, 16, 32).to(memory_format=torch.channels_last)
    convolution = torch.nn.Conv2d(4, 8, 1, stride=2).to(memory_format=torch.channels_last)
    for _ in range(10):
        convolution(x).sum().backward()

2. In bf16, on a map of one column, the kernel's columns that lie outside it get not 0 but whatever was in memory.

    import torch  # on a CPU with AVX512-BF16
    convolution = torch.nn.Conv2d(16, 32, 3, stride=2, padding=1, dtype=torch.bfloat16)
    for _ in range(10):
        rubbish = [torch.full((n,), 1e30) for n in range(100, 10_000, 100)]
        del rubbish
        convolution.zero_grad()
        convolution(torch.ones(8, 16, 3, 1, dtype=torch.bfloat16)).sum().backward()
        print(convolution.weight.grad[..., 0].abs().max())
"""

from torch import Tensor, nn
from torch.nn import functional as F

SAFE = 16  # channels: as many as a register of AVX-512 holds


class StridedConv2d(nn.Conv2d):
    """torch's for maps (B, C, H, W), of an odd kernel with half of it as padding; on a CPU the same by another way.

    Where channels are few, a 1x1 kernel gets the values of every `stride`-th row and column, and has stride 1. Where a
    map has one column, only the kernel's middle one meets it.
    """

    def forward(self, x: Tensor) -> Tensor:
        down, right = self.stride
        if x.device.type != "cpu" or down == right == 1:
            return super().forward(x)
        if self.kernel_size == (1, 1) and self.in_channels < SAFE and not x.is_contiguous():
            return F.conv2d(x[..., ::down, ::right], self.weight, self.bias)
        if self.kernel_size[1] > 1 and x.shape[-1] == 1:
            middle = self.kernel_size[1] // 2
            weight = self.weight[..., middle : middle + 1]
            return F.conv2d(x, weight, self.bias, (down, 1), (self.kernel_size[0] // 2, 0))
        return super().forward(x)
