"""Sources as they are opened: GRIB files that eccodes writes here, and what is said where they cannot be read."""

import sys
import warnings

import numpy as np
import pytest
import xarray as xr

from sparta_core.data import grid
from sparta_core.data.record import load_record
from sparta_core.data.sources import opened
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment

DAYS, ROWS, COLUMNS = 30, 8, 16
# Short names, levels and what they hold: values around the first number.
MESSAGES = {("2t", "", 2): 280.0, ("10u", "", 10): 3.0, ("msl", "", 0): 1.01e5, ("z", "surface", 0): 2000.0,
            ("t", "surface", 0): 290.0, ("gh", "isobaricInhPa", 500): 5500.0, ("gh", "isobaricInhPa", 850): 1450.0,
            ("t", "isobaricInhPa", 850): 275.0}  # fmt: skip
NAMES = ("2m_temperature", "10m_u_component_of_wind", "mean_sea_level_pressure", "geopotential", "geopotential_500",
         "temperature")  # fmt: skip
FACTORS = {"geopotential": 9.80665, "geopotential_500": 9.80665}
KEYS = {"2m_temperature": ("2t", "", 2), "10m_u_component_of_wind": ("10u", "", 10), "mean_sea_level_pressure": (
    "msl", "", 0), "geopotential": ("gh", "isobaricInhPa", 850), "geopotential_500": ("gh", "isobaricInhPa", 500),
    "temperature": ("t", "isobaricInhPa", 850)}  # fmt: skip
eccodes = pytest.importorskip("eccodes", reason="GRIB takes the extra grib: pip install -e '.[grib]'")


def fields():
    random = np.random.default_rng(0)
    return {key: mean * (1 + 0.01 * random.normal(size=(DAYS, ROWS, COLUMNS))) for key, mean in MESSAGES.items()}


def write(path, edition, members=1):
    """Messages as weather services write them: from the north, one field after the other."""
    values = fields()
    with open(path, "wb") as file:
        for day in range(DAYS):
            for (name, kind, level), field in values.items():
                for member in range(members):
                    message = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
                    settings = {
                        "Ni": COLUMNS, "Nj": ROWS, "latitudeOfFirstGridPointInDegrees": 78.75,
                        "latitudeOfLastGridPointInDegrees": -78.75, "longitudeOfFirstGridPointInDegrees": 0.0,
                        "longitudeOfLastGridPointInDegrees": 337.5, "iDirectionIncrementInDegrees": 22.5,
                        "jDirectionIncrementInDegrees": 22.5, "dataDate": 20010101 + day, "dataTime": 0,
                        "shortName": name, **({"typeOfLevel": kind} if kind else {}), "level": level,
                        "bitsPerValue": 24,
                    }  # fmt: skip
                    for key, value in settings.items():
                        eccodes.codes_set(message, key, value)
                    eccodes.codes_set_values(message, (field[day] + member).ravel())
                    eccodes.codes_write(message, file)
                    eccodes.codes_release(message)
    return path


@pytest.mark.parametrize("edition, name", [(1, "days.grib"), (2, "days.grb2"), (2, "days")])
def test_grib_files_are_read_with_levels_and_heights_apart(tmp_path, edition, name):
    path = write(tmp_path / name, edition)
    with warnings.catch_warnings(record=True) as caught, opened(str(path)) as dataset:
        warnings.simplefilter("always")
        chosen = grid.ordered(grid.select(grid.named(dataset), NAMES, 850, "here"), "here").load()
    values = fields()
    for variable, key in KEYS.items():
        expected = values[key][:, ::-1] * FACTORS.get(variable, 1)
        np.testing.assert_allclose(chosen[variable], expected, rtol=1e-5)
    assert chosen["geopotential_500"].attrs["units"] == "m2 s-2"
    assert (chosen["time"].values == np.datetime64("2001-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")).all()
    said = [str(each.message) for each in caught if each.category is UserWarning]
    assert len(said) == 1 and "geopotential in here is in 'gpm'; it is converted" in said[0]
    assert [each.name for each in tmp_path.iterdir()] == [name]  # no index beside it


@pytest.mark.filterwarnings("ignore")
def test_a_model_is_trained_on_grib(tmp_path):
    path = write(tmp_path / "days.grib", 2)
    record = load_record(Experiment(data=str(path), variables=NAMES, split=(0.5, 0.2), downstream_split=(0.4, 0.3)))
    physical = record.physical(record.values).numpy()
    for channel, name in enumerate(NAMES):
        expected = fields()[KEYS[name]][:, ::-1] * FACTORS.get(name, 1)
        np.testing.assert_allclose(physical[:, channel], expected, rtol=1e-4)


def test_without_cfgrib_a_grib_file_is_asked_for_otherwise(tmp_path, monkeypatch):
    path = write(tmp_path / "days.grib", 2)
    monkeypatch.setitem(sys.modules, "cfgrib", None)
    with pytest.raises(DataError, match=r"is a GRIB file, which needs cfgrib; pip install 'sparta-core\[grib\]'"):
        opened(str(path))


@pytest.mark.filterwarnings("ignore")
def test_a_grib_file_that_is_cut_short_is_named(tmp_path):
    (tmp_path / "cut.grib").write_bytes(b"GRIB" + bytes(64))
    with pytest.raises(DataError, match=r"cut.grib .*; make it again$") as error:
        opened(str(tmp_path / "cut.grib"))
    assert "\n" not in str(error.value)


def test_netcdf_and_zarr_are_opened_as_they_are(tmp_path):
    days = xr.Dataset({"x": ("time", [1.0, 2])}, {"time": [0, 1]})
    days.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    days.to_zarr(tmp_path / "days.zarr", consolidated=False)
    for name in ("days.nc", "days.zarr"):
        with opened(str(tmp_path / name)) as made:
            xr.testing.assert_equal(made, days)
