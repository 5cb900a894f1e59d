"""What stations reported, against means taken one by one."""

import dataclasses
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from sparta_core.data.domain import Domain
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
    return Known(Domain(*axes(*GRID)), NAMES, UNITS, low, high, STD)


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
    "misspelt": ("lat,lon,2m_temperature,geopotental\n1,2,280,13000",
                 "has no geopotential, but 'geopotental', .* to geopotential"),
    "month or day": ("lat,lon,date,2m_temperature\n1,2,01/02/2001,280\n1,2,03/04/2001,281",
                     "the date '01/02/2001' of .* may be day first or month first, and no other row tells; write it"),
    "month and day": ("lat,lon,date,2m_temperature\n1,2,31/12/2001,280\n1,2,12/30/2001,281",
                      "the dates '31/12/2001' and '12/30/2001' of .* are day first and month first; write all as"),
    "no day": ("lat,lon,date,2m_temperature\n1,2,30.02.2001,280", "date in line 2 of .* is '30.02.2001'; write it as"),
    "now": ("lat,lon,time,2m_temperature\n1,2,now,280", "time in line 2 of .* is 'now'; write it as 2001-12-31"),
    "an hour": ("lat,lon,date,hour,2m_temperature\n1,2,2001-12-31,25,280", "hour in line 2 of .* is '25'; write it as"),
    "local time": ("lat,lon,local time,2m_temperature\n1,2,2001-12-31 06:00,280", "are in 'local', and which zone"),
    "a zone": ("lat,lon,time,tz,t2m\n1,2,2001-12-31 06:00,Mars,280", "tz in line 2 of .* is 'Mars'; write it as"),
    "other units": ("lat,lon,2m_temperature [m]\n1,2,280", "2m_temperature of .* is in 'm'; convert it to 'K'"),
    "two names": ("lat,lon,t2m,tas\n1,2,280,281", "has the columns t2m and tas; keep one"),
    "two dates": ("lat,lon,date,timestamp,2m_temperature\n1,2,2001-12-31,2001-12-31,280", "both of dates; keep one"),
    "only codes": ("lat,lon,2m_temperature\n1,2,-9999\n3,4,-9999", "has no value of 2m_temperature in any row"),
    "far away": ("lat,lon,2m_temperature\n1,2,280\n\n3,4,-1234", "is -1234 in line 4, .*; check its units"),
    "height": ("lat,lon,geopotential\n1,2,1400", "geopotential of .* is 1400 in line 2, where the training days reach "
               "from 12000 to 14000; it looks like geopotential height in m: multiply it by 9.80665"),
    "celsius": ("lat,lon,2m_temperature\n1,2,7", "is 7 in line 2, .*; it looks like degrees Celsius: add 273.15"),
    "fahrenheit": ("lat,lon,2m_temperature\n1,2,45", "degrees Fahrenheit: multiply it by 0.555556 and add 255.372"),
    "500 hPa": ("lat,lon,geopotential\n1,2,54000", "54000 in line 2, .*; check its units, level and quantity"),
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


