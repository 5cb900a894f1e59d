"""Times of every kind as UTC, and days from moments: against dates written out, and against the record's own days."""

import datetime
import warnings

import cftime
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sparta_core.data import times
from sparta_core.data.clock import DAILY, Clock
from sparta_core.data.record import load_record
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from tests.conftest import made_up_weather

SIX = np.datetime64("2002-08-24T06:00", "us")
EAST = datetime.timezone(datetime.timedelta(hours=2))


def array(*values):
    made = np.empty(len(values), object)
    made[:] = values
    return made


@pytest.mark.parametrize("values", [
    np.array(["2002-08-24T06"], "M8[ns]"), np.array(["2002-08-24T06"], "M8[s]"), array("2002-08-24T06:00:00Z"),
    array("2002-08-24 06:00"), np.array(["2002-08-24T06:00:00Z"]), np.array([b"2002-08-24T06:00:00Z"]),
    array("2002-08-24T08:00:00+02:00"), array("2002-08-23T22:30-07:30"), array(pd.Timestamp("2002-08-24T08", tz=EAST)),
    array(datetime.datetime(2002, 8, 24, 8, tzinfo=EAST)), array(datetime.datetime(2002, 8, 24, 6)),
    pd.date_range("2002-08-24T08", periods=1, tz="Europe/Berlin").to_numpy(),
    *(array(cftime.datetime(2002, 8, 24, 6, calendar=calendar)) for calendar in (
        "standard", "proleptic_gregorian", "noleap")),
    array(cftime.datetime(2002, 8, 11, 6, calendar="julian")),  # thirteen days behind
], ids=repr)  # fmt: skip
def test_every_way_to_write_a_time_is_the_same_moment_in_utc(values):
    np.testing.assert_array_equal(times.utc(values, "here"), [SIX])


def test_dates_long_ago_do_not_wrap():
    ago = array(cftime.datetime(1500, 3, 1, calendar="proleptic_gregorian"), cftime.datetime(1582, 10, 4))
    np.testing.assert_array_equal(times.utc(ago, "here"), np.array(["1500-03-01", "1582-10-14"], "M8[us]"))


def test_numbers_are_dates_only_as_people_write_them():
    made = times.utc(np.array([20020824, 7]), "here")
    assert made[0] == np.datetime64("2002-08-24") and np.isnat(made[1])
    assert np.isnat(times.utc(array("once", None, "24/08/2002"), "here")).all()


@pytest.mark.parametrize("value, calendar, expected", [
    ((2001, 7, 1), "360_day", "2001-07-02T12:00"), ((2001, 2, 30), "360_day", "2001-03-01T19:40"),
    ((2001, 2, 29), "all_leap", "2001-02-28T20:08"), ((2004, 2, 29), "all_leap", "2004-02-29")])
def test_dates_that_do_not_exist_are_at_their_share_of_the_year(value, calendar, expected):
    """Half of 360 days is half of 365; the 60th of 366 days is 59 / 366 of the year."""
    made = times.utc(array(cftime.datetime(*value, calendar=calendar)), "here")
    assert abs(made[0] - np.datetime64(expected)) < np.timedelta64(1, "m")


def test_dates_of_several_calendars_are_one_sentence():
    both = array(cftime.datetime(2001, 2, 1, calendar="noleap"), cftime.datetime(2001, 2, 2, calendar="360_day"))
    with pytest.raises(DataError, match="time of here has dates of the calendars 360_day and noleap; give one"):
        times.utc(both, "here")


def hourly(*hours, day="2001-03-04"):
    return times.When(np.datetime64(day, "us") + np.array(hours) * np.timedelta64(1, "h"), lasting=False)


def test_moments_of_a_date_are_one_day_and_said():
    when = hourly(*range(0, 30, 6))
    with pytest.warns(UserWarning, match=r"^here has 1 to 4 moments a date, 5 on 2 dates; their mean is taken for "):
        days = times.grouped(when, 5, "here", DAILY)
    np.testing.assert_array_equal(days.dates, np.array(["2001-03-04", "2001-03-05"], "M8[D]"))
    fields = np.array([1.0, 2, 3, np.nan, 7])[:, None] * [1, np.nan]
    np.testing.assert_array_equal(times.step_mean(fields, days), [[2, np.nan], [7, np.nan]])


