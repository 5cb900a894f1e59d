"""Axes of others: times of forecasts, grids with 2-D coordinates, members, and what is asked for."""

import numpy as np
import pytest
import xarray as xr

from sparta_core.data import grid
from sparta_core.data.times import of_fields
from sparta_core.errors import DataError

TIME = np.datetime64("2001-01-01", "ns") + np.arange(4) * np.timedelta64(1, "D")
VALUES = 280 + np.random.default_rng(0).normal(size=(4, 3, 5))
NORTH = 30 + np.arange(3)[:, None] * 0.5 + 0.01 * np.arange(5)  # of a projection
EAST = 10 + np.arange(5) * 0.5 + 0.02 * np.arange(3)[:, None]


def wrf(coordinates):
    """WRF: capital names, coordinates for every time, as fields or coordinates, and times as text or numbers."""
    dims = ("Time", "south_north", "west_east")
    suffix = "_M" if coordinates == "geogrid" else ""
    made = xr.Dataset({"T2": (dims, VALUES, {"units": "K", "description": "TEMP at 2 M"}),
                       "T": (("Time", "bottom_top", *dims[1:]), VALUES[:, None], {
                           "units": "K", "description": "perturbation potential temperature (theta-t0)"}),
                       f"XLAT{suffix}": (dims, np.broadcast_to(NORTH, VALUES.shape)),
                       f"XLONG{suffix}": (dims, np.broadcast_to(EAST, VALUES.shape))})  # fmt: skip
    if coordinates == "xtime":
        return made.set_coords(["XLAT", "XLONG"]).assign_coords(XTIME=("Time", TIME))
    return made.assign(Times=("Time", [f"{str(time)[:10]}_00:00:00" for time in TIME.astype("M8[D]")]))


def rotated(**_):
    """CORDEX: a rotated pole, whose own coordinates are no latitudes."""
    grid_north = ("rlat", np.arange(3) * 0.5, {"standard_name": "grid_latitude", "units": "degrees", "axis": "Y"})
    grid_east = ("rlon", np.arange(5) * 0.5, {"standard_name": "grid_longitude", "units": "degrees", "axis": "X"})
    return xr.Dataset(
        {"tas": (("time", "rlat", "rlon"), VALUES, {"units": "K"}), "rotated_pole": ((), 0)},
        {"time": TIME, "rlat": grid_north, "rlon": grid_east, "lat": (("rlat", "rlon"), NORTH),
         "lon": (("rlat", "rlon"), EAST), "height": 2.0})  # fmt: skip


def ocean():
    """NEMO's names, on a grid whose dimensions lie the other way round."""
    return xr.Dataset({"tos": (("time_counter", "x", "y"), VALUES.swapaxes(1, 2) - 273.15, {"units": "degC"})},
                      {"time_counter": TIME, "nav_lat": (("x", "y"), NORTH.T), "nav_lon": (("x", "y"), EAST.T)})


@pytest.mark.filterwarnings("ignore:sea_surface_temperature")
@pytest.mark.parametrize("dataset, name", [
    (wrf("fields"), "2m_temperature"), (wrf("geogrid"), "2m_temperature"), (wrf("xtime"), "2m_temperature"),
    (rotated(), "2m_temperature"), (ocean(), "sea_surface_temperature")])  # fmt: skip
def test_grids_with_2d_coordinates_are_along_y_and_x(dataset, name, tmp_path):
    dataset.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "days.nc") as opened:
        named = grid.named(opened)
        made = grid.select(named, [name], 850, "here").load()
        moments = of_fields(named, "here").moments
    assert {*made[name].dims} == {"time", "y", "x"} and "temperature" not in named
    np.testing.assert_allclose(made[name].transpose("time", "y", "x"), VALUES, rtol=1e-6)
    for axis, expected in (("latitude", NORTH), ("longitude", EAST)):
        assert made[axis].dims == ("y", "x")
        np.testing.assert_array_equal(made[axis], expected)
    assert (moments == TIME.astype("M8[us]")).all()


