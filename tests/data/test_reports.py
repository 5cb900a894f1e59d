"""What stations reported, against means taken one by one."""

import warnings

import numpy as np
import pandas as pd
import pytest

from sparta_core.data.plausible import Known
from sparta_core.data.reports import gridded_reports
from sparta_core.errors import DataError
from tests.data.test_stations import GRID, LAT, LON, nearest_by_haversine
from tests.globe import axes

DAYS = ["2001-01-01", "2001-01-02", "2001-01-04"]
NAMES, UNITS = ("2m_temperature", "geopotential"), ("K", "m2 s-2")
LOW, HIGH, STD = (np.array(values, float) for values in ((230, 12000), (310, 14000), (20, 1000)))


@pytest.fixture
def known():
    """Training days that reached from 230 to 310 K and from 12,000 to 14,000 m2 s-2 everywhere."""
    low, high = (np.broadcast_to(edge[:, None, None], (2, *GRID)) for edge in (LOW, HIGH))
    return Known(*axes(*GRID), NAMES, UNITS, low, high, STD)


@pytest.fixture
def table():
    """Reports of eighty random places on three days, some of them without a temperature."""
    rng = np.random.default_rng(1)
    lat, lon = np.rad2deg(np.arcsin(rng.uniform(-1, 1, 80))), rng.uniform(-180, 180, 80)
    made = pd.concat([pd.DataFrame({"time": day, "lat": lat, "lon": lon, "2m_temperature": rng.normal(280, 9, 80)})
                      for day in DAYS], ignore_index=True)  # fmt: skip
    made.loc[::7, "2m_temperature"] = np.nan
    return made


@pytest.fixture
def write(tmp_path):
    def written(text):
        (tmp_path / "stations.csv").write_text(text if isinstance(text, str) else text.to_csv(index=False))
        return str(tmp_path / "stations.csv")

    return written


def test_the_grid_is_that_of_the_places():
    assert LAT.size, LON.size == GRID


def test_what_stations_measured_is_their_mean_at_the_nearest_grid_point(table, write, known):
    made = gridded_reports(write(table), known)
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


def test_a_dataframe_is_the_csv_that_it_would_write(table, write, known):
    from_csv = gridded_reports(write(table), known)
    aware = table.assign(time=pd.to_datetime(table["time"]).dt.tz_localize("UTC")).set_index(["time", "lat", "lon"])
    for same in (table, table.assign(time=pd.to_datetime(table["time"])), aware):
        assert gridded_reports(same, known).identical(from_csv)


def test_without_times_it_is_one_moment(table, write, known):
    one = table[table["time"] == "2001-01-02"].drop(columns="time")
    made = gridded_reports(write(one), known)["2m_temperature"]
    assert made.dims == ("latitude", "longitude") and set(made.coords) == {"latitude", "longitude"}
    row, column = nearest_by_haversine(*one.dropna().iloc[0][["lat", "lon"]].astype(float))
    there = [nearest_by_haversine(lat, lon) == (row, column) for lat, lon in zip(one["lat"], one["lon"], strict=True)]
    assert float(made[row, column]) == pytest.approx(one[there]["2m_temperature"].mean())


def hourly(values, lat=48.0, lon=2.0, start="2002-08-24T00:00:00Z"):
    times = pd.date_range(start, periods=len(values), freq="h").strftime("%Y-%m-%dT%H:%M:%SZ")
    return pd.DataFrame({"time": times, "lat": lat, "lon": lon, "2m_temperature": values})


def test_reports_of_every_hour_are_a_daily_mean_and_said(write, known):
    hours = 280 + np.arange(24.0)
    with pytest.warns(UserWarning, match="has 24 moments a date, 24 on 1 date; their mean is taken for the daily"):
        made = gridded_reports(write(hourly(hours)), known)
    np.testing.assert_array_equal(made["time"], [np.datetime64("2002-08-24")])
    assert float(made["2m_temperature"].max()) == pytest.approx(hours.mean())


