"""Preparing a local store: what is in it, and that nothing that goes wrong on the way can change or lose that."""

import io
import json
from functools import partial

import numpy as np
import pytest
import xarray as xr
from distributed import LocalCluster

from sparta_core.data import daystore, era5
from sparta_core.data.days import WEATHERBENCH2_VARIABLES, read_days
from sparta_core.data.record import load_record
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from tests.data.killed import forked
from tests.data.weatherbench import CF_UNITS, means_by_hand, remote, six_hourly, write


@pytest.fixture
def source(tmp_path) -> str:
    return write(remote(six_hourly()), tmp_path / "remote.zarr")


@pytest.fixture(autouse=True)
def blocks_of_two_days(monkeypatch):
    monkeypatch.setattr(daystore, "BLOCK_DAYS", 2)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_prepared_store_holds_the_days_and_where_they_come_from(source, tmp_path, capsys):
    target = era5.prepare(source, tmp_path / "deep" / "days.zarr")
    store = xr.open_zarr(target)
    for name, expected in means_by_hand(six_hourly(), 850, 0, 7).items():
        np.testing.assert_allclose(store[name], expected, rtol=1e-6)
        attrs = store[name].attrs
        assert attrs["units"] == CF_UNITS[name]
        moments = [attrs["mean"], attrs["standard_deviation"]]
        assert moments == pytest.approx([expected.mean(), expected.std()], rel=1e-6)
        np.testing.assert_allclose(attrs["actual_range"], [expected.min(), expected.max()], rtol=1e-6)
    np.testing.assert_array_equal(store["time"], np.arange("1999-12-29", "2000-01-05", dtype="M8[D]"))
    np.testing.assert_allclose(store["land_sea_mask"], np.linspace(0, 1, 32).reshape(4, 8), rtol=1e-6)
    assert store.attrs["store"] == source and store.attrs["level"] == 850
    assert store.attrs["title"] == "Daily means, 850 hPa and surface"
    first, *blocks = capsys.readouterr().out.splitlines()
    # Of each variable whole chunks are read, those above the surface with all 13 levels.
    assert first.startswith(f"7 days to {target}, 0 of them there; up to {7 * 4 * 32 * 4 * (1 + 4 * 13) / 1e3:.3g} kB")
    assert [line.split(":")[0] for line in blocks] == [
        "1999-12-29 to 1999-12-30", "1999-12-31 to 2000-01-01", "2000-01-02 to 2000-01-03", "2000-01-04"]
    assert " left" in blocks[0] and "took" in blocks[-1]


def test_a_prepared_store_loads_as_a_record_with_the_same_physical_values(source, tmp_path):
    target = era5.prepare(source, tmp_path / "days.zarr")
    record = load_record(Experiment(
        data=str(target), variables=WEATHERBENCH2_VARIABLES, level=850, days=None,
        split=(0.4, 0.2), downstream_split=(0.4, 0.4)))
    physical = record.physical(record.values).numpy()
    for channel, (name, expected) in enumerate(means_by_hand(six_hourly(), 850, 0, 7).items()):
        assert record.variables[channel] == name and record.units[channel] == CF_UNITS[name]
        np.testing.assert_allclose(physical[:, channel], expected, rtol=1e-5)
    assert record.source == source


def test_only_the_years_asked_for_are_prepared(source, tmp_path):
    target = era5.prepare(source, tmp_path / "days.zarr", ("geopotential",), years=(2000, 2000))
    days = xr.open_zarr(target)["geopotential"]
    np.testing.assert_allclose(days, means_by_hand(six_hourly(), 850, 0, 7)["geopotential"][3:], rtol=1e-6)


def test_preparing_again_neither_reads_the_source_nor_writes(source, tmp_path, monkeypatch):
    target = era5.prepare(source, tmp_path / "days.zarr")
    before = files(target)
    monkeypatch.setattr(era5, "open_source", lambda *_: pytest.fail("the source was opened again"))
    assert era5.prepare(source, target, WEATHERBENCH2_VARIABLES[::-1]) == target
    assert before == files(target)


