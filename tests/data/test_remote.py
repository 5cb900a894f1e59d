"""The way from a bucket: Google's client against an emulated bucket, over a connection with faults."""

import logging
import re
import socket
import time

import numpy as np
import pytest
import xarray as xr
from gcsfs.core import GCSFileSystem

from sparta_core.data import daystore, era5, remote
from sparta_core.errors import DataError
from tests.data import bucket as faults
from tests.data.weatherbench import means_by_hand, open_days, six_hourly, write
from tests.data.weatherbench import remote as weather

URL = "gs://weather/remote.zarr"
NAMES = ("2m_temperature", "geopotential")
CHUNK = "geopotential/1.0.0.0"
# Of the other format, which compresses with Zstandard instead of Blosc.
OTHER, OTHER_CHUNK = "gs://weather/other.zarr", "geopotential/c/1/0/0/0"
SHORT = "gs://weather/short.zarr"  # with other names


@pytest.fixture
def bucket(tmp_path):
    write(weather(six_hourly()), tmp_path / "bucket" / "remote.zarr")
    write(weather(six_hourly()), tmp_path / "bucket" / "other.zarr", zarr_format=3)
    short = weather(six_hourly()).rename({"2m_temperature": "t2m", "geopotential": "z"})
    write(short, tmp_path / "bucket" / "short.zarr")
    GCSFileSystem.clear_instance_cache()  # one that asked another test's bucket
    with faults.bucket(tmp_path / "bucket") as connection:
        yield connection


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(daystore, "BLOCK_DAYS", 2)
    monkeypatch.setattr(remote, "PAUSES", (0.01, 0.02))


def check_days(target):
    store = xr.open_zarr(target)
    for name in NAMES:
        np.testing.assert_allclose(store[name], means_by_hand(six_hourly(), 850, 0, 7)[name], rtol=1e-6)


@pytest.mark.parametrize(("url", "names"), [(URL, NAMES), (SHORT, ("t2m", "z"))])
def test_nothing_is_asked_for_twice(bucket, tmp_path, url, names):
    # Chunks of 10 fields and blocks of 8: most chunks reach into two blocks.
    check_days(era5.prepare(url, tmp_path / "days.zarr", NAMES))
    assert set(bucket.asked.values()) == {1}
    fields = [path for path in bucket.asked if any(f"/{name}/" in path for name in names)]
    assert len(fields) == 2 * 3
    assert not any("wind" in path or "humidity" in path for path in bucket.asked)


@pytest.mark.parametrize("fault", [faults.reset, faults.busy, faults.slow, faults.broken_off, faults.missing])
def test_a_fault_that_passes_changes_nothing(bucket, tmp_path, fault):
    bucket.faults[CHUNK] = [fault]
    check_days(era5.prepare(URL, tmp_path / "days.zarr", NAMES))
    assert bucket.faults[CHUNK] == []


@pytest.mark.parametrize(("url", "chunk", "said"), [
    (URL, CHUNK, r"it came with \d+ of \d+ bytes; asking again"), (OTHER, OTHER_CHUNK, "reading again")])
def test_a_chunk_cut_short_on_its_way_is_read_again(bucket, tmp_path, capsys, url, chunk, said):
    """Known by its length where the codec would read on behind it, else by its decoding."""
    bucket.faults[chunk] = [faults.cut_short]
    check_days(era5.prepare(url, tmp_path / "days.zarr", NAMES))
    assert re.search(said, capsys.readouterr().out)


def test_a_chunk_that_stays_missing_is_named_and_what_is_there_is_kept(bucket, tmp_path, capsys):
    target = tmp_path / "days.zarr"
    bucket.faults["geopotential/2.0.0.0"] = [faults.missing] * 3
    with pytest.raises(DataError, match=r"chunk geopotential/2\.0\.0\.0 of gs://weather/remote\.zarr cannot be read "
                                        r"\(it is missing, 3 times\); what is prepared is kept"):
        era5.prepare(URL, target, NAMES)
    before = len(capsys.readouterr().out)
    check_days(era5.prepare(URL, target, NAMES))
    assert before and "4 of them there" in capsys.readouterr().out


@pytest.mark.parametrize(("url", "chunk", "said"), [
    (URL, CHUNK, r"chunk geopotential/1\.0\.0\.0 of .* cannot be read \(it came with \d+ of \d+ bytes, 3 times\)"),
    (OTHER, OTHER_CHUNK, r"geopotential on 1999-12-31 in gs://weather.* cannot be decoded")])
def test_a_chunk_that_stays_cut_short_is_named(bucket, tmp_path, url, chunk, said):
    bucket.faults[chunk] = [faults.cut_short] * 100
    with pytest.raises(DataError, match=said):
        era5.prepare(url, tmp_path / "days.zarr", NAMES)


def test_no_answer_is_a_fault(bucket, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "STALLED", 2.0)  # long enough for the other chunks, also on a busy machine
    bucket.faults[CHUNK] = [faults.stalled] * 100
    with pytest.raises(DataError, match=r"geopotential/1\.0\.0\.0 .* \(no answer in 2 s, 3 times\)"):
        era5.prepare(URL, tmp_path / "days.zarr", NAMES)


def test_a_bucket_that_is_not_there_is_one_sentence(bucket, caplog):
    with pytest.raises(DataError, match=r"cannot open gs://elsewhere/x\.zarr as a Zarr store"):
        open_days("gs://elsewhere/x.zarr", NAMES)
    logging.getLogger("gcsfs").exception("out of retries")  # as it says when the connection is gone, with a traceback
    assert not [record for record in caplog.records if record.name.startswith("gcsfs")]


@pytest.mark.parametrize("spacing, columns", [("5.625", 64), ("2.8125", 128), ("1.5", 240), ("0.25", 1440)])
def test_the_public_stores_are_opened_anonymously(spacing, columns):
    store = remote.ReliableStore.at(era5.URLS[spacing])._store
    assert store.path.startswith("weatherbench2/datasets/era5/1959-20") and f"-6h-{columns}x" in store.path
    assert store.fs.storage_options["token"] == "anon" and store.read_only
    assert type(store.fs) is GCSFileSystem  # its subclass asks, over gRPC, for kinds of buckets that these are not


def refusing():
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return None, free.getsockname()[1]


def silent():
    """A port where somebody listens who never answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, listening.getsockname()[1]


@pytest.mark.parametrize("where", [refusing, silent])
def test_without_a_network_it_says_what_it_waits_for_and_ends_soon(tmp_path, monkeypatch, capsys, where):
    listening, port = where()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(remote, "OPENING", 0.5)
    GCSFileSystem.clear_instance_cache()
    begun = time.monotonic()
    with pytest.raises(DataError) as error:
        era5.prepare(URL, tmp_path / "days.zarr", NAMES)
    assert time.monotonic() - begun < 20  # of which half a second is for the answer
    assert str(error.value) == (f"cannot open {URL} as a Zarr store (no answer in 0.5 s); check the address and the "
                                "connection")  # fmt: skip
    assert capsys.readouterr().out == f"Asking {URL} what it holds; without an answer in 0.5 s this ends\n"
    GCSFileSystem.clear_instance_cache()
    if listening:
        listening.close()


def test_the_wait_for_a_store_is_less_than_half_a_minute():
    assert remote.OPENING < 30
