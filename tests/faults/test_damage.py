"""Files of a run that are not what was written, by a bit or by a terabyte: named, and no error from deep inside."""

import json
import os
import random
import re
import resource
import struct
import sys
from pathlib import Path

import pytest
import torch
import xarray as xr
from safetensors.torch import save

from sparta_core.errors import RunError
from sparta_core.evaluation.scorecard import scorecard
from sparta_core.files import sealed_json, unsealed
from sparta_core.training.cached import cached, load_scores
from sparta_core.training.fit import CHECKPOINT, MODEL
from sparta_core.training.runs import Run
from tests.faults.children import REFUSED, start

READ = {
    "experiment.json": lambda run: run.check_owner(),
    "history.csv": lambda run: run.history(),
    CHECKPOINT: lambda run: run.load(CHECKPOINT),
    MODEL: lambda run: run.load(MODEL),
    "scores.nc": lambda run: load_scores(run.folder / "scores.nc"),
}
REMEDY = {"experiment.json": "move .* away to train again", "history.csv": "delete it, only the curves are lost",
          CHECKPOINT: "delete it to train baselines again, nothing else is lost",
          MODEL: "delete it to train baselines again, nothing else is lost",
          "scores.nc": "delete it to score again"}  # fmt: skip
EVERY = pytest.mark.parametrize("name", READ)


@pytest.fixture
def run(tmp_path):
    """A run with a small file of every kind."""
    made = Run(tmp_path / "runs" / "demo-seed0" / "baselines-0", "baselines", {"data": "bundled", "rate": 1e-4}, "01ef",
               {"preset": "demo"})  # fmt: skip
    made.open()
    made.save(CHECKPOINT, {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3)}, {"epoch": 1, "best": 0.1})
    made.save(MODEL, {"a": torch.randn(3).bfloat16()}, {"name": "ü", "best": float("inf")})
    made.write_history([{"epoch": 1, "learning_rate": 1e-4, "training_loss": 0.25}])
    cached(made, "scores.nc", "some", lambda: xr.Dataset({"mse": 1.0}), lambda scores: [], leads=5)
    return made


def refused(run, name):
    """The one error that reading a file must give."""
    with pytest.raises(RunError) as error:
        READ[name](run)
    assert re.fullmatch(rf"{run.folder / name} is damaged \(.+\); {REMEDY[name]}", str(error.value))
    return str(error.value)


@EVERY
def test_every_byte_counts(run, name):
    """One bit of it flipped, one more byte at the end, and the file ended before every byte."""
    draw, path = random.Random(name), run.folder / name
    whole = path.read_bytes()
    with open(path, "r+b", buffering=0) as file:
        for place, byte in enumerate(whole):
            os.pwrite(file.fileno(), bytes([byte ^ 1 << draw.randrange(8)]), place)
            refused(run, name)
            os.pwrite(file.fileno(), whole[place : place + 1], place)
        READ[name](run)
        for more in (b"\0", b" ", b"\n"):
            os.pwrite(file.fileno(), more, len(whole))
            refused(run, name)
        for place in reversed(range(len(whole))):
            file.truncate(place)
            refused(run, name)


@EVERY
def test_a_file_of_another_kind_or_of_none(run, name):
    contents = {other: (run.folder / other).read_bytes() for other in READ}
    strangers = [content for other, content in contents.items() if other.split(".")[-1] != name.split(".")[-1]]
    for content in (*strangers, b"", b"{}", b"[]", b"null", b'"\xff"', b"\x80\x04N.", random.Random(0).randbytes(5000)):
        (run.folder / name).write_bytes(content)
        refused(run, name)


@EVERY
def test_what_was_written_before_there_were_checksums(run, name):
    path = run.folder / name
    if name == "experiment.json":
        record = json.loads(path.read_text())
        del record["sha256"]
        path.write_text(json.dumps(record, indent=1))
    elif path.suffix == ".safetensors":
        path.write_bytes(save({"a": torch.ones(1)}, {"record": "{}"}))
    else:
        path.write_bytes(unsealed(path.read_bytes()))
    assert "(it has no checksum)" in refused(run, name)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process does not say how much memory it has")
@EVERY
def test_a_terabyte_is_not_read(run, name, tmp_path):
    """In a process that may take 300 MB more than it has."""
    with open(run.folder / name, "r+b") as file:
        file.truncate(2**40)

    def work():
        has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (has + 300 * 2**20, -1))
        READ[name](run)

    child = start(work, tmp_path / "log")
    assert child.wait() == REFUSED and re.search(r"it has more than [\d,]+ MiB", child.said), child.said


def header(content, length=None):
    """A safetensors file of nothing but a header."""
    return struct.pack("<Q", len(content) if length is None else length) + content


@pytest.mark.parametrize("content", [
    header(b"{}", 2**63), header(b"{}", 100_000_001), header(b"{}", 3), header(b"[" * 100_000), header(b"\xff\xfe"),
    header(b'{"a": {"dtype": "F32", "shape": [1099511627776], "data_offsets": [0, 4]}}') + b"0000",
    header(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 18446744073709551615]}}') + b"0000",
    header(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}') + b"0000",
    header(b'{"a": {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]}}') + b"0000",
    save({"a": torch.ones(1)}, {"sealed": "[" * 100_000}), save({"a": torch.ones(1)}, {"sealed": "9" * 10_000}),
    save({"a": torch.ones(1)}, {"sealed": sealed_json({"record": {}}).decode()}),
])  # fmt: skip
def test_tensors_made_to_do_harm(run, content):
    (run.folder / MODEL).write_bytes(content)
    refused(run, MODEL)


@pytest.mark.parametrize("content", [
    b"[" * 1_000_000, b'{"a":' * 100_000, b"9" * 100_000, b'{"sha256": 1}', b'{"sha256": "", "sha256": ""}',
    sealed_json({}), sealed_json({"stage": "baselines", "settings": {}}), "{}".encode("utf-16"),
])  # fmt: skip
def test_json_made_to_do_harm(run, content):
    (run.folder / "experiment.json").write_bytes(content)
    refused(run, "experiment.json")


@pytest.mark.parametrize("name", ["experiment.json", "scores.nc"])
def test_the_table_of_scores_reads_nothing_that_is_damaged(run, name):
    path = run.folder / name
    path.write_bytes(path.read_bytes().replace(b"e", b"E", 1))
    with pytest.raises(RunError, match=f"{re.escape(str(path))} is damaged"):
        scorecard(run.folder.parents[1])
