"""Runs on disk: whole files or none, and one clear sentence for everything that is wrong with them."""

import errno
import json
import math
import os
from pathlib import Path

import pytest
import torch

from sparta_core import files
from sparta_core.catalogue import names
from sparta_core.errors import ExperimentError, RunError
from sparta_core.training.fit import CHECKPOINT, MODEL
from sparta_core.training.records import run_of
from sparta_core.training.runs import Run
from sparta_core.training.stages import autoencoder
from tests.stages import STAGES


@pytest.fixture
def run(tiny):
    made = Run.of(tiny(), "pretrain", "0123456789abcdef")
    made.open()
    return made


def test_tensors_and_record_come_back(run):
    tensors = {"a": torch.randn(3, 4), "b": torch.arange(5), "c": torch.tensor(2.0, dtype=torch.float64)}
    record = {"epoch": 3, "best": float("inf"), "name": "ü"}
    run.save(CHECKPOINT, tensors, record)
    loaded, again = run.load(CHECKPOINT)
    assert again == record == run.record(CHECKPOINT)
    assert all(torch.equal(loaded[key], tensors[key]) and loaded[key].dtype == tensors[key].dtype for key in tensors)


def test_nothing_in_a_run_is_a_pickle(tiny):
    autoencoder(tiny())
    folder = run_of(tiny(), "autoencoder").folder
    assert sorted(p.name for p in folder.iterdir()) == [".lock", "experiment.json", "history.csv", MODEL]
    json.loads((folder / "experiment.json").read_text())
    assert int.from_bytes((folder / MODEL).read_bytes()[:8], "little") < 100_000  # safetensors' header length


@pytest.mark.parametrize("keep", [0, 5, 200, -1])
def test_a_truncated_checkpoint(run, keep):
    run.save(CHECKPOINT, {"a": torch.randn(100)}, {"epoch": 1})
    path = run.folder / CHECKPOINT
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"checkpoint.safetensors is damaged .*; delete it to train pretrain again"):
        run.load(CHECKPOINT)
    assert path.exists()


def test_a_safetensors_file_of_somebody_else(run):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, run.folder / MODEL)
    with pytest.raises(RunError, match=r"model.safetensors is damaged"):
        run.load(MODEL)


def test_a_checkpoint_of_another_experiment(tiny):
    """A folder that was copied over this experiment's is refused, by the setting that differs."""
    mine, other = tiny(), tiny(pretrain_rate=3e-4)
    theirs = run_of(other, "pretrain")
    STAGES["pretrain"](other)
    run = run_of(mine, "pretrain")
    theirs.folder.rename(run.folder)
    before = {p.name: p.read_bytes() for p in run.folder.iterdir()}
    with pytest.raises(RunError, match=r"holds another experiment: its pretrain_rate is 0.0003, this one's 0.0001"):
        STAGES["pretrain"](mine)
    assert before == {p.name: p.read_bytes() for p in run.folder.iterdir()}


def test_a_checkpoint_of_other_days(run):
    other = Run(run.folder, run.stage, run.settings, "fedcba9876543210")
    with pytest.raises(RunError, match="was trained on other days"):
        other.open()


def test_a_damaged_record(run):
    (run.folder / "experiment.json").write_text("{")
    with pytest.raises(RunError, match=r"experiment.json is damaged .*; move .* away"):
        run.open()


def test_a_full_disk_keeps_the_old_checkpoint(run, monkeypatch):
    run.save(CHECKPOINT, {"a": torch.ones(2)}, {"epoch": 1})

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*checkpoint.safetensors .No space left on device.; free space"):
        run.save(CHECKPOINT, {"a": torch.zeros(2)}, {"epoch": 2})
    monkeypatch.undo()
    tensors, record = run.load(CHECKPOINT)
    assert record["epoch"] == 1 and torch.equal(tensors["a"], torch.ones(2))
    assert sorted(p.name for p in run.folder.iterdir()) == [CHECKPOINT, "experiment.json"]


def test_a_runs_folder_that_cannot_be_written(tiny, tmp_path):
    """A file stands where the folder should be: the same refusal as a read-only folder, also for root."""
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    with pytest.raises(RunError, match=r"cannot write .*autoencoder-\w+/.lock .*make the folder writable"):
        autoencoder(tiny(runs=str(blocked)))
    assert blocked.read_text() == "a file"


ESCAPES = ("../../x", "..", "/tmp/x", "a/b", "x\0y", "a\\b", "")


@pytest.mark.parametrize("escape", ESCAPES)
def test_no_setting_leads_out_of_the_runs_folder(tiny, escape):
    """Refused as a setting, or the run is two folders below `runs` whatever its value."""
    refused, plain = set(), tiny()
    for name in set(names()) - {"runs"}:
        try:
            made = plain.replace(**{name: (escape,) if isinstance(getattr(plain, name), tuple) else escape})
        except ExperimentError:
            refused.add(name)
        else:
            folder = Run.of(made, "forecast", "0123").folder.resolve()
            assert folder.parents[1] == Path(made.runs).resolve()
    assert {"preset", "fusion", "objective", "seed"} <= refused


@pytest.mark.parametrize("escape", ESCAPES[:-1])
def test_no_name_leads_out_of_the_run(tiny, run, escape):
    before = sorted(Path(tiny().runs).rglob("*"))
    with pytest.raises(RunError, match="cannot be the name of a run or of its file; use letters"):
        Run.of(tiny(), "forecast", "0123", f"-seed{escape}/..")
    with pytest.raises(RunError, match="cannot be the name of a run or of its file"):
        run.write(escape, b"")
    assert sorted(Path(tiny().runs).rglob("*")) == before


def test_a_runs_folder_that_no_system_could_make(tiny):
    with pytest.raises(ExperimentError, match=r"runs is 'a\\x00b'; it must be the path of a folder"):
        tiny(runs="a\0b")


def test_a_history_that_learnt_a_new_column(run):
    """Of a stage that was half trained before a loss got its own column: the epochs before have none of it."""
    before, after = {"epoch": 1, "training_loss": 2.0}, {"epoch": 2, "training_loss": 1.0, "training_next_day": 0.5}
    run.write_history([before, after])
    history = run.history()
    assert history["epoch"] == [1, 2] and history["training_loss"] == [2, 1]
    assert math.isnan(history["training_next_day"][0]) and history["training_next_day"][1] == 0.5