KELVIN = 280.5
SAME = {
    "a name": "lat,lon,t2m\n50.5,8.25,280.5", "units": "lat,lon,t2m [degC]\n50.5,8.25,7.35",
    "a label": "lat,lon,Temperature (°C)\n50.5,8.25,7.35", "a suffix": "lat_deg,Lon.,temp_c\n50.5,8.25,7.35",
    "a quotient": "lat,lon,T / °C\n50.5,8.25,7.35", "a standard name": "lat,lon,air_temperature\n50.5,8.25,280.5",
    "a height": "lat,lon,Air temperature (2 m) [K]\n50.5,8.25,280.5", "Fahrenheit": "lat,lon,tas_degF\n50.5,8.25,45.23",
    "a row of units": "lat,lon,t2m\ndeg,deg,degC\n50.5,8.25,7.35", "decimal commas": "lat;lon;t2m\n50,5;8,25;280,5",
    "quotes": 'name,lat,lon,t2m\n"Zürich, Kloten","50,5","8,25","280,5"',
    "west": "lat,lon,t2m\n50.5,351.75,280.5", "west by its sign": "lat,lon,t2m\n50.5,-8.25,280.5",
    "words above": "Report, by the office\nMade: 2001\n\nlat,lon,t2m\n50.5,8.25,280.5",
    "codes": "lat,lon,t2m\n50.5,8.25,280.5\n1,2,-9999\n3,4,-999.9\n5,6,-9999.0\n7,8,///",
    "codes in Celsius": "lat;lon;t2m [°C]\n50,5;8,25;7,35\n1;2;-99,9",
    "another name beside it": "lat,lon,2m_temperature,t2m_max,dewpoint temperature\n50.5,8.25,280.5,290,270",
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_one_temperature_is_read_however_it_is_written(write, known, case):
    west = "west" in case
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field = gridded_reports(write(SAME[case]), known)["2m_temperature"].values
    assert field[nearest_by_haversine(50.5, -8.25 if west else 8.25)] == pytest.approx(KELVIN, abs=1e-4)
    assert np.isfinite(field).sum() == 1


MOMENTS = {
    "ISO": "time\n2001-12-31T06:00", "Z": "time\n2001-12-31T06:00:00Z", "an offset": "time\n2001-12-31T08:00+02:00",
    "UTC": "time_utc\n2001-12-31 06:00 UTC", "a header's zone": "time (UTC+2)\n2001-12-31 08:00",
    "a named zone": "time [Europe/Berlin]\n2001-12-31 07:00", "a zone behind": "Date CET\n2001-12-31 07:00",
    "day first": "date\n31.12.2001 06:00", "slashes": "Date\n31/12/2001 06:00",
    "month first": "date\n12/31/2001 6:00 AM", "words": "timestamp\n31 Dec 2001 06:00",
    "compact": "valid_time\n2001123106", "two digits": "date\n31.12.01 06:00",
    "date and hour": "date,hour\n31.12.2001,6", "date and time": "date,time\n2001-12-31,06:00",
    "HHMM": "date,time\n20011231,0600", "in parts": "year,month,day,hour\n2001,12,31,6",
    "NASA's parts": "YEAR,MO,DY,HR\n2001,12,31,6", "a format": "date (dd/mm/yyyy hh:mm)\n31/12/2001 06:00",
    "since": "time (hours since 2001-12-31)\n6", "midnight": "time\n2001-12-30 24:00",
    "an offset a row": "time,utc_offset\n2001-12-31 08:00,+2", "a zone a row": "date,tz\n2001-12-31 07:00,CET",
    "half an hour": "time,UTC offset\n2001-12-31 11:30,+05:30", "both": "time,tz\n2001-12-31T06:00Z,Asia/Tokyo",
}  # fmt: skip


@pytest.mark.parametrize("case", MOMENTS)
def test_one_moment_is_read_however_it_is_written(write, known, case):
    header, row = MOMENTS[case].split("\n")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = gridded_reports(write(f"lat,lon,2m_temperature,{header}\n50.5,8.25,280.5,{row}\n"), known)
    assert made["time"].values.tolist() == [pd.Timestamp("2001-12-31").to_datetime64().astype("M8[us]").item()]
    hours = [str(one.message) for one in said if "one moment, at 06:00 UTC" in str(one.message)]
    assert bool(hours) == (case != "midnight")


def test_another_row_tells_day_from_month_and_it_is_said(write, known):
    rows = "1,2,{},280\n1,2,{},281\n"
    for dates, first, order in ((("01/02/2001", "31/12/2001"), "2001-02-01", "day"),
                                (("01/02/2001", "12/31/2001"), "2001-01-02", "month")):  # fmt: skip
        with pytest.warns(UserWarning, match=f"the dates of .* are read {order} first: '01/02/2001' is {first}"):
            made = gridded_reports(write("lat,lon,date,2m_temperature\n" + rows.format(*dates)), known)
        assert made["time"].values.astype("M8[D]").astype(str).tolist() == [first, "2001-12-31"]


@pytest.mark.parametrize("change", [
    lambda t: t.set_index("time"), lambda t: t.set_index("time").rename_axis(None), lambda t: t.astype(str),
    lambda t: t.assign(time=t["time"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
    lambda t: t.assign(time=t["time"].dt.date), lambda t: t.assign(time=t["time"].dt.to_period("D")),
    lambda t: t.assign(time=t["time"].dt.strftime("%Y%m%d").astype(int)), lambda t: t.convert_dtypes(),
    lambda t: t.assign(time=t["time"].astype(str).astype("category")),
    lambda t: t.astype(object).where(t.notna(), None)])  # fmt: skip
def test_dataframes_are_read_whatever_their_types(table, known, change):
    table["time"] = pd.to_datetime(table["time"])
    before = change(table)
    given = before.copy()
    assert gridded_reports(given, known).identical(gridded_reports(table, known))
    pd.testing.assert_frame_equal(given, before)


SAID = {
    "units": ("lat,lon,2m_temperature\n1,2,280", "says no units; the model's are assumed, 2m_temperature in 'K'"),
    "conversion": ("lat,lon,t2m [°C]\n1,2,7", "other units, which are converted, 2m_temperature from '°C' to 'K'"),
    "resemblance": ("lat,lon,Temp.\n1,2,280", "read by what they resemble, 'Temp.' as 2m_temperature"),
    "codes": ("lat,lon,t2m\n1,2,280\n3,4,-9999\n\n5,6,-9999\n7,8,-999",
              "has -9999 in 3 rows of 2m_temperature, the first in line 3: a code for 'missing', taken as not obs"),
    "zone": ("lat,lon,t2m,time (UTC+2)\n1,2,280,2001-12-31 08:00",
             r"are in UTC\+2, as its header says: 2001-12-31T08:00 is 2001-12-31T06:00 UTC"),
    "zones": ("lat,lon,t2m,time,tz\n1,2,280,2001-12-31 08:00,2",
              "are of the zones in its column tz: 2001-12-31T08:00 is 2001-12-31T06:00 UTC"),
    "parts": ("lat,lon,t2m,date,hour\n1,2,280,2001-12-31,6", "date, hour of .* are read together as times: 2001-12-31"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_what_was_read_otherwise_than_written_is_said_once(write, known, case):
    text, message = SAID[case]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        gridded_reports(write(text), known)
    assert len([one for one in said if re.search(message, str(one.message))]) == 1


@pytest.mark.parametrize("header", ["zg [m]", "gh (gpm)", "geopotential_height_m", "z [m2 s-2]", "geopotential [dam]"])
def test_heights_are_geopotentials(write, known, header):
    height = {"dam": 132.5637, "m2 s-2": 13000.0}.get(header.partition("[")[2].rstrip("]"), 1325.637)
    with pytest.warns(UserWarning) if "s-2" not in header else warnings.catch_warnings():
        made = gridded_reports(write(f"lat,lon,{header}\n50.5,8.25,{height}"), known)["geopotential"]
    assert float(made.max()) == pytest.approx(13000, abs=0.1)


def test_a_value_that_might_be_measured_is_no_code(write, known):
    """-99 m s-1 among other winds is odd, not missing; nor is a code that lies within the training days' range."""
    known = dataclasses.replace(known, low=known.low - np.array([0, 22100.0])[:, None, None])
    made = gridded_reports(write("lat,lon,geopotential\n1,2,-9999\n30,40,12500\n"), known)["geopotential"]
    assert float(made.min()) == -9999


def test_stations_outside_a_region_are_left_out_and_their_values_not_judged(known, write):
    rows, columns = slice(8, 12), slice(0, 5)
    region = dataclasses.replace(known, domain=Domain(LAT[rows], LON[columns]), low=known.low[:, rows, columns],
                                 high=known.high[:, rows, columns])  # fmt: skip
    inside, outside = f"{LAT[9]},{LON[2]},280", "-70,100,-1234"
    with pytest.warns(UserWarning, match="^1 of 2 stations of .* lie outside the grid"):
        made = gridded_reports(write(f"lat,lon,2m_temperature\n{inside}\n{outside}\n"), region)
    assert float(made["2m_temperature"][1, 2]) == 280 and int(made["2m_temperature"].notnull().sum()) == 1
