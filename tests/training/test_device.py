"""Devices and precision: what is asked for is given or refused, and the same machine always chooses the same."""

import platform
import subprocess
import sys

import pytest
import torch

from sparta_core.errors import ExperimentError
from sparta_core.training import device
from sparta_core.training.device import make_fabric, native_precision, prepare_process, resolve_device
from sparta_core.training.stages import fresh


def test_auto_is_the_best_device_there(monkeypatch):
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert resolve_device("auto") == expected


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ExperimentError, match="device is 'cuda', which this machine does not have; use device='auto'"):
        resolve_device("cuda")


@pytest.mark.parametrize(("device", "can", "expected"), [
    ("cpu", {"avx512_f": True, "avx512_bf16": True}, "bf16-mixed"), ("cpu", {"amx_bf16": True}, "bf16-mixed"),
    ("cpu", {"avx512_f": True, "avx512_bf16": False}, "32-true"), ("cpu", {"architecture": "aarch64"}, "32-true"),
    ("cuda", {"avx512_bf16": True}, "32-true"), ("mps", {"avx512_bf16": True}, "32-true")])
def test_bf16_where_the_hardware_has_it(monkeypatch, device, can, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: can)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    assert native_precision(device) == expected


@pytest.mark.parametrize(("precision", "kind"), [("32-true", torch.float32), ("bf16-mixed", torch.bfloat16)])
def test_modules_compute_in_the_precision_and_hand_on_float32(tiny, precision, kind):
    fabric = make_fabric(tiny(precision=precision))
    layer = fabric.setup_module(torch.nn.Linear(3, 2))
    inside = []
    layer._forward_module.register_forward_hook(lambda module, args, out: inside.append(out.dtype))
    assert layer(torch.ones(1, 3)).dtype == torch.float32 and inside == [kind]


def test_a_resumed_run_keeps_its_precision(tiny):
    assert make_fabric(tiny(precision="32-true"), "bf16-mixed")._precision.precision == "bf16-mixed"


@pytest.mark.parametrize(("place", "precision", "changed"), [
    ("cpu", "32-true", {"encoder", "decoder"}), ("cpu", "bf16-mixed", {"decoder"}), ("cuda", "32-true", set())])
def test_channels_last_where_it_pays(tiny, place, precision, changed):
    """The layout changes, the result does not."""
    view = torch.randn(3, 5, 16, 32)
    model = fresh(tiny(), "autoencoder").eval()
    expected = model(view)
    device.arrange(model, place, precision)
    for name, part in model.parts.items():
        convolutions = [p for p in part.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
        assert convolutions
        assert all(p.is_contiguous(memory_format=torch.channels_last) == (name in changed) for p in convolutions)
    assert torch.allclose(model(view), expected, atol=1e-5)


def test_denormal_numbers_are_flushed():
    """In every thread: enough numbers for all of them."""
    prepare_process()
    assert (torch.full((1_000_000,), 1e-39) * 1.0 == 0).all()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that would give the memory back")
def test_freed_memory_is_used_again():
    """40 MB are 10,000 pages, all of which a fresh block has to fetch: of 20 blocks at most two may be fresh.

    Where the heap cannot grow in place, glibc takes a new region. In a process whose memory is its own.
    """
    script = """
import resource, torch
from sparta_core.training.device import prepare_process
prepare_process()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.zeros(10_000_000)
before = faults()
for _ in range(20):
    torch.zeros(10_000_000)
print(faults() - before)
"""
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert int(printed) < 25_000
