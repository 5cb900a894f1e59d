"""Several processes: every sample is somebody's, and what they train is what one trains; two by gloo on the CPU."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sparta_core.catalogue import names
from sparta_core.errors import ExperimentError
from sparta_core.processes import Share
from sparta_core.training import device, stages
from sparta_core.training.records import run_of
from tests.shared_step import gradients
from tests.stages import STAGES

TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0",
       "--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0"]  # fmt: skip
CASES = [("early", "pretrain", 126), ("early", "blend", 25), ("early", "decoder", 25), ("early", "autoencoder", 2),
         ("attention", "pretrain", 25), ("gnn", "blend", 25), ("hybrid", "pretrain", 3)]  # fmt: skip


def environment():
    root = str(Path(__file__).parents[1])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": root}


@pytest.mark.parametrize("total", [1, 2, 7, 126, 127])
@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_every_row_is_somebodys(total, processes):
    batch, shares = torch.randn(total, dtype=torch.float64), [Share(rank, processes) for rank in range(processes)]
    parts = [share.part(total) for share in shares]
    assert torch.equal(torch.cat([part.of(batch) for part in parts]), batch)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    means = [share.weighted(part.of(batch).sum() / max(len(part), 1), part)
             for share, part in zip(shares, parts, strict=True)]  # fmt: skip
    assert torch.isclose(torch.stack(means).mean(), batch.mean())


def test_a_batch_too_small_for_all(tiny):
    """Said before an epoch trains: 350 anchors and their negatives are eight batches of 126 samples and one of 42."""
    objective = stages.job(tiny(), "pretrain").objective
    objective.share = Share(0, 42)
    objective.batches("train", torch.Generator())
    objective.share = Share(0, 43)
    with pytest.raises(ExperimentError, match="the smallest batch has 42 samples, too few for 43 processes"):
        objective.batches("train", torch.Generator())


def test_alone_is_the_whole():
    rows = torch.randn(5, 3, requires_grad=True)
    share = Share.here()
    assert share == Share(0, 1) and len(share.part(5)) == 5 and share.gather(rows, share.part(5)) is rows


@pytest.fixture
def float64():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_two_processes_take_the_step_of_one(tiny, tmp_path, float64):
    """The same losses and gradients of the same global batch, odd ones and unequal parts too, in float64."""
    experiment = tiny()
    settings = {name: getattr(experiment, name) for name in names()}
    command = [*TWO, str(Path(__file__).with_name("shared_step.py")), json.dumps(settings | {"cases": CASES})]
    subprocess.run([*command, str(tmp_path)], check=True, env=environment(), timeout=300)
    for fusion, stage, size in CASES:
        expected, _ = gradients(experiment.replace(fusion=fusion), stage, size)
        made = load_file(tmp_path / f"{fusion}-{stage}-{size}")
        assert made.keys() == expected.keys()
        scale = max(value.abs().max() for key, value in expected.items() if key.startswith("gradient"))
        for key, value in expected.items():
            bound = 1e-9 * (abs(value) if key.startswith("loss") else scale)
            assert ((made[key] - value).abs() <= bound).all(), (fusion, stage, size, key)


@pytest.fixture
def shared(flags):
    """Train stages by two processes; returns what they said, or kills them once a checkpoint is there."""

    def run(experiment, *names, kill=False):
        words = [*TWO, "-m", "sparta_core", *flags(experiment), *names]
        process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True)
        if kill:
            checkpoint = run_of(experiment, names[0]).folder / "checkpoint.safetensors"
            while process.poll() is None and not checkpoint.exists():
                time.sleep(0.01)
            assert checkpoint.exists()
            os.killpg(process.pid, signal.SIGKILL)
        said = process.communicate(timeout=300)[0]
        assert kill or process.returncode == 0
        return said

    return run


def history(experiment):
    return torch.tensor([*run_of(experiment, "pretrain").history().values()]).T


def test_the_command_on_two_processes(tiny, shared, tmp_path):
    """It says everything once, trains what one process trains, and killed goes on to the same bits."""
    one, two, killed = (tiny(pretrain_epochs=6, blend_epochs=2, runs=str(tmp_path / name))
                        for name in ("one", "two", "killed"))  # fmt: skip
    said = shared(two, "blend").splitlines()
    assert sum("pretrain: epoch 6/6" in line for line in said) == sum("In all about" in line for line in said) == 1
    shared(killed, "pretrain", kill=True)
    assert "epoch 1/6" not in shared(killed, "blend")
    whole, resumed = (STAGES["blend"](each).state_dict() for each in (two, killed))
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    STAGES["pretrain"](one)
    mine, theirs = history(one), history(two)
    # Six steps of Adam, then three dozen more: it makes rounding grow, to 2.4e-4 of the small cycle loss after six.
    assert torch.allclose(mine[0], theirs[0], rtol=1e-3) and torch.allclose(mine, theirs, rtol=0.05)


def test_a_launch_waits_for_another_process(tiny, flags, tmp_path):
    """Both its processes do, one says so, and neither trains what the other process has meanwhile trained."""
    experiment, log = tiny(pretrain_epochs=2), tmp_path / "log"
    words = [*TWO, "-m", "sparta_core", *flags(experiment), "pretrain"]
    with run_of(experiment, "pretrain").alone(), log.open("w") as out:
        process = subprocess.Popen(words, env=environment(), stdout=out, stderr=subprocess.STDOUT)
        while process.poll() is None and "waiting for it" not in log.read_text():
            time.sleep(0.05)
        STAGES["pretrain"](experiment)
    assert process.wait(timeout=300) == 0, log.read_text()
    assert log.read_text().count("waiting for it") == 1 and "pretrain: epoch" not in log.read_text()


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.local_device("cuda") == "cuda"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert device.local_device("auto") == "cuda:3" and device.local_device("cpu") == "cpu"
