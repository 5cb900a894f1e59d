"""Fields of small synthetic files: statistics, split, inverse, order, calendar, area, and every refusal."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from sparta_core.data.clock import Clock
from sparta_core.data.days import split_days
from sparta_core.data.record import Record, load_record
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment

NAMES = ("2m_temperature", "geopotential", "specific_humidity")
UNITS = ("K", "m2 s-2", "kg kg-1")
OFFSET = np.array([280.0, 13300.0, 0.006]).reshape(3, 1, 1)
SPREAD = np.array([10.0, 800.0, 0.001]).reshape(3, 1, 1)


def weather(days: int = 400, shape: tuple[int, int] = (8, 16), start: str = "2003-12-01") -> xr.Dataset:
    """Random days (time, latitude, longitude) with known values, not a climate."""
    rows, columns = shape
    values = OFFSET + SPREAD * np.random.default_rng(7).normal(size=(days, 3, rows, columns))
    coords = {"time": pd.date_range(start, periods=days), "longitude": 360 / columns * np.arange(columns),
              "latitude": -90 + 180 / rows * (np.arange(rows) + 0.5)}
    data = {name: (("time", "latitude", "longitude"), values[:, c].astype("f4"), {"units": UNITS[c]})
            for c, name in enumerate(NAMES)}
    land = np.arange(rows * columns).reshape(shape) / (rows * columns)
    return xr.Dataset({**data, "land_sea_mask": (("latitude", "longitude"), land)}, coords)


def stacked(dataset: xr.Dataset) -> np.ndarray:
    return np.stack([dataset[name].values for name in NAMES], axis=1)


def experiment(data: Path | str, **changes) -> Experiment:
    settings = {"variables": NAMES, "level": 850, "days": None, "split": (0.6, 0.2),
                "downstream_split": (0.6, 0.2)}
    return Experiment(data=str(data), **{**settings, **changes})


@pytest.fixture
def save(tmp_path):
    def saving(dataset: xr.Dataset, name: str = "days.nc") -> Path:
        dataset.to_netcdf(tmp_path / name, engine="h5netcdf")
        return tmp_path / name

    return saving


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Record:
    path = tmp_path_factory.mktemp("record") / "days.nc"
    weather().to_netcdf(path, engine="h5netcdf")
    return load_record(experiment(path))


def test_training_days_have_mean_0_and_std_1(record):
    train = record.values[:240].double()  # 60 % of 400
    torch.testing.assert_close(train.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-6, rtol=0)
    torch.testing.assert_close(train.std((0, 2, 3), correction=0), torch.ones(3).double(), atol=1e-6, rtol=0)


def test_mean_and_std_are_numpys_over_the_training_days_only(record):
    train = stacked(weather())[:240].astype(np.float64)
    np.testing.assert_allclose(record.mean, train.mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(record.std, train.std((0, 2, 3)), rtol=1e-6)


def test_physical_gives_back_the_file_and_standardise_undoes_it(record):
    physical = record.physical(record.values)
    np.testing.assert_allclose(physical, stacked(weather()), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(record.standardise(physical), record.values, atol=1e-5, rtol=0)
    leads = record.values[:6].view(2, 3, 3, 8, 16)  # (samples, leads, C, H, W)
    torch.testing.assert_close(record.physical(leads)[1, 2], physical[5])


@pytest.mark.parametrize("change", ["scaled", "shuffled"])
def test_later_days_leak_into_nothing_that_training_sees(save, record, change):
    dataset = weather()
    for name in NAMES:
        later = dataset[name].values[240:]
        dataset[name][240:] = later * 1.05 if change == "scaled" else later[::-1]
    other = load_record(experiment(save(dataset)))
    assert torch.equal(other.mean, record.mean) and torch.equal(other.std, record.std)
    assert torch.equal(other.split("train").values, record.split("train").values)
    assert not torch.equal(other.split("validation").values, record.split("validation").values)
    assert other.fingerprint != record.fingerprint


@pytest.mark.parametrize("count, parts", [
    (23386, (14031, 4677, 4678, 2806, 935, 937)),
    (4014, (2408, 802, 804, 482, 160, 162)),
])
def test_split_has_the_papers_counts(count, parts):
    splits = split_days(count, (0.6, 0.2), (0.6, 0.2))
    assert tuple(splits) == ("train", "validation", "downstream", "downstream_train",
                             "downstream_validation", "downstream_test")
    assert tuple(map(len, splits.values())) == parts


def test_the_papers_split_falls_on_the_papers_dates():
    dates = pd.date_range("1959-01-01", "2023-01-10")
    splits = split_days(len(dates), (0.6, 0.2), (0.6, 0.2))
    assert dates[splits["train"][-1]] == pd.Timestamp("1997-05-31")
    assert dates[splits["downstream"][0]] == pd.Timestamp("2010-03-22")


@given(st.integers(30, 30000), st.tuples(st.integers(10, 45), st.integers(10, 45)))
def test_splits_partition_the_days_in_order(count, percent):
    first, second = percent
    splits = split_days(count, (first / 100, second / 100), (0.5, 0.25))
    whole = [*splits["train"], *splits["validation"], *splits["downstream"]]
    assert whole == list(range(count))
    inner = [day for part in ("train", "validation", "test") for day in splits[f"downstream_{part}"]]
    assert inner == list(splits["downstream"])
    # In whole numbers: floating point would lose a day at 29 % of 100.
    assert (len(splits["train"]), len(splits["validation"])) == (count * first // 100, count * second // 100)


def test_split_is_a_view_of_the_right_days(record):
    part = record.split("downstream_validation")
    assert torch.equal(part.values, record.values[320 + 48 : 320 + 64]) and part.observed.all()
    np.testing.assert_array_equal(part.dates, record.time[320 + 48 : 320 + 64])
    assert part.values.untyped_storage().data_ptr() == record.values.untyped_storage().data_ptr()
    with pytest.raises(DataError, match="no split 'test'; choose one of: train, validation"):
        record.split("test")


def test_coordinates_in_another_order_are_put_in_order(save, record):
    mixed = weather().isel(latitude=slice(None, None, -1)).roll(longitude=5, roll_coords=True)
    mixed = mixed.assign_coords(longitude=(mixed["longitude"].values + 180) % 360 - 180)
    other = load_record(experiment(save(mixed.transpose("longitude", "time", "latitude"))))
    assert torch.equal(other.values, record.values)
    np.testing.assert_array_equal(other.latitude, record.latitude)
    np.testing.assert_array_equal(other.longitude, record.longitude)
    np.testing.assert_array_equal(other.land_sea_mask, record.land_sea_mask)
    assert other.fingerprint == record.fingerprint


def test_channels_follow_the_experiments_variables(save, record):
    other = load_record(experiment(save(weather()), variables=NAMES[::-1]))
    assert other.variables == NAMES[::-1] and other.units == UNITS[::-1]
    assert torch.equal(other.values, record.values.flip(1)) and torch.equal(other.mean, record.mean.flip(0))


def test_days_takes_the_first_ones(save):
    other = load_record(experiment(save(weather()), days=100))
    assert other.values.shape[0] == other.time.size == 100 and other.time[-1] == np.datetime64("2004-03-09")
    np.testing.assert_allclose(
        other.mean, stacked(weather())[:60].astype(np.float64).mean((0, 2, 3)), rtol=1e-6)


def test_a_level_is_chosen_where_there_are_several(save, record):
    dataset = weather()
    upper = dataset[["geopotential"]] * 4
    upper["geopotential"].attrs["units"] = "m**2 s**-2"
    lower = dataset[["geopotential"]].assign_coords(level=850)
    dataset["geopotential"] = xr.concat([upper.assign_coords(level=500), lower], "level")["geopotential"]
    path = save(dataset)
    assert torch.equal(load_record(experiment(path)).values, record.values)
    above = load_record(experiment(path, level=500))
    np.testing.assert_allclose(above.mean[1], 4 * record.mean[1], rtol=1e-6)


def test_a_finer_grid_loads_too(save):
    dataset = weather(days=40, shape=(64, 128))
    other = load_record(experiment(save(dataset)))
    assert other.grid == (64, 128) and other.cell_area.shape == (64, 128)
    np.testing.assert_allclose(other.physical(other.values), stacked(dataset), rtol=1e-5, atol=1e-7)


def test_packed_integers_are_decoded(save):
    dataset = weather()
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768}
    dataset.to_netcdf(path := save(dataset), engine="h5netcdf", encoding={"2m_temperature": packing})
    other = load_record(experiment(path))
    expected = dataset["2m_temperature"].values
    np.testing.assert_allclose(other.physical(other.values)[:, 0], expected, atol=0.0051)


def test_day_of_year_and_season_agree_with_pandas(record):
    dates = pd.DatetimeIndex(record.time)
    assert (record.day_of_year == dates.day_of_year).all() and record.day_of_year.max() == 366
    names = {12: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 1, 6: 2, 7: 2, 8: 2, 9: 3, 10: 3, 11: 3}
    assert (record.season == [names[month] for month in dates.month]).all()
    before_1970 = dataclasses.replace(record, time=np.array(["1959-12-31"], dtype="M8[D]"))
    assert before_1970.day_of_year == [365] and before_1970.season == [0]


def test_cell_area_has_its_closed_form(record):
    edges = np.deg2rad(np.linspace(-90, 90, 9))
    expected = np.broadcast_to(8 * np.diff(np.sin(edges))[:, None] / 2, record.grid)
    np.testing.assert_allclose(record.cell_area, expected, rtol=1e-6)
    assert record.cell_area.dtype == torch.float32


def test_the_domain_of_daily_fields_on_a_globe(record):
    domain = record.domain
    assert domain.shape == record.grid and domain.periodic_x and domain.clock == Clock()
    torch.testing.assert_close(domain.area().float(), record.cell_area)


def test_to_moves_the_tensors_and_keeps_the_rest(record):
    moved = record.to("meta")
    assert moved.values.device.type == moved.mean.device.type == moved.std.device.type == "meta"
    assert moved.time is record.time and record.values.device.type == "cpu"


def test_fingerprint_repeats_and_sees_values_dates_and_names(save, record):
    assert load_record(experiment(save(weather()))).fingerprint == record.fingerprint
    later = load_record(experiment(save(weather(start="2003-12-02"))))
    assert torch.equal(later.values, record.values) and later.fingerprint != record.fingerprint
    other = weather()
    other["geopotential"][3] += 1
    assert load_record(experiment(save(other))).fingerprint != record.fingerprint
    assert dataclasses.replace(record, variables=("a", "b", "c")).fingerprint != record.fingerprint


def test_the_bundled_climate_loads_with_its_source():
    bundled = load_record(Experiment(data="bundled", days=1000))
    assert bundled.grid == (32, 64) and bundled.source == "simulated by JCM 3.0.0, not observed"
    warmth = bundled.physical(bundled.values)[:, 0] * bundled.cell_area
    assert warmth[:730].mean().item() == pytest.approx(287, abs=1)
    assert bundled.land_sea_mask is not None and 0.2 < bundled.land_sea_mask.mean() < 0.4


def test_importing_records_needs_no_storage_library():
    heavy = {"zarr", "gcsfs", "fsspec", "h5py"}
    code = f"import sys, sparta_core.data.record; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def at(dataset: xr.Dataset, name: str, day: int, value: float) -> xr.Dataset:
    dataset[name][day, 2, 3] = value
    return dataset


def units(dataset: xr.Dataset, name: str, written: dict[str, str]) -> xr.Dataset:
    dataset[name].attrs = written
    return dataset


def pick(*days: int):
    return lambda d: d.isel(time=list(days))


BAD = {
    "variable": (lambda d: d.drop_vars("geopotential"), {}, "has no geopotential; .*: 2m_temp.*, land_sea"),
    "units": (lambda d: units(d, "2m_temperature", {"units": "m"}), {},
              "2m_temperature in .* is in 'm'; convert it to 'K'"),
    "celsius": (lambda d: units(d, "2m_temperature", {"units": "degC"}), {},
                "2m_temperature in .* on 2003-12-01 .* reaches from .* to .*, beyond 160 to 345"),
    "orography": (lambda d: d.assign(geopotential=d["geopotential"].isel(time=0, drop=True)), {},
                  "geopotential in .* has no time, as that of the ground has none; give the geopotential at 850 hPa"),
    "misspelt": (lambda d: d.rename(specific_humidity="specific_humidty"), {},
                 r"has no specific_humidity \(is it specific_humidty\?\); choose among its variables: 2m_temp"),
    "from NCEP": (lambda d: d.rename(geopotential="hgt"), {}, "hgt in .* may be geopotential or geopotential_at_sur"
                  r"face, as it does not say where it is; rename it to what it is: dataset.rename\({'hgt': 'geopoten"),
    "no units": (lambda d: units(d, "geopotential", {}), {},
                 "geopotential in .* says no units; write 'm2 s-2'"),
    "unknown": (lambda d: d.assign(ozone=d["2m_temperature"].drop_attrs()), {"variables": ("ozone",)},
                "ozone in .* says no units; write its units"),
    "level": (lambda d: d.assign_attrs(level=500), {}, "holds level 500 hPa, not 850"),
    "nan": (lambda d: at(d, "geopotential", 390, np.nan), {},
            "geopotential in .* is NaN or infinite at 1 grid points on 2004-12-25"),
    "infinite": (lambda d: at(at(d, "2m_temperature", 9, np.inf), "2m_temperature", 4, -np.inf), {},
                 "2m_temperature in .* on 2003-12-05 and 1 more days"),
    "missing": (lambda d: d.drop_isel(time=[7, 20]), {}, "time in .* has no 2003-12-08 and 1 more days; fill the gaps"),
    "twice": (pick(*range(30), 29, 30), {}, "has 2003-12-30 more than once"),
    "back": (pick(*range(30), 5), {}, "goes back in time after 2003-12-30"),
    "few": (pick(*range(6)), {}, "the 6 days of .* leave none for downstream_validation"),
    "days": (lambda d: d, {"days": 401}, "has 400 days, fewer than days=401"),
    "dates": (lambda d: d.assign_coords(time=np.arange(400)), {}, "no coordinate time of dates"),
    "constant": (lambda d: d.assign(geopotential=d["geopotential"] * 0 + 12000).assign(
        geopotential=lambda e: e["geopotential"].assign_attrs(units="m2 s-2")), {},
                 "geopotential in .* is 12000 on all training days"),
    "far apart": (lambda d: d.assign_coords(time=d.time + np.arange(400) // 200 * np.timedelta64(999, "D")), {},
                  "lacks 999 of the days from 2003-12-01 to 2007-09-29, more than it has"),
    "dims": (lambda d: d.rename(latitude="y", longitude="x"), {}, "dimensions time, y, x; rename"),
    "static": (lambda d: d, {"variables": ("land_sea_mask",)},
               "land_sea_mask in .* dimensions latitude, longitude;"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_one_clear_sentence(save, case):
    change, settings, message = BAD[case]
    path = save(change(weather()), "bad.nc")
    with pytest.raises(DataError, match=message) as error:
        load_record(experiment(path, **settings))
    assert "bad.nc" in str(error.value) and "\n" not in str(error.value)


def test_the_bundled_climate_refuses_another_level_and_variable():
    with pytest.raises(DataError, match="the bundled climate holds level 850 hPa, not 500"):
        load_record(Experiment(data="bundled", level=500))
    with pytest.raises(DataError, match="the bundled climate has no ozone"):
        load_record(Experiment(data="bundled", variables=("ozone",)))


def test_a_path_that_does_not_exist_tells_how_to_make_one():
    message = r"no data at nowhere\.zarr; .* python -m sparta_core prepare --target nowhere\.zarr"
    with pytest.raises(DataError, match=message):
        load_record(experiment("nowhere.zarr"))


@pytest.mark.parametrize("name", ["text.nc", "empty.zarr"])
def test_a_file_of_another_kind_is_named(tmp_path, name):
    (tmp_path / "text.nc").write_text("not a NetCDF file")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(DataError, match=f"{name} is neither a Zarr store nor a NetCDF file") as error:
        load_record(experiment(tmp_path / name))
    assert "\n" not in str(error.value)


def converted(dataset: xr.Dataset, name: str, units: str, scale: float, offset: float = 0.0) -> xr.Dataset:
    """The variable as it is written in other units, of which K or Pa are `scale` times as many, plus `offset`."""
    return dataset.assign({name: ((dataset[name] - offset) / scale).assign_attrs(units=units)})


@pytest.mark.parametrize(("name", "units", "scale", "offset"), [
    ("2m_temperature", "degC", 1, 273.15), ("2m_temperature", "degrees_F", 5 / 9, 459.67 * 5 / 9),
    ("specific_humidity", "g/kg", 1e-3, 0), ("geopotential", "gpm", 9.80665, 0)])
def test_units_of_the_same_quantity_are_converted_and_said(save, record, name, units, scale, offset):
    with pytest.warns(UserWarning, match=rf"{name} in .*days.nc is in '{units}'; it is converted to ") as said:
        other = load_record(experiment(save(converted(weather(), name, units, scale, offset))))
    assert len(said) == 1 and other.units == UNITS
    torch.testing.assert_close(other.physical(other.values), record.physical(record.values), rtol=2e-6, atol=1e-9)


def test_units_that_say_the_same_are_no_news(save, record, recwarn):
    dataset = weather()
    for name, same in zip(NAMES, ("kelvin", "J kg**-1", "1"), strict=True):
        dataset[name].attrs["units"] = same
    other = load_record(experiment(save(dataset)))
    assert other.units == UNITS and other.fingerprint == record.fingerprint
    assert not [each for each in recwarn if issubclass(each.category, UserWarning)]


def test_a_second_variable_of_the_same_quantity_is_named(save, record):
    dataset = weather().assign(z=weather()["geopotential"], tas=weather()["2m_temperature"])
    with pytest.warns(UserWarning) as said:
        other = load_record(experiment(save(dataset)))
    assert [str(each.message).split("days.nc ")[1] for each in said] == [
        "has 2m_temperature and tas, which may be the same; only 2m_temperature is used",
        "has geopotential and z, which may be the same; only geopotential is used"]
    assert other.fingerprint == record.fingerprint


def test_roundings_of_the_pole_and_of_greenwich_are_the_pole_and_greenwich(save):
    rows, columns = np.linspace(-90, 90, 9), 22.5 * np.arange(16)
    dataset = weather(shape=(9, 16)).assign_coords(latitude=rows, longitude=columns)
    off = dataset.assign_coords(latitude=rows * (1 + 1e-9), longitude=np.where(columns == 0, -1e-10, columns))
    plain, other = (load_record(experiment(save(each))) for each in (dataset, off))
    assert other.longitude.tolist() == columns.tolist() and other.latitude[[0, -1]].tolist() == [-90, 90]
    assert torch.equal(plain.values, other.values)
