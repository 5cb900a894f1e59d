"""`python -m sparta_core prepare` and `audit`: what they make, say, and refuse."""

import numpy as np
import pytest
import xarray as xr

from sparta_core import __main__ as command
from sparta_core.data import bundled
from tests.conftest import made_up_weather
from tests.data.weatherbench import means_by_hand, remote, six_hourly, write


@pytest.fixture
def source(tmp_path) -> str:
    return write(remote(six_hourly()), tmp_path / "remote.zarr")


def test_prepare_makes_the_store_that_is_asked_for(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command.main(["prepare", "--source", source, "--years", "2000", "--variables", "geopotential", "--level", "500",
                  "--regrid", "45"])  # fmt: skip
    target = "data/era5_45.0deg.zarr"
    assert f"{target} is ready: python -m sparta_core --data {target}" in capsys.readouterr().out
    expected = means_by_hand(six_hourly(), 500, 0, 7)["geopotential"][3:]
    np.testing.assert_allclose(xr.open_zarr(tmp_path / target)["geopotential"], expected, rtol=1e-6)


def test_a_day_that_is_left_out_is_said_in_one_line(tmp_path, capsys):
    store = write(remote(six_hourly()[1:]), tmp_path / "late.zarr")
    command.main(["prepare", "--source", store, "--target", str(tmp_path / "days.zarr")])
    day = six_hourly()[0].astype("datetime64[D]")
    assert capsys.readouterr().err == f"Warning: {day} has 3 fields in {store}, not 4 in equal steps; it is left out\n"


def test_audit_says_what_is_in_the_bundled_climate(capsys):
    command.main(["audit", "bundled"])
    said = capsys.readouterr().out
    assert said.startswith("4014 days from 2001-01-01 to 2011-12-28, 32 x 64 grid points: simulated by JCM")
    row = next(line.split() for line in said.splitlines() if line.startswith("2m_temperature"))
    values = xr.load_dataset(bundled.path())["2m_temperature"].values.astype(np.float32)
    expected = [values.min(), values.max(), values.mean(dtype="f8"), values.std(dtype="f8")]
    np.testing.assert_allclose([float(word) for word in row[2:6]], expected, rtol=1e-5)
    assert row[1] == "K" and said.endswith("nothing is wrong or odd\n")


def test_audit_tells_of_a_region(tmp_path, capsys):
    region = made_up_weather(days=100).assign_coords(longitude=-20 + 2.5 * np.arange(32))
    region.to_netcdf(tmp_path / "region.nc", engine="h5netcdf")
    command.main(["audit", "--data", str(tmp_path / "region.nc"), "--gaps", "false"])
    assert capsys.readouterr().out.startswith("100 days from 2001-01-01 to 2001-04-10, 16 x 32 grid points")


def test_audit_ends_with_1_where_something_is_wrong(tmp_path, capsys):
    days = made_up_weather(days=100)
    days["geopotential"][7, 1, 1] = np.nan
    days["2m_temperature"][8] = days["2m_temperature"][7]
    days.drop_isel(time=50).to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    with pytest.raises(SystemExit) as ended:
        command.main(["audit", str(tmp_path / "days.nc")])
    findings = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("error", "warning"))]
    assert ended.value.code == 1
    assert [line.split(" on ")[0] for line in findings if "mean" not in line and "std" not in line] == [
        "error: time has no 2001-02-20; fill the gaps, or declare them with gaps=True",
        "warning: 2m_temperature", "error: geopotential is NaN or infinite at 1 grid points"]
    assert [line.endswith("2001-01-08, number for number") for line in findings if "number for" in line] == [True]


@pytest.mark.parametrize(("words", "said"), [
    (["prepare", "--source", "SOURCE", "--years", "1990-1991", "--target", "x.zarr"], "has the years 1999 to 2000"),
    (["prepare", "--source", "SOURCE", "--regrid", "7", "--target", "x.zarr"], "does not fit between the poles"),
    (["prepare", "--source", "nowhere", "--target", "x.zarr"], "cannot open nowhere as a Zarr store"),
    (["prepare", "--source", "SOURCE", "--target", ""], "'.' is no name of a store; name the folder"),
    (["simulate", "--target", ""], "'.' is no name of a store; name the folder"),
    (["audit", "nowhere.nc"], "there is no data at nowhere.nc"),
    (["audit", "--data", "nowhere.nc"], "there is no data at nowhere.nc"),
    (["audit"], "say which days, once: "), (["audit", "--data", "one.nc", "two.nc"], "say which days, once: "),
    (["simulate", "--years", "0"], "0 years cannot be simulated; choose a whole number"),
])
def test_what_cannot_be_done_is_one_sentence(source, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=said) as ended:
        command.main([source if word == "SOURCE" else word for word in words])
    assert "\n" not in str(ended.value) and not (tmp_path / "x.zarr").exists()


@pytest.mark.parametrize("years", ["59", "1959-", "1959:2022", "then", "2022-1959", ""])
def test_years_are_one_or_two(years):
    with pytest.raises(SystemExit, match=f"^years is '{years}'; it must be a year, or the first and the last with a"):
        command.main(["prepare", "--years", years])