def test_dates_repeated_anywhere_are_one_day():
    when = times.When(np.array(["2001-03-05", "2001-03-04", "2001-03-05"], "M8[us]"), lasting=False)
    with pytest.warns(UserWarning, match="has 1 to 2 moments a date, 3 on 2 dates"):
        days = times.grouped(when, 3, "here", DAILY)
    np.testing.assert_array_equal(times.step_mean(np.array([1.0, 5, 2]), days), [5, 1.5])


@pytest.mark.parametrize("hours, said", [
    ([6, 30], "each date of here has one moment, at 06:00 UTC; it is taken for the mean of that day"),
    ([0, 30], "1 of 2 dates of here has one moment, at 06:00 UTC"), ([0, 24], None), ([12, 36], None)])  # fmt: skip
def test_a_moment_that_stands_for_a_day_is_said(hours, said):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        days = times.grouped(hourly(*hours), 2, "here", DAILY)
    assert [str(warning.message)[: len(said)] for warning in caught] == ([said] if said else [])
    np.testing.assert_array_equal(days.place, [0, 1])


def ends_of_days(days):
    """The same days, labelled by the ends of their intervals, and these in time_bnds."""
    ends = days.time.values + np.timedelta64(1, "D")
    moved = days.assign_coords(time=("time", ends, {"bounds": "time_bnds"}))
    return moved.assign(time_bnds=(("time", "nv"), np.stack([days.time.values, ends], 1)))