def test_a_target_that_holds_something_else_is_refused(source, tmp_path):
    chosen = ("2m_temperature", "geopotential")
    target = era5.prepare(source, tmp_path / "days.zarr", chosen)
    with pytest.raises(DataError, match=r"days\.zarr holds another variables: .*geopotential"):
        era5.prepare(source, target)
    with pytest.raises(DataError, match="holds another level: 850, not 500"):
        era5.prepare(source, target, chosen, 500)
    with pytest.raises(DataError, match="holds another source"):
        era5.prepare("gs://other.zarr", target, chosen)
    with pytest.raises(DataError, match=r"holds another years: None, not \[2000, 2000\]"):
        era5.prepare(source, target, chosen, years=(2000, 2000))
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match="notes exists and is no store made here"):
        era5.prepare(source, tmp_path / "notes")


def interrupted(source, target, error, at, monkeypatch):
    """A preparing that fails as its block `at` is written."""
    whole, calls = xr.Dataset.to_zarr, []

    def failing(*args, **options):
        calls.append(args)
        if len(calls) == at + 2:  # the layout comes first
            raise error
        return whole(*args, **options)

    with monkeypatch.context() as patch, pytest.raises(BaseException) as raised:
        patch.setattr(xr.Dataset, "to_zarr", failing)
        era5.prepare(source, target)
    return raised.value


def test_the_name_of_the_bundled_climate_is_no_target(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="the target is 'bundled', which names the bundled climate; choose another"):
        era5.prepare(source, "bundled")
    assert not (tmp_path / "bundled").exists()


@pytest.mark.parametrize("at", range(4))
def test_an_interrupted_preparing_goes_on_and_ends_with_the_same_bytes(source, tmp_path, monkeypatch, capsys, at):
    whole = era5.prepare(source, tmp_path / "whole.zarr")
    target = tmp_path / "days.zarr"
    assert isinstance(interrupted(source, target, KeyboardInterrupt(), at, monkeypatch), KeyboardInterrupt)
    assert not target.exists()
    capsys.readouterr()
    era5.prepare(source, target)
    assert f"7 days to {target}, {2 * at} of them there" in capsys.readouterr().out
    assert files(target) == files(whole)


def test_a_full_disk_is_one_sentence_and_loses_nothing(source, tmp_path, monkeypatch):
    target = tmp_path / "days.zarr"
    error = interrupted(source, target, OSError(28, "No space left on device"), 2, monkeypatch)
    assert isinstance(error, DataError)
    assert "No space left on device); free space or make the folder writable and start again" in str(error)
    assert files(era5.prepare(source, target)) == files(era5.prepare(source, tmp_path / "whole.zarr"))


