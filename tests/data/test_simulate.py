"""Simulating, with a chaotic map for a model: what is in the store, and that no way to stop it changes a byte."""

import json
from functools import partial

import numpy as np
import pytest
import xarray as xr

from sparta_core.data import simulate as module
from sparta_core.data.days import WEATHERBENCH2_VARIABLES
from sparta_core.data.record import load_record
from sparta_core.data.simulate import simulate
from sparta_core.data.variables import UNITS
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from tests.data.killed import forked

REAL = {name: getattr(module, name) for name in ("BEGIN", "SPIN_UP")}
GRID = {"latitude": [-45.0, 45.0], "longitude": [0.0, 90.0, 180.0, 270.0]}
# Where the variables lie, and how much of the map they take.
LEVELS = {"2m_temperature": (280, 1), "u_component_of_wind": (0, 1), "v_component_of_wind": (0, 1),
          "geopotential": (13000, 100), "specific_humidity": (0.006, 2e-4)}  # fmt: skip


def next_day(x):
    """Eight steps of the logistic map: a bit lost anywhere is other weather a week later."""
    for _ in range(8):
        x = 3.99 * x * (1 - x)
    return x


class Map:
    """A model of one number at each grid point."""

    name = "a map"
    static = xr.Dataset({"land_sea_mask": (tuple(GRID), np.eye(2, 4, dtype=np.float32), {"units": "1"}),
                         "geopotential_at_surface": (tuple(GRID), np.ones((2, 4), np.float32), {"units": "m2 s-2"})},
                        GRID)  # fmt: skip

    def __init__(self):
        self.state = {"x": np.linspace(0.1, 0.9, 8).reshape(2, 4), "day": np.array(0)}

    @property
    def day(self):
        return int(self.state["day"])

    def advance(self):
        x = next_day(self.state["x"])
        self.state = {"x": x, "day": np.array(self.day + 1)}
        return xr.Dataset({name: (tuple(GRID), np.float32(mean + scale * x)) for name, (mean, scale) in LEVELS.items()},
                          GRID)  # fmt: skip


def orbit(days):
    """The map's points day by day (days, 2, 4)."""
    points = [np.linspace(0.1, 0.9, 8).reshape(2, 4)]
    for _ in range(days):
        points.append(next_day(points[-1]))
    return np.stack(points[1:])


@pytest.fixture(autouse=True)
def a_cheap_model_and_a_short_year(monkeypatch):
    monkeypatch.setattr(module, "Circulation", Map)
    monkeypatch.setattr(module, "BEGIN", np.datetime64("2000-12-01"))
    monkeypatch.setattr(module, "SPIN_UP", 10)  # leaves 21 days of the first year
    monkeypatch.setattr(module, "BLOCK_DAYS", 8)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def whole(tmp_path):
    """The files of an uninterrupted run."""
    return files(simulate(tmp_path / "whole.zarr", 1))


def test_the_store_holds_the_days_after_the_start_and_says_that_they_are_simulated(tmp_path):
    store = xr.open_zarr(simulate(tmp_path / "deep" / "days.zarr", 1))
    np.testing.assert_array_equal(store["time"], np.arange("2000-12-11", "2001-01-01", dtype="M8[D]"))
    expected = np.float32(280 + orbit(31)[10:])
    np.testing.assert_array_equal(store["2m_temperature"], expected)
    assert store["2m_temperature"].attrs["mean"] == pytest.approx(expected.mean(dtype=np.float64))
    np.testing.assert_array_equal(store["land_sea_mask"], np.eye(2, 4))
    assert {name: store[name].attrs["units"] for name in UNITS} == UNITS
    assert store.attrs["source"] == "simulated by a map, not observed" and store.attrs["level"] == 850


def test_years_are_whole_with_their_leap_day(monkeypatch):
    for name, value in REAL.items():
        monkeypatch.setattr(module, name, value)
    time = module._lazy_days(Map(), 4)["time"].values.astype("M8[D]")
    np.testing.assert_array_equal(time, np.arange("2001-01-01", "2005-01-01", dtype="M8[D]"))


def test_a_record_loads_from_it(tmp_path):
    target = simulate(tmp_path / "days.zarr", 1)
    record = load_record(Experiment(data=str(target), variables=WEATHERBENCH2_VARIABLES, days=None,
                                    split=(0.5, 0.2), downstream_split=(0.4, 0.4)))  # fmt: skip
    physical = record.physical(record.values).numpy()
    np.testing.assert_allclose(physical[:, 0], 280 + orbit(31)[10:], rtol=1e-6)
    assert "simulated" in record.source and record.land_sea_mask.sum() == 2