def test_every_station_counts_as_much_however_often_it_reports(write, known):
    often, once = hourly([280.0, 284, np.nan]), hourly([300.0], lat=48.5, lon=2.5)
    with pytest.warns(UserWarning, match="moments a date"):
        made = gridded_reports(write(pd.concat([often, once])), known)
    assert float(made["2m_temperature"].max()) == pytest.approx((282 + 300) / 2)


def test_a_report_in_the_morning_is_said_and_offsets_are_utc(known):
    with pytest.warns(UserWarning, match="each date of the table has one moment, at 22:00 UTC"):
        made = gridded_reports(hourly([280.0]).assign(time="2002-08-24T00:00+02:00"), known)
    np.testing.assert_array_equal(made["time"], [np.datetime64("2002-08-23")])


BAD = {
    "a word": ("lat,lon,time,2m_temperature\n\n1,2,2001-01-01,warm", "2m_temperature in line 3 of .* is 'warm'; write"),
    "infinite": ("lat,lon,time,2m_temperature\n1,2,2001-01-01,inf", "2m_temperature in line 2"),
    "time": ("lat,lon,time,2m_temperature\n\n1,2,once,280", "time in line 3 of .* is 'once'; write it as 2001-12-31"),
    "nothing known": ("lat,lon,rain\n1,2,3", "has none of the columns 2m_temperature, geopotential"),
    "nothing measured": ("lat,lon,2m_temperature\n1,2,\n3,4,NA", "has no value of 2m_temperature in any row"),
    "no time": ("lat,lon,2m_temperature\n1,2,280\n\n1,2,281",
                "has no column time, and several reports of one place, the second in line 4; add their times"),
    **{name: (f"lat,lon,{name},2m_temperature\n1,2,2001-01-01,280\n1,2,2001-01-02,281",
              f"has no time, but '{name}', which nothing uses; rename it to time")
       for name in ("date", "datetime", "Time", "timestamp", "valid_time", "Date")},
    **{name: (f"lat,lon,2m_temperature,{name}\n1,2,280,13000", f"has no geopotential, but '{name}', .* to geopotential")
       for name in ("geopotental", "Geopotential", "z", "zg")},
    "height": ("lat,lon,geopotential\n1,2,1400", "geopotential of .* is 1400 in line 2, where the training days reach "
               "from 12000 to 14000; it looks like geopotential height in m: multiply it by 9.80665"),
    "celsius": ("lat,lon,2m_temperature\n1,2,7", "is 7 in line 2, .*; it looks like degrees Celsius: add 273.15"),
    "fahrenheit": ("lat,lon,2m_temperature\n1,2,45", "degrees Fahrenheit: multiply it by 0.555556 and add 255.372"),
    "500 hPa": ("lat,lon,geopotential\n1,2,54000", "54000 in line 2, .*; check its units, level and quantity"),
    "a code": ("lat,lon,2m_temperature\n1,2,280\n\n3,4,-9999",
               "2m_temperature of .* is -9999 in line 4, which looks like a code for 'missing'; set it to NaN"),
    "codes": ("lat,lon,geopotential\n1,2,13000\n3,4,9999\n5,6,9999", "is 9999 in 2 places, first in line 3, which"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_reports_are_one_sentence(write, known, case):
    text, message = BAD[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match=message) as error:
            gridded_reports(write(text), known)
    assert "\n" not in str(error.value) and "np." not in str(error.value)


def test_columns_that_nothing_uses_are_named(write, known):
    with pytest.warns(UserWarning, match=r"^nothing uses the columns 'elevation', 'name' of .*; what is used is 2m_te"):
        gridded_reports(write("lat,lon,name,elevation,2m_temperature\n1,2,a,250,280"), known)


def test_a_name_is_no_misspelling_of_one_that_is_there(write, known):
    with pytest.warns(UserWarning, match="nothing uses the columns 'geopotental'"):
        gridded_reports(write("lat,lon,geopotential,geopotental\n1,2,13000,13000"), known)
