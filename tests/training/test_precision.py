"""Precisions and what hardware computes in: right everywhere, and never the end of the process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from sparta_core.errors import ExperimentError
from sparta_core.layers.strided import StridedConv2d
from sparta_core.training import device
from sparta_core.training.device import make_fabric
from tests import other_hardware
from tests.other_hardware import AVX2

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("precision", "layout", "hardware"), [
    ("32-true", "32-true", {}), ("32-true", "32-true", AVX2), ("32-true", "bf16-mixed", {}),
    ("bf16-mixed", "bf16-mixed", {}), ("bf16-mixed", "32-true", {})])
def test_training_steps_of_every_model(precision, layout, hardware):
    """The process says which case it is at, so that its sudden end is a failed test that names the case."""
    command = [sys.executable, "-m", "tests.training.precision_steps", precision, layout]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | hardware
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    case = process.stdout.splitlines()[-1:]
    assert case == ["done"] and process.returncode == 0, f"{process.returncode} at {case}: {process.stderr[-2000:]}"


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_strided_convolution_and_its_gradients(kernel, layout, kind):
    """Beside float64, on maps of one column or row and odd ones, few channels and many."""
    torch.manual_seed(0)
    for channels in (1, 2, 5, 15, 16, 20):
        for size in ((1, 1), (3, 1), (2, 1), (1, 3), (2, 2), (5, 3), (16, 9)):
            layer = StridedConv2d(channels, 24, kernel, 2, padding=kernel // 2)
            x = torch.randn(4, channels, *size)
            precise = [one.detach().double().requires_grad_() for one in (x, layer.weight, layer.bias)]
            expected = F.conv2d(*precise, stride=2, padding=kernel // 2)
            along = torch.randn(expected.shape, dtype=torch.float64)
            expected.backward(along)
            layer = layer.to(kind).to(memory_format=layout)
            given = x.to(kind).contiguous(memory_format=layout).detach().clone(memory_format=layout).requires_grad_()
            for rubbish in (48 * channels, 24 * channels * kernel**2, 256 * kernel**2, 512 * kernel**2):
                torch.full((rubbish,), 1e30)  # what memory may hold that nobody writes to
            made = layer(given)
            made.backward(along.to(kind))
            for ours, right in zip((made, given.grad, layer.weight.grad, layer.bias.grad),
                                   (expected, *(one.grad for one in precise)), strict=True):
                off = (ours.double() - right).abs().max() / right.abs().max()
                assert off < (1e-5 if kind == torch.float32 else 0.03), (channels, size, off)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_environment_decides_what_auto_is(monkeypatch, tiny, precision):
    """It, not the hardware; a precision that an experiment names, or a run began with, stays."""
    monkeypatch.setattr(device, "native_precision", lambda place: pytest.fail("the hardware was asked"))
    monkeypatch.setenv("SPARTA_PRECISION", precision)
    assert make_fabric(tiny(precision="auto"))._precision.precision == precision
    for named in ("32-true", "bf16-mixed"):
        assert make_fabric(tiny(precision=named))._precision.precision == named
        assert make_fabric(tiny(precision="auto"), named)._precision.precision == named


@pytest.mark.parametrize("empty", [None, ""])
def test_without_it_the_hardware_decides(monkeypatch, tiny, empty):
    monkeypatch.delenv("SPARTA_PRECISION", raising=False)
    if empty is not None:
        monkeypatch.setenv("SPARTA_PRECISION", empty)
    for native in ("32-true", "bf16-mixed"):
        monkeypatch.setattr(device, "native_precision", lambda place, native=native: native)
        assert make_fabric(tiny(precision="auto"))._precision.precision == native


@pytest.mark.parametrize("wrong", ["bf16", "auto"])
def test_a_precision_that_there_is_not(monkeypatch, tiny, wrong):
    monkeypatch.setenv("SPARTA_PRECISION", wrong)
    sentence = f"the environment variable SPARTA_PRECISION is '{wrong}'; it must be one of 32-true, bf16-mixed"
    with pytest.raises(ExperimentError, match=f"^{sentence}$"):
        make_fabric(tiny(precision="auto"))


@pytest.mark.parametrize(("native", "other"), [
    ("bf16-mixed", {"SPARTA_PRECISION": "32-true"} | AVX2), ("32-true", {"SPARTA_PRECISION": "bf16-mixed"})])
def test_other_hardware_is_what_this_is_not(monkeypatch, native, other):
    monkeypatch.setattr(other_hardware, "native_precision", lambda place: native)
    assert other_hardware.environment() == other
    assert all((ROOT / path).exists() for path in other_hardware.SUBSET)