def test_an_interval_is_of_the_day_of_its_middle(tmp_path):
    days = made_up_weather(days=5, rows=2, columns=4)
    ends_of_days(days).to_netcdf(tmp_path / "ends.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "ends.nc") as stored:
        for dataset in (ends_of_days(days), stored):
            when = times.of_fields(dataset, "here")
            assert when.lasting
            np.testing.assert_array_equal(when.moments.astype("M8[D]"), days.time.values.astype("M8[D]"))
    without = ends_of_days(days).drop_vars("time_bnds")
    assert times.of_fields(without, "here").moments[0] == np.datetime64("2001-01-02")


def test_the_time_that_is_handed_on_names_no_bounds():
    """They are not handed on with it; what the user gave keeps them."""
    for days in (ends_of_days(made_up_weather(days=3, rows=2, columns=4)), made_up_weather(days=3, rows=2, columns=4)):
        days["time"].attrs = {"bounds": "time_bnds", "long_name": "end"}
        when = times.of_fields(days, "here")
        made = times.labels(days, when, times.grouped(when, 3, "here", DAILY))["time"]
        assert made.attrs == {"long_name": "end"} and days["time"].attrs["bounds"] == "time_bnds"
        np.testing.assert_array_equal(made.values.astype("M8[D]"), when.moments.astype("M8[D]"))


def test_means_of_months_are_said():
    edges = np.array([["2001-01", "2001-02"], ["2001-02", "2001-03"], ["2001-03", "2001-04"]], "M8[M]").astype("M8[ns]")
    days = made_up_weather(days=3, rows=2, columns=4).assign_coords(time=("time", edges[:, 0], {"bounds": "time_bnds"}))
    with pytest.warns(UserWarning, match="time_bnds of here makes a field the mean of up to 31 days, and the model kn"):
        when = times.of_fields(days.assign(time_bnds=(("time", "nv"), edges)), "here", DAILY)
    assert when.moments[1] == np.datetime64("2001-02-15")


@pytest.mark.parametrize("change", [lambda bounds: bounds.isel(nv=[0]), lambda bounds: bounds.astype("i8"),
                                    lambda bounds: bounds.where(bounds.nv == 0)])  # fmt: skip
def test_bounds_that_are_none_are_one_sentence(change):
    days = ends_of_days(made_up_weather(days=5, rows=2, columns=4))
    days = days.drop_vars("time_bnds").assign(time_bnds=change(days["time_bnds"].assign_coords(nv=[0, 1])))
    with pytest.raises(DataError, match="time_bnds of here, the bounds of time, are not two dates for each time"):
        times.of_fields(days, "here")


def test_times_without_dates_are_none_and_words_are_refused():
    days = made_up_weather(days=3, rows=2, columns=4)
    assert times.of_fields(days.assign_coords(time=[0, 1, 2]), "here") is None
    assert times.of_fields(days.drop_vars("time"), "here") is None
    with pytest.raises(DataError, match="time of here is 'first' at the place 2; write it as 2001-12-31"):
        times.of_fields(days.assign_coords(time=["2001-01-01", "first", "2001-01-03"]), "here")



def loaded(dataset, path, **changes):
    dataset.to_netcdf(path, engine="h5netcdf")
    return load_record(Experiment(data=str(path), split=(0.5, 0.2), downstream_split=(0.4, 0.3), **changes))


@pytest.mark.parametrize("change", [ends_of_days, lambda days: days.convert_calendar("noleap", use_cftime=True)])
def test_a_record_on_disk_has_the_same_days_by_the_same_rule(tmp_path, change):
    days = made_up_weather(days=40, rows=4, columns=8)
    first, other = loaded(days, tmp_path / "days.nc"), loaded(change(days), tmp_path / "other.nc")
    np.testing.assert_array_equal(other.time, first.time)
    np.testing.assert_array_equal(other.values, first.values)


@pytest.mark.parametrize("calendar", ["noleap", "all_leap", "360_day"])
def test_a_record_of_another_calendar_has_all_its_days(tmp_path, calendar):
    """Over the end of a February, of which no day is absent or shifted; it is told in its own dates."""
    days = made_up_weather(days=40, rows=4, columns=8)
    dates = xr.date_range("2004-02-10", periods=40, calendar=calendar, use_cftime=True)
    record = loaded(days.assign_coords(time=dates), tmp_path / "days.nc")
    assert record.clock.calendar == calendar and record.clock.daily
    np.testing.assert_array_equal(record.values, loaded(days, tmp_path / "real.nc").values)
    assert (record.clock.dates(record.time) == dates.values).all()


@pytest.mark.parametrize("hours", [6, 12])
def test_a_record_of_several_moments_a_day_keeps_them(tmp_path, hours):
    days = made_up_weather(days=40, rows=4, columns=8)
    times_ = days.time.values[0] + np.arange(40) * np.timedelta64(hours, "h")
    record = loaded(days.assign_coords(time=times_), tmp_path / "days.nc")
    assert record.clock.step == np.timedelta64(hours, "h")
    np.testing.assert_array_equal(record.time, times_)


def test_moments_of_a_clock_below_a_day_are_taken_and_others_said():
    clock = Clock(np.timedelta64(6, "h"))
    with pytest.warns(UserWarning, match=r"here has 8 times, 4 of which are in the model's steps of 6h; the others"):
        found = times.grouped(hourly(*range(0, 24, 3)), 8, "here", clock)
    np.testing.assert_array_equal(found.dates, hourly(0, 6, 12, 18).moments)
    np.testing.assert_array_equal(times.step_mean(np.arange(8.0), found), [0, 2, 4, 6])
    with pytest.raises(DataError, match=r"here has the time 2001-03-04T01:00, and the model knows .* in steps of 6h"):
        times.grouped(hourly(1, 4), 2, "here", clock)


def test_days_are_averaged_for_a_model_of_months():
    when = times.When(np.arange("2001-01-01", "2001-03-01", dtype="M8[D]").astype("M8[us]"), lasting=True)
    with pytest.warns(UserWarning, match="here has 28 to 31 moments a 1mo, 59 on 2 steps; their mean is taken for the"):
        found = times.grouped(when, 59, "here", Clock(np.timedelta64(1, "M")))
    assert found.dates.astype(str).tolist() == ["2001-01", "2001-02"]
    np.testing.assert_allclose(times.step_mean(np.arange(59.0), found), [15, 44.5])


def test_a_record_with_gaps_before_1678_does_not_wrap(tmp_path):
    days = made_up_weather(days=40, rows=4, columns=8)
    days = days.assign_coords(time=np.datetime64("1600-01-01", "s") + np.arange(40) * np.timedelta64(1, "D"))
    fields = loaded(days.drop_isel(time=5), tmp_path / "days.nc", gaps=True, mask_grid="native")
    assert fields.time[5] == np.datetime64("1600-01-06") and fields.values[5].isnan().all()
    assert not fields.values[6].isnan().any()