def test_progress_is_a_line_a_block_with_the_time_left(tmp_path, capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    plain = Map.advance

    def half_a_second(self):
        now[0] += 0.5
        return plain(self)

    monkeypatch.setattr(Map, "advance", half_a_second)
    simulate(tmp_path / "days.zarr", 1)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith(f"21 days to {tmp_path / 'days.zarr'}, 0 of them there; 10 days from rest come first")
    assert lines == ["2000-12-01 to 2000-12-08: 120 days a minute, 12 s left",
                     "2000-12-09 to 2000-12-10: 120 days a minute, 10 s left",
                     "2000-12-11 to 2000-12-18: 120 days a minute, 6 s left",
                     "2000-12-19 to 2000-12-26: 120 days a minute, 2 s left",
                     "2000-12-27 to 2000-12-31: 120 days a minute, took 16 s"]


def test_a_finished_store_is_left_as_it_is_and_one_of_other_years_is_refused(tmp_path, monkeypatch):
    target = simulate(tmp_path / "days.zarr", 1)
    before = files(target)
    monkeypatch.setattr(module, "Circulation", lambda: pytest.fail("the model was set up again"))
    assert simulate(target, 1) == target and files(target) == before
    with pytest.raises(DataError, match="holds another years: 1, not 2"):
        simulate(target, 2)
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match="notes exists and is no store made here"):
        simulate(tmp_path / "notes", 1)


@pytest.mark.parametrize("years", [0, -1, 262, 1.5, float("nan"), "3", None])
def test_years_that_cannot_be_are_refused(tmp_path, years):
    with pytest.raises(DataError, match=f"{years!r} years cannot be simulated; choose a whole number from 1 to 261"):
        simulate(tmp_path / "days.zarr", years)


def test_numbers_of_numpy_are_shown_plainly(tmp_path):
    with pytest.raises(DataError, match=r"^280 years cannot be simulated"):
        simulate(tmp_path / "days.zarr", np.int64(280))


def test_a_target_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"^cannot write .*file.*; free space or make the folder writable"):
        simulate(tmp_path / "file" / "days.zarr", 1)


def stopped(target, day, monkeypatch, error=KeyboardInterrupt):
    """A run in which the model fails on `day`."""
    plain = Map.advance

    def advance(self):
        if self.day == day:
            raise error
        return plain(self)

    with monkeypatch.context() as patch, pytest.raises(error):
        patch.setattr(Map, "advance", advance)
        simulate(target, 1)


@pytest.mark.parametrize("day", [0, 7, 8, 9, 10, 17, 18, 25, 26, 30])
def test_stopped_in_any_block_it_goes_on_and_ends_with_the_same_bytes(tmp_path, monkeypatch, whole, capsys, day):
    stopped(tmp_path / "days.zarr", day, monkeypatch)
    assert not (tmp_path / "days.zarr").exists()
    capsys.readouterr()
    assert files(simulate(tmp_path / "days.zarr", 1)) == whole
    begun = max(start for start in (0, 8, 10, 18, 26) if start <= day)
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(str(np.datetime64("2000-12-01") + begun)), "it began again where nothing was lost"


def test_one_state_at_most_lies_beside_the_unfinished_days(tmp_path, monkeypatch):
    for day in (2, 9, 15, 28):
        stopped(tmp_path / "days.zarr", day, monkeypatch)
        assert len([*tmp_path.rglob("*.state")]) == (day > 2)


def test_a_damaged_state_is_named_and_nothing_is_written(tmp_path, monkeypatch):
    stopped(tmp_path / "days.zarr", 20, monkeypatch)
    (path,) = tmp_path.rglob("*.state")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    before = files(tmp_path)
    with pytest.raises(DataError, match=rf"{path.name} is damaged.*; delete .*\.days\.zarr\.part to begin again"):
        simulate(tmp_path / "days.zarr", 1)
    assert files(tmp_path) == before


def test_another_model_does_not_go_on(tmp_path, monkeypatch):
    stopped(tmp_path / "days.zarr", 20, monkeypatch)
    monkeypatch.setattr(Map, "name", "another map")
    with pytest.raises(DataError, match="are simulated by a map, not observed, the next would be simulated by another"):
        simulate(tmp_path / "days.zarr", 1)


def test_a_model_that_breaks_down_stops_before_its_block_is_written(tmp_path, monkeypatch):
    plain = Map.advance
    monkeypatch.setattr(Map, "advance", lambda self: plain(self).where(self.day != 20))
    with pytest.raises(DataError, match="in the simulation is NaN or infinite at 8 grid points on 2000-12-20"):
        simulate(tmp_path / "days.zarr", 1)
    assert [*json.loads((tmp_path / ".days.zarr.part" / "journal.json").read_text())["blocks"]] == ["0"]


def test_killed_at_any_moment_it_ends_with_the_same_bytes(tmp_path, whole):
    """A hundred kills, each as a run is about to open, rename, make or remove a file."""
    often = forked(partial(simulate, tmp_path / "count.zarr", 1))
    rng = np.random.default_rng(0)
    kills = trials = 0
    while kills < 100:
        target = tmp_path / f"{trials}.zarr"
        while not forked(partial(simulate, target, 1), int(rng.integers(1, often))):
            kills += 1
        assert files(target) == whole
        trials += 1