def test_too_small_a_disk_is_said_before_anything_is_read(source, tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(era5.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DataError, match=r"7 days take 4.48 kB and .* has 1 kB; free space, or choose fewer"):
        era5.prepare(source, tmp_path / "days.zarr")


def test_a_nan_stops_before_its_block_is_written(tmp_path):
    dataset = remote(six_hourly())
    dataset["2m_temperature"][9, 0, 0] = np.nan
    where = write(dataset, tmp_path / "nan.zarr")
    with pytest.raises(DataError, match=r"2m_temperature in .* infinite at 1 grid points on 1999-12-31"):
        era5.prepare(where, tmp_path / "days.zarr")
    assert not (tmp_path / "days.zarr").exists()
    assert [*json.loads((tmp_path / ".days.zarr.part" / "journal.json").read_text())["blocks"]] == ["0"]


def test_two_at_once_cannot_meet(source, tmp_path):
    store = daystore.DayStore(tmp_path / "days.zarr", {})
    with store.alone(), pytest.raises(DataError, match=r"another process is making .*days\.zarr"):
        era5.prepare(source, tmp_path / "days.zarr")


def test_killed_at_any_moment_it_ends_with_the_same_bytes(source, tmp_path):
    """A hundred kills, each as a run is about to open, rename, make or remove a file."""
    expected = files(era5.prepare(source, tmp_path / "whole.zarr"))
    often = forked(partial(era5.prepare, source, tmp_path / "count.zarr"))
    rng = np.random.default_rng(0)
    kills = trials = 0
    while kills < 100:
        target = tmp_path / f"{trials}.zarr"
        while not forked(partial(era5.prepare, source, target), int(rng.integers(1, often))):
            kills += 1
        made = files(target)
        wrong = {name for name in {**made, **expected} if made.get(name) != expected.get(name)}
        apart = abs(xr.open_zarr(target) - xr.open_zarr(tmp_path / "whole.zarr")).max(("latitude", "longitude"))
        assert wrong == set(), apart.to_dict()["data_vars"]
        trials += 1


def test_workers_of_a_dask_scheduler_read_the_same_bytes(source, tmp_path):
    whole = era5.prepare(source, tmp_path / "whole.zarr")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        made = era5.prepare(source, tmp_path / "days.zarr", scheduler=cluster.scheduler_address)
    assert files(made) == files(whole)


def test_a_scheduler_that_is_not_there_is_one_sentence(source, tmp_path, monkeypatch):
    monkeypatch.setattr(era5, "ANSWER", 0.5)
    with pytest.raises(DataError, match=r"no dask scheduler answers at tcp://127\.0\.0\.1:9 .*; check the address"):
        era5.prepare(source, tmp_path / "days.zarr", scheduler="tcp://127.0.0.1:9")


def test_a_store_can_be_regridded_on_its_way(source, tmp_path):
    """Cells of 90 degrees are the means of cells of 45, weighted by their areas: 1 - sqrt(1/2) and sqrt(1/2)."""
    days = xr.open_zarr(era5.prepare(source, tmp_path / "days.zarr", ("geopotential",), spacing=90.0))
    fine = means_by_hand(six_hourly(), 850, 0, 7)["geopotential"]
    polar, other = 1 - np.sqrt(0.5), np.sqrt(0.5)
    south, north = fine[:, 0] * polar + fine[:, 1] * other, fine[:, 3] * polar + fine[:, 2] * other
    # Columns of 45 degrees lie around 0, 45, ...; those of 90 reach half into their neighbours.
    rows = np.stack([south, north], axis=1)
    expected = (np.roll(rows, 1, 2) / 4 + rows / 2 + np.roll(rows, -1, 2) / 4)[:, :, ::2]
    np.testing.assert_allclose(days["geopotential"], expected, rtol=1e-6)
    assert days["latitude"].values.tolist() == [-45, 45] and days["land_sea_mask"].shape == (2, 4)


def test_short_names_are_understood(tmp_path):
    """As in a file of Copernicus' Climate Data Store."""
    short = remote(six_hourly()).rename({"2m_temperature": "t2m", "geopotential": "z", "time": "valid_time",
                                         "level": "pressure_level"}).assign_coords(number=0)  # fmt: skip
    where = tmp_path / "short.zarr"
    short.to_zarr(where, zarr_format=2)
    days = xr.open_zarr(era5.prepare(str(where), tmp_path / "days.zarr", ("2m_temperature", "geopotential")))
    np.testing.assert_allclose(days["geopotential"], means_by_hand(six_hourly(), 850, 0, 7)["geopotential"], rtol=1e-6)
    assert set(days.coords) == {"time", "latitude", "longitude"}


def test_coordinates_of_words_along_time_are_left_out(tmp_path):
    """As Copernicus' expver, which tells final days from preliminary ones."""
    words = np.where(np.arange(28) < 10, "0001", "0005")
    dataset = remote(six_hourly()).assign_coords(expver=("time", words))
    where = tmp_path / "expver.zarr"
    dataset.chunk(time=10).to_zarr(where, zarr_format=2)
    days = xr.open_zarr(era5.prepare(str(where), tmp_path / "days.zarr", ("geopotential",)))
    np.testing.assert_allclose(days["geopotential"], means_by_hand(six_hourly(), 850, 0, 7)["geopotential"], rtol=1e-6)
    assert set(days.coords) == {"time", "latitude", "longitude"}


@pytest.mark.parametrize(("content", "said"), [
    (b"\x89HDF\r\n", r"\(it is a NetCDF file\); use a file of daily means as it is, with --data .*source, or write "),
    (b"CDF\1", r"\(it is a NetCDF file\); use a file of daily means as it is"),
    (b"PK\3\4", r"\(it is a zip archive\); unpack it first"),
    (b"GRIB", r"\(it is a GRIB file\); make a Zarr store of it first"),
    (b"hello", r"\(it is a file\); use a file of daily means"), (None, r"\(there is nothing\); check the path"),
])
def test_a_source_that_is_no_store_is_named(tmp_path, content, said):
    if content is not None:
        (tmp_path / "source").write_bytes(content)
    with pytest.raises(DataError, match=rf"^cannot open .*source as a Zarr store {said}") as error:
        era5.prepare(str(tmp_path / "source"), tmp_path / "days.zarr")
    assert "connection" not in str(error.value)


@pytest.mark.parametrize("place", ["file/days.zarr", "file/deep/days.zarr", "x" * 300 + "/days.zarr"])
def test_a_target_that_cannot_be_written_is_one_sentence(source, tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"^cannot write .*; free space or make the folder writable and start again"):
        era5.prepare(source, tmp_path / place)


def test_a_folder_without_permission_is_one_sentence(source, tmp_path, monkeypatch):
    def denied(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(era5.Path, "mkdir", denied)
    with pytest.raises(DataError, match=r"^cannot write .*closed \(Permission denied\); free space or make "):
        era5.prepare(source, tmp_path / "closed" / "days.zarr")


@pytest.mark.parametrize("target", ["", ".", "/", "a\0b"])
def test_a_target_without_a_name_is_refused(source, target):
    with pytest.raises(DataError, match="is no name of a store; name the folder that is to be made"):
        era5.prepare(source, target)


def test_numbers_of_numpy_are_ordered_as_plain_ones(source, tmp_path):
    chosen = ("geopotential",)
    target = era5.prepare(source, tmp_path / "days.zarr", chosen, np.int64(850), (np.int64(2000), np.int64(2000)))
    assert era5.prepare(source, target, chosen, 850, (2000, 2000)) == target
    with pytest.raises(DataError, match=r"holds another years: \[2000, 2000\], not \[1999, 2000\]; choose"):
        era5.prepare(source, target, chosen, 850, (np.int64(1999), np.int64(2000)))


def test_letters_that_the_terminal_lacks_stop_nothing(source, tmp_path, monkeypatch):
    told = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(told, encoding="ascii"))
    target = era5.prepare(source, tmp_path / "données.zarr")
    assert target.exists() and b"7 days to " in told.getvalue() and rb"donn\xe9es.zarr" in told.getvalue()


def test_one_flipped_bit_in_any_file_of_a_store_is_named(source, tmp_path):
    target = era5.prepare(source, tmp_path / "days.zarr", ("2m_temperature", "geopotential"))
    settings = {"data": str(target), "variables": ("2m_temperature", "geopotential"), "split": (0.4, 0.2),
                "downstream_split": (0.4, 0.4)}  # fmt: skip
    rng = np.random.default_rng(0)
    for name, whole in files(target).items():
        place = int(rng.integers(len(whole)))
        (target / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(DataError, match=f"{name.name} is damaged"):
            load_record(Experiment(**settings))
        (target / name).write_bytes(whole)
    assert load_record(Experiment(**settings)).values.isfinite().all()


def test_a_bit_that_flips_before_the_store_is_finished_is_named(source, tmp_path, monkeypatch):
    target = tmp_path / "days.zarr"
    interrupted(source, target, KeyboardInterrupt(), 2, monkeypatch)
    chunk = tmp_path / ".days.zarr.part" / "geopotential" / "c" / "0" / "0" / "0"
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    made = era5.prepare(source, target)
    with pytest.raises(DataError, match=r"days.zarr/geopotential/c/0/0/0 is damaged"):
        read_days(Experiment(data=str(made)))


def test_a_chunk_that_vanishes_before_the_store_is_finished_is_named(source, tmp_path, monkeypatch):
    target = tmp_path / "days.zarr"
    interrupted(source, target, KeyboardInterrupt(), 2, monkeypatch)
    (tmp_path / ".days.zarr.part" / "geopotential" / "c" / "0" / "0" / "0").unlink()
    made = era5.prepare(source, target)
    with pytest.raises(DataError, match=r"days.zarr/geopotential/c/0/0/0 is damaged"):
        read_days(Experiment(data=str(made)))


def test_a_damaged_journal_is_named_and_nothing_is_lost(source, tmp_path, monkeypatch):
    target = tmp_path / "days.zarr"
    interrupted(source, target, KeyboardInterrupt(), 2, monkeypatch)
    part = tmp_path / ".days.zarr.part"
    before, journal = files(part / "geopotential"), part / "journal.json"
    for damaged in (b"", b"[]", journal.read_bytes()[:-9], journal.read_bytes().replace(b"7", b"8")):
        journal.write_bytes(damaged)
        with pytest.raises(DataError, match=r"journal\.json is damaged .*; delete .*part to begin again"):
            era5.prepare(source, target)
        assert files(part / "geopotential") == before
