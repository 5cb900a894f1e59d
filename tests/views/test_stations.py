"""Stations on a grid, against distances on the sphere and means taken one by one."""

import numpy as np
import pandas as pd
import pytest

from sparta_core.errors import DataError
from sparta_core.views.stations import gridded_stations, nearest_points, read_stations
from tests.globe import axes

GRID = (16, 32)
LAT, LON = axes(*GRID)
DAYS = ["2001-01-01", "2001-01-02", "2001-01-04"]
NAMES, UNITS = ("2m_temperature", "geopotential"), ("K", "m2 s-2")


@pytest.fixture
def table():
    """Reports of eighty random places on three days, some of them without a temperature."""
    rng = np.random.default_rng(1)
    lat, lon = np.rad2deg(np.arcsin(rng.uniform(-1, 1, 80))), rng.uniform(-180, 180, 80)
    made = pd.concat([pd.DataFrame({"time": day, "lat": lat, "lon": lon, "2m_temperature": rng.normal(280, 9, 80)})
                      for day in DAYS], ignore_index=True)  # fmt: skip
    made.loc[::7, "2m_temperature"] = np.nan
    return made


def saved(table, tmp_path):
    table.to_csv(tmp_path / "stations.csv", index=False)
    return str(tmp_path / "stations.csv")


def nearest_by_haversine(lat, lon):
    """Row and column of the nearest grid point."""
    la, lo = np.meshgrid(np.deg2rad(LAT), np.deg2rad(LON), indexing="ij")
    a, o = np.deg2rad(lat), np.deg2rad(lon)
    haversine = np.sin((la - a) / 2) ** 2 + np.cos(la) * np.cos(a) * np.sin((lo - o) / 2) ** 2
    return np.unravel_index(haversine.argmin(), GRID)


def test_stations_belong_to_the_nearest_grid_points(table):
    found = np.unravel_index(nearest_points(table, LAT, LON), GRID)
    expected = [nearest_by_haversine(lat, lon) for lat, lon in zip(table["lat"], table["lon"], strict=True)]
    np.testing.assert_array_equal(np.transpose(found), expected)


def test_what_stations_measured_is_their_mean_at_the_nearest_grid_point(table, tmp_path):
    made = gridded_stations(saved(table, tmp_path), LAT, LON, NAMES, UNITS)
    expected: dict[tuple, list] = {}
    for _, row in table.dropna().iterrows():
        place = (DAYS.index(row["time"]), *nearest_by_haversine(row["lat"], row["lon"]))
        expected.setdefault(place, []).append(row["2m_temperature"])
    field = made["2m_temperature"]
    assert field.dims == ("time", "latitude", "longitude") and field.attrs["units"] == "K"
    assert int(field.notnull().sum()) == len(expected) and max(map(len, expected.values())) > 1
    for place, values in expected.items():
        assert float(field.values[place]) == pytest.approx(np.mean(values), rel=1e-12)
    np.testing.assert_array_equal(made["time"], np.array(DAYS, "M8[ns]"))


def test_without_times_it_is_one_moment(table, tmp_path):
    one = table[table["time"] == "2001-01-02"].drop(columns="time")
    made = gridded_stations(saved(one, tmp_path), LAT, LON, NAMES, UNITS)["2m_temperature"]
    assert made.dims == ("latitude", "longitude") and set(made.coords) == {"latitude", "longitude"}
    row, column = nearest_by_haversine(*one.dropna().iloc[0][["lat", "lon"]].astype(float))
    there = [nearest_by_haversine(lat, lon) == (row, column) for lat, lon in zip(one["lat"], one["lon"], strict=True)]
    assert float(made[row, column]) == pytest.approx(one[there]["2m_temperature"].mean())


@pytest.mark.parametrize("text, message", [
    ("lat,lon\n", "has no stations"), ("lat,name\n1,2\n", "has no lon; it needs"),
    ("lat,lon\n1,2\n95,3\n", r"lat in line 3 of .*bad.csv is .*95"), ("lat,lon\n,3\n", "lat in line 2"),
    ("lat,lon\n1,east\n", "lon in line 2 of .* is 'east'"),
    ("", "cannot read the stations"), ('lat,lon\n"1,2\n', "cannot read the stations")])
def test_bad_station_lists_are_one_sentence(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read_stations(str(tmp_path / "bad.csv"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("row, message", [
    ("1,2,2001-01-01,warm", "2m_temperature in line 2 of .* is 'warm'; write it as a number"),
    ("1,2,2001-01-01,inf", "2m_temperature in line 2"), ("1,2,once,280", "time in line 2 of .* is 'once'; write it")])
def test_bad_measurements_are_one_sentence(tmp_path, row, message):
    (tmp_path / "bad.csv").write_text(f"lat,lon,time,2m_temperature\n{row}\n")
    with pytest.raises(DataError, match=message):
        gridded_stations(str(tmp_path / "bad.csv"), LAT, LON, NAMES, UNITS)


def test_measurements_of_nothing_known_are_one_sentence(tmp_path):
    (tmp_path / "bad.csv").write_text("lat,lon,rain\n1,2,3\n")
    with pytest.raises(DataError, match="has none of the columns 2m_temperature, geopotential"):
        gridded_stations(str(tmp_path / "bad.csv"), LAT, LON, NAMES, UNITS)
