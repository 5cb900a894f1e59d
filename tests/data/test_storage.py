"""Where days lie: what is chosen, that it changes nothing, and what a full disk says."""

import errno
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sparta_core.data import storage
from sparta_core.data.record import load_record
from sparta_core.errors import DataError
from sparta_core.training.records import open_record
from tests.stages import STAGES

GB = 2**30


@pytest.mark.parametrize(("device", "size", "expected"), [
    ("cpu", 3 * GB, "device"), ("cpu", 5 * GB, "disk"), ("cuda:1", 1 * GB, "device"), ("cuda:1", 3 * GB, "memory"),
    ("cuda:1", 5 * GB, "disk"), ("mps", 3 * GB, "device")])
def test_the_first_place_with_room(monkeypatch, device, size, expected):
    """Eight GiB of memory and four free on the GPU, of which the days may take half."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (4 * GB, 80 * GB))
    monkeypatch.setattr(storage, "os", SimpleNamespace(sysconf={"SC_PHYS_PAGES": 2 * 2**20, "SC_PAGE_SIZE": 4096}.get))
    assert storage.place("auto", size, device) == expected
    assert storage.place("memory", size, device) == "memory"


def test_a_mapped_array_has_no_name_and_keeps_what_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path))
    array = storage.allocate((3, 1000), "disk")
    array[:] = np.arange(3000).reshape(3, 1000)
    array.flush()
    assert not list(tmp_path.iterdir())
    assert isinstance(array, np.memmap) and array.sum() == 2999 * 3000 / 2
    assert not isinstance(storage.allocate((3, 1000), "memory"), np.memmap)


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(storage.os, "posix_fallocate", full)
    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DataError, match=f"the days take 2 GiB, more than {tmp_path} has room for .No space left"):
        storage.allocate((2**29,), "disk")


def test_days_are_the_same_wherever_they_lie(tiny):
    here, mapped = (load_record(tiny(storage=place)) for place in ("device", "disk"))
    index = torch.tensor([5, 0, 599, 5])
    assert mapped.needs_transfer and not here.needs_transfer
    assert torch.equal(mapped.take(index).values, here.values[index])
    assert torch.equal(mapped.split("downstream_test").values, here.split("downstream_test").values)
    assert torch.equal(mapped.physical(mapped.take(index).values), here.physical(here.take(index).values))
    assert mapped.fingerprint == here.fingerprint


def test_days_in_memory_for_another_device(tiny):
    """Their statistics are where it computes, they stay; a batch goes there."""
    record = load_record(tiny(storage="memory"), "meta")
    assert record.values.device.type == "cpu" and record.needs_transfer
    for sample in (record.take(torch.tensor([1, 2])), record.split("downstream")):
        assert {x.device for x in (sample.values, sample.observed, sample.time)} == {record.device}
    assert record.device.type == "meta"


@pytest.mark.parametrize("stage", ["pretrain", "blend"])
def test_training_from_a_disk_ends_with_the_same_bits(tiny, tmp_path, stage):
    models = []
    for place in ("device", "disk"):
        experiment = tiny(storage=place, runs=str(tmp_path / place), pretrain_epochs=2, blend_epochs=2)
        models.append(STAGES[stage](experiment).state_dict())
        assert open_record(experiment).mapped == (place == "disk")
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
