"""Devices and precision: what is asked for is given or refused, what is faster is measured."""

import pytest
import torch

from sparta_core.errors import ExperimentError
from sparta_core.training import device
from sparta_core.training.device import make_fabric, measured_precision, resolve_device
from sparta_core.training.workbench import Workbench


def test_auto_is_the_best_device_there(monkeypatch):
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert resolve_device("auto") == expected


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ExperimentError, match="device is 'cuda', which this machine does not have; use device='auto'"):
        resolve_device("cuda")


@pytest.mark.parametrize(("single", "half", "expected"), [
    (1.0, 0.5, "bf16-mixed"), (1.0, 0.9, "32-true"), (1.0, 3.0, "32-true")])
def test_bf16_only_where_it_is_clearly_faster(tiny, monkeypatch, single, half, expected):
    measured_precision.cache_clear()
    monkeypatch.setattr(device, "_step_time", lambda model, view, bf16: half if bf16 else single)
    assert measured_precision(tiny(precision="auto"), "cpu") == expected
    measured_precision.cache_clear()


def test_the_measurement_times_both_precisions(tiny):
    """Both are run on the real model; on any machine a step takes longer than nothing."""
    single, half = device._step_times(tiny(), "cpu")
    assert 0 < single < 60 and 0 < half < 60


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
    bench = Workbench.of(tiny())
    view = torch.randn(3, 5, 16, 32)
    model = bench.build("autoencoder").eval()
    expected = model(view)
    device.arrange(model, place, precision)
    for name, part in model.parts.items():
        convolutions = [p for p in part.parameters() if p.ndim == 4 and p.shape[1] > 1 and p.shape[2] > 1]
        assert convolutions
        assert all(p.is_contiguous(memory_format=torch.channels_last) == (name in changed) for p in convolutions)
    assert torch.allclose(model(view), expected, atol=1e-5)


def test_denormal_numbers_are_flushed():
    """In every thread: enough numbers for all of them."""
    assert (torch.full((1_000_000,), 1e-39) * 1.0 == 0).all()
