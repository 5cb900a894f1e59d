"""Daily means of small stores in the layouts of WeatherBench 2's, against means taken by hand in numpy."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sparta_core.data import era5
from sparta_core.data.fields import load_fields
from sparta_core.errors import DataError
from sparta_core.experiment import WEATHERBENCH2_VARIABLES, Experiment

LEVELS = np.array([50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000])
LATITUDE = -90 + 45 * (np.arange(4) + 0.5)
LONGITUDE = 45.0 * np.arange(8)
WRITTEN_UNITS = dict(
    zip(WEATHERBENCH2_VARIABLES, ("K", "m s**-1", "m s**-1", "m**2 s**-2", "kg kg**-1"), strict=True))
CF_UNITS = dict(zip(WEATHERBENCH2_VARIABLES, ("K", "m s-1", "m s-1", "m2 s-2", "kg kg-1"), strict=True))

# The order of the dims, and whether latitude descends.
COARSE = (("time", "level", "longitude", "latitude"), False)
FINE = (("time", "level", "latitude", "longitude"), True)


def six_hourly(start: str = "1999-12-29T00", steps: int = 28) -> np.ndarray:
    return np.datetime64(start, "h") + np.timedelta64(6, "h") * np.arange(steps)


def raw(times: np.ndarray) -> dict[str, np.ndarray]:
    """Known values: (time, latitude, longitude) at the surface, (time, level, latitude, longitude) above."""
    rng = np.random.default_rng(3)
    surface, above = (times.size, 4, 8), (times.size, LEVELS.size, 4, 8)
    scale = dict(zip(WEATHERBENCH2_VARIABLES, (280.0, 10.0, 10.0, 14000.0, 0.01), strict=True))
    shapes = {name: surface if name == "2m_temperature" else above for name in WEATHERBENCH2_VARIABLES}
    return {name: (scale[name] * rng.normal(1, 0.2, shape)).astype("f4") for name, shape in shapes.items()}


def remote(times: np.ndarray, layout: tuple[tuple[str, ...], bool] = COARSE) -> xr.Dataset:
    coords = {"time": times.astype("datetime64[ns]"), "level": LEVELS,
              "latitude": LATITUDE, "longitude": LONGITUDE}
    surface, above = ("time", "latitude", "longitude"), ("time", "level", "latitude", "longitude")
    data: dict[str, Any] = {
            name: (surface if x.ndim == 3 else above, x, {"units": WRITTEN_UNITS[name], "long_name": name})
            for name, x in raw(times).items()}
    static = np.linspace(0, 1, 32).reshape(4, 8)
    data["land_sea_mask"] = (("latitude", "longitude"), static, {"units": "(0 - 1)"})
    data["geopotential_at_surface"] = (("latitude", "longitude"), 1e4 * static, {"units": "m**2 s**-2"})
    # What the real stores hold besides, and must neither be read nor written.
    data["total_precipitation_6hr"] = (surface, np.zeros((times.size, 4, 8), "f4"), {"units": "m"})
    order, descending = layout
    dataset = xr.Dataset(data, coords).transpose(*order)
    return dataset.isel(latitude=slice(None, None, -1)) if descending else dataset


def write(dataset: xr.Dataset, path: Path, zarr_format: int = 2, consolidated: bool = True) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's word on consolidated metadata in format 3
        dataset.chunk(time=10).to_zarr(path, zarr_format=zarr_format, consolidated=consolidated)
    return str(path)


@pytest.fixture
def source(tmp_path) -> str:
    return write(remote(six_hourly()), tmp_path / "remote.zarr")


def means_by_hand(times: np.ndarray, level: int, first: int, days: int) -> dict[str, np.ndarray]:
    """Mean of four successive fields from step `first`, one day and variable after the other."""
    at = int(np.flatnonzero(level == LEVELS)[0])
    result = {}
    for name, x in raw(times).items():
        x = x if x.ndim == 3 else x[:, at]
        result[name] = np.stack([sum(x[first + 4 * day + i].astype("f8") for i in range(4)) / 4
                                 for day in range(days)])
    return result


@pytest.mark.parametrize("layout", [COARSE, FINE], ids=["coarse", "fine"])
@pytest.mark.parametrize("zarr_format, consolidated", [(2, True), (2, False), (3, True), (3, False)])
def test_daily_means_are_those_by_hand(tmp_path, layout, zarr_format, consolidated):
    times = six_hourly()
    where = write(remote(times, layout), tmp_path / "remote.zarr", zarr_format, consolidated)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        days = era5.open_days(where, WEATHERBENCH2_VARIABLES, 850)
    for name, expected in means_by_hand(times, 850, 0, 7).items():
        assert days[name].dims == ("time", "latitude", "longitude")
        assert days[name].dtype == np.float32
        assert days[name].attrs["units"] == CF_UNITS[name]
        np.testing.assert_allclose(days[name].values, expected, rtol=1e-6)
    np.testing.assert_array_equal(days["latitude"], LATITUDE)
    np.testing.assert_array_equal(days["time"], np.arange("1999-12-29", "2000-01-05", dtype="M8[D]"))
    np.testing.assert_allclose(days["land_sea_mask"], np.linspace(0, 1, 32).reshape(4, 8), rtol=1e-6)
    assert days["geopotential_at_surface"].attrs["units"] == "m2 s-2"
    assert "total_precipitation_6hr" not in days and "level" not in days.coords


def test_another_level_gives_other_values(source):
    days = era5.open_days(source, ("2m_temperature", "geopotential"), 500)
    expected = means_by_hand(six_hourly(), 500, 0, 7)
    np.testing.assert_allclose(days["geopotential"], expected["geopotential"], rtol=1e-6)
    np.testing.assert_allclose(days["2m_temperature"], expected["2m_temperature"], rtol=1e-6)
    assert days.attrs["level"] == 500 and list(days.data_vars)[:2] == ["2m_temperature", "geopotential"]


def test_opening_reads_no_field(source):
    days = era5.open_days(source, WEATHERBENCH2_VARIABLES, 850)
    assert all(days[name].chunks is not None for name in WEATHERBENCH2_VARIABLES)


def test_western_longitudes_are_counted_from_0_to_360(tmp_path):
    dataset = remote(six_hourly())
    west = dataset.assign_coords(longitude=LONGITUDE - 180)
    days = era5.open_days(write(west, tmp_path / "west.zarr"), ("2m_temperature",), 850)
    np.testing.assert_array_equal(days["longitude"], LONGITUDE)
    expected = np.roll(means_by_hand(six_hourly(), 850, 0, 7)["2m_temperature"], 4, axis=-1)
    np.testing.assert_allclose(days["2m_temperature"], expected, rtol=1e-6)


def test_days_cut_off_at_the_ends_are_left_out_and_said(tmp_path):
    times = six_hourly("1999-12-29T12", steps=2 + 3 * 4 + 3)
    where = write(remote(times), tmp_path / "cut.zarr")
    with pytest.warns(UserWarning) as said:
        days = era5.open_days(where, ("geopotential",), 850)
    assert [str(w.message).split(" in ")[0] for w in said] == [
        "1999-12-29 has only 2 of 4 fields", "2000-01-02 has only 3 of 4 fields"]
    assert all(w.filename == __file__ for w in said)
    np.testing.assert_array_equal(days["time"], np.arange("1999-12-30", "2000-01-02", dtype="M8[D]"))
    np.testing.assert_allclose(
        days["geopotential"], means_by_hand(times, 850, 2, 3)["geopotential"], rtol=1e-6)


def test_a_store_of_daily_fields_stays_as_it_is(tmp_path):
    times = np.arange("2000-01-01", "2000-01-05", dtype="M8[D]").astype("M8[h]") + 12
    days = era5.open_days(write(remote(times), tmp_path / "daily.zarr"), ("2m_temperature",), 850)
    np.testing.assert_array_equal(days["2m_temperature"], raw(times)["2m_temperature"])
    np.testing.assert_array_equal(days["time"], times.astype("M8[D]"))


def test_a_nan_in_one_field_spoils_its_day_instead_of_hiding(tmp_path):
    dataset = remote(six_hourly())
    dataset["2m_temperature"][5, 0, 0] = np.nan
    where = write(dataset, tmp_path / "nan.zarr")
    days = era5.open_days(where, ("2m_temperature",), 850)["2m_temperature"]
    assert np.isnan(days[1]).sum() == 1
    with pytest.raises(DataError, match=r"2m_temperature in .* infinite at 1 grid points on 1999-12-30"):
        era5.prepare(where, tmp_path / "target.zarr")
    assert not (tmp_path / "target.zarr").exists()


def without(dataset: xr.Dataset, steps: list[int]) -> xr.Dataset:
    return dataset.isel(time=np.setdiff1d(np.arange(dataset.sizes["time"]), steps))


def with_units(dataset: xr.Dataset, name: str, units: str | None) -> xr.Dataset:
    dataset[name].attrs = {} if units is None else {"units": units}
    return dataset


BAD = {
    "gap": (lambda d: without(d, [9, 10, 15]), r"goes from 1999-12-31T00:00:00 to 1999-12-31T18:00:00"),
    "twice": (lambda d: d.isel(time=np.sort([*range(28), 7])),
              "goes from 1999-12-30T18:00:00 to 1999-12-30T18"),
    "step": (lambda d: d.assign_coords(time=pd.date_range("2000", periods=28, freq="5h")),
             "time step of .* does not divide a day"),
    "short": (lambda d: d.isel(time=slice(3)), "no whole day of 4 fields"),
    "one": (lambda d: d.isel(time=[0]), "no time axis with two dates"),
    "units": (lambda d: with_units(d, "2m_temperature", "degC"), "2m_temperature in .* is in 'degC'; .* 'K'"),
    "no units": (lambda d: with_units(d, "geopotential", None), "geopotential in .* no units; .* 'm2 s-2'"),
    "no variable": (lambda d: d.drop_vars("geopotential"), "has no geopotential; .* 2m_temperature, .*wind"),
    "no level": (lambda d: d.sel(level=[500, 1000]), "no level 850 hPa; .* levels: 500, 1000$"),
    "dims": (lambda d: d.rename(latitude="lat"), r"dimensions .*lat.*; rename .* time, latitude, longitude"),
    "grid": (lambda d: d.assign_coords(longitude=[0, 45, 90, 135, 180, 225, 270, 360]),
             "longitude 0 more than once"),
    "latitude": (lambda d: d.assign_coords(latitude=LATITUDE * 2), "latitude in .* exceeds 90"),
    "no latitude": (lambda d: d.drop_vars("latitude"), "no coordinate latitude"),
}


@pytest.mark.filterwarnings("ignore:.*has only")
@pytest.mark.parametrize("case", BAD)
def test_a_source_that_does_not_fit_is_one_clear_sentence(tmp_path, case):
    change, message = BAD[case]
    where = write(change(remote(six_hourly())), tmp_path / "bad.zarr")
    with pytest.raises(DataError, match=message) as error:
        era5.open_days(where, WEATHERBENCH2_VARIABLES, 850)
    assert "bad.zarr" in str(error.value) and "\n" not in str(error.value)


def test_a_source_that_cannot_be_opened_names_it_and_the_reason(tmp_path):
    with pytest.raises(DataError, match=r"cannot open .*nothing\.zarr as a Zarr store \(.+\)"):
        era5.open_days(tmp_path / "nothing.zarr", WEATHERBENCH2_VARIABLES, 850)
    with pytest.raises(DataError, match=r"cannot open nonsense://x as a Zarr store \(.*nonsense"):
        era5.open_days("nonsense://x", WEATHERBENCH2_VARIABLES, 850)


def test_a_url_of_any_fsspec_protocol_opens():
    times = six_hourly()
    remote(times).to_zarr("memory://weather.zarr", mode="w", zarr_format=2)
    days = era5.open_days("memory://weather.zarr", ("2m_temperature",), 850)
    np.testing.assert_allclose(
        days["2m_temperature"], means_by_hand(times, 850, 0, 7)["2m_temperature"], rtol=1e-6)


@pytest.mark.parametrize("spacing, columns", [("5.625", 64), ("2.8125", 128), ("1.5", 240), ("0.25", 1440)])
def test_the_public_stores_are_opened_anonymously(monkeypatch, spacing, columns):
    asked = {}

    def opening(where, **options):
        asked.update(options, where=where)
        return remote(six_hourly())

    monkeypatch.setattr(xr, "open_zarr", opening)
    era5.open_days(era5.URLS[spacing], ("2m_temperature",), 850)
    assert asked["where"].startswith("gs://weatherbench2/datasets/era5/1959-20")
    assert f"-6h-{columns}x" in asked["where"] and asked["storage_options"] == {"token": "anon"}


def test_a_prepared_store_holds_the_days_and_where_they_come_from(source, tmp_path, capsys):
    target = era5.prepare(source, tmp_path / "deep" / "days.zarr")
    store = xr.open_zarr(target, consolidated=False)
    for name, expected in means_by_hand(six_hourly(), 850, 0, 7).items():
        np.testing.assert_allclose(store[name], expected, rtol=1e-6)
    np.testing.assert_array_equal(store["time"], np.arange("1999-12-29", "2000-01-05", dtype="M8[D]"))
    np.testing.assert_allclose(store["land_sea_mask"], np.linspace(0, 1, 32).reshape(4, 8), rtol=1e-6)
    assert store.attrs["store"] == source and store.attrs["level"] == 850
    assert {"title", "institution"} <= set(store.attrs)
    assert capsys.readouterr().out == "1999: 3 days\n2000: 4 days\n"


def test_a_prepared_store_loads_as_fields_with_the_same_physical_values(source, tmp_path):
    target = era5.prepare(source, tmp_path / "days.zarr")
    fields = load_fields(Experiment(
        data=str(target), variables=WEATHERBENCH2_VARIABLES, level=850, days=None,
        split=(0.4, 0.2), downstream_split=(0.4, 0.4)))
    physical = fields.physical(fields.values).numpy()
    for channel, (name, expected) in enumerate(means_by_hand(six_hourly(), 850, 0, 7).items()):
        assert fields.variables[channel] == name and fields.units[channel] == CF_UNITS[name]
        np.testing.assert_allclose(physical[:, channel], expected, rtol=1e-5)
    np.testing.assert_allclose(fields.land_sea_mask, np.linspace(0, 1, 32).reshape(4, 8), rtol=1e-6)
    assert fields.source == "ERA5, WeatherBench 2"


def test_preparing_again_neither_reads_the_source_nor_writes(source, tmp_path, monkeypatch):
    target = era5.prepare(source, tmp_path / "days.zarr")
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in target.rglob("*") if p.is_file()}
    monkeypatch.setattr(era5, "open_days", lambda *_: pytest.fail("the source was opened again"))
    assert era5.prepare(source, target, WEATHERBENCH2_VARIABLES[::-1]) == target
    assert before == {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in target.rglob("*") if p.is_file()}


def test_a_target_that_holds_something_else_is_refused(source, tmp_path):
    target = era5.prepare(source, tmp_path / "days.zarr", ("2m_temperature", "geopotential"))
    with pytest.raises(DataError, match=r"days\.zarr holds another variables: .*geopotential"):
        era5.prepare(source, target)
    with pytest.raises(DataError, match="holds another level: 850, not 500"):
        era5.prepare(source, target, ("2m_temperature", "geopotential"), 500)
    with pytest.raises(DataError, match="holds another source"):
        era5.prepare("gs://other.zarr", target, ("2m_temperature", "geopotential"))
    (tmp_path / "notes").mkdir()
    with pytest.raises(DataError, match="notes exists and is no Zarr store"):
        era5.prepare(source, tmp_path / "notes")


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_nothing_and_can_be_repeated(source, tmp_path, monkeypatch, interruption):
    target, whole, calls = tmp_path / "out" / "days.zarr", xr.Dataset.to_zarr, []

    def failing(*args, **options):
        calls.append(args)
        if len(calls) == 2:  # the first year is on disk by now
            raise interruption
        return whole(*args, **options)

    with monkeypatch.context() as patch, pytest.raises(interruption):
        patch.setattr(xr.Dataset, "to_zarr", failing)
        era5.prepare(source, target)
    assert len(calls) == 2 and list(target.parent.iterdir()) == []
    assert xr.open_zarr(era5.prepare(source, target), consolidated=False).sizes["time"] == 7