def test_a_grid_that_moves_is_refused():
    moving = wrf("fields")
    moving["XLAT"] = moving["XLAT"] + xr.DataArray(np.arange(4.0), dims="Time")
    with pytest.raises(DataError, match="the grid moves: latitude changes with Time; select the times of one grid"):
        grid.named(moving)


def forecasts(**coords):
    dims = ("time", "step", "latitude", "longitude")
    return xr.Dataset({"t2m": (dims, np.arange(2 * 2 * 2 * 4.0).reshape(2, 2, 2, 4) + 280, {"units": "K"})}, {
        "latitude": [-45.0, 45], "longitude": [0.0, 90, 180, 270], **coords})  # fmt: skip


def test_forecasts_that_do_not_overlap_are_a_series_and_others_are_asked_for():
    """ERA5's accumulations in GRIB: twelve hours from each of two analyses a day."""
    day = np.timedelta64(1, "D")
    days = forecasts(time=TIME[::2][:2], step=[0 * day, day])
    made = grid.named(days)
    assert (made["time"].values == TIME).all()
    fields = made["2m_temperature"].transpose(*grid.DIMENSIONS)
    np.testing.assert_array_equal(fields.values.ravel(), days["t2m"].values.ravel())
    with pytest.raises(DataError, match="of several steps, time and step, are valid at the same times; select one"):
        grid.named(forecasts(time=TIME[:2], step=[0 * day, day]))


@pytest.mark.parametrize("step", [
    np.timedelta64(24, "h"), xr.DataArray(24, attrs={"units": "hours"}), xr.DataArray(1.0, attrs={"units": "days"})])
def test_time_is_when_a_forecast_is_valid(step):
    days = forecasts(time=TIME[:2]).isel(step=0).assign_coords(step=step)
    assert (grid.named(days)["time"].values == TIME[1:3]).all()
    one = days.isel(time=0)
    assert grid.named(one)["time"].values == TIME[1]


def test_copernicus_forecasts_have_periods_and_reference_times():
    days = forecasts(time=TIME[:2]).isel(step=[0]).rename(time="forecast_reference_time", step="forecast_period")
    valid = (("forecast_period", "forecast_reference_time"), TIME[None, 1:3])
    made = grid.named(days.assign_coords(forecast_period=[24.0], valid_time=valid))
    assert (made["time"].values == TIME[1:3]).all() and made["2m_temperature"].dims == grid.DIMENSIONS


def test_time_that_says_when_it_is_valid_stays_beside_a_forecast_period():
    """As Iris and CMOR write it."""
    days = forecasts(time=TIME[:2]).isel(step=0).assign_coords(
        forecast_period=("time", [24.0, 48.0], {"units": "hours"}), forecast_reference_time=TIME[0])  # fmt: skip
    assert (grid.named(days)["time"].values == TIME[:2]).all()


def test_days_in_numbers_are_dates():
    numbers = ("time", [20010101.0, 20010102.0], {"units": "day as %Y%m%d.%f"})
    days = forecasts().isel(step=0).assign_coords(time=numbers)
    assert (grid.named(days)["time"].values == TIME[:2]).all()


@pytest.mark.parametrize("dim", ["number", "ensemble", "member", "realization", "member_id", "ens"])
def test_members_are_along_number_and_one_is_asked_for(dim):
    days = forecasts(time=TIME[:2]).isel(step=0).expand_dims({dim: [3, 7]})
    made = grid.named(days)
    assert made["number"].values.tolist() == [3, 7]
    with pytest.raises(DataError, match="has 2 members along the dimension number; select one: "):
        grid.select(made, ["2m_temperature"], 850, "here")
    both = grid.select(made, ["2m_temperature"], 850, "here", members=True)
    assert both.sizes["number"] == 2
    alone = grid.select(grid.named(days.isel({dim: [0]})), ["2m_temperature"], 850, "here")
    assert {*alone["2m_temperature"].dims} == {*grid.DIMENSIONS}
