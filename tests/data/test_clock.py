"""The clock against pandas, cftime and least squares: steps from minutes to months in every calendar."""

import cftime
import numpy as np
import pandas as pd
import pytest

from sparta_core.data import calendars
from sparta_core.data.clock import DAY, YEAR, Clock
from sparta_core.errors import DataError, ExperimentError

CALENDARS = ("noleap", "all_leap", "360_day")
SPANS = [("D", 1), ("h", 12), ("h", 6), ("m", 5), ("D", 5), ("M", 1), ("M", 3), ("h", 36)]


def times(unit, step, count=60, start="2003-11-01"):
    return np.datetime64(start).astype(f"M8[{unit}]") + step * np.arange(count)


def own(calendar, days=800, hours=12):
    """Dates of a calendar, a step of `hours` apart."""
    return cftime.num2date(hours * np.arange(days), "hours since 1999-02-20 06:00", calendar=calendar)


def seconds(dates, calendar):
    return cftime.date2num(dates, "seconds since 1970-01-01", calendar=calendar)


@pytest.mark.parametrize(("unit", "step"), SPANS)
def test_steps_are_found_and_go_on_as_numpy_counts(unit, step):
    moments = times(unit, step)
    clock = Clock.of(moments)
    assert clock.step == np.timedelta64(step, unit) and np.datetime_data(clock.step)[0] in "sM"
    np.testing.assert_array_equal(clock.at(clock.count(moments)), moments)
    np.testing.assert_array_equal(np.diff(clock.count(moments)), 1)
    np.testing.assert_array_equal(clock.ahead(moments[:3], 4)[2], moments[3:7])
    assert str(clock.at(clock.count(moments[:1]))[0]) == str(moments[0])  # in the precision that a person reads
    assert Clock.restored(clock.told()) == clock


@pytest.mark.parametrize("label", [0, 12, 23])
def test_days_may_be_labelled_by_any_hour(label):
    moments = times("D", 1).astype("M8[h]") + label
    assert Clock.of(moments) == Clock()
    jittered = moments[:20] + (np.arange(20) % 3 - 1) * (0 < label < 23)
    assert Clock.of(jittered) == Clock()


def test_months_may_be_labelled_by_their_beginning_or_middle():
    starts = pd.date_range("2001-01-01", periods=30, freq="MS").values
    middles = starts + (pd.date_range("2001-02-01", periods=30, freq="MS").values - starts) // 2
    for moments in (starts, middles, pd.date_range("2001-01-31", periods=30, freq="ME").values):
        clock = Clock.of(moments)
        assert clock.monthly and clock.unit == "months"
        np.testing.assert_array_equal(clock.at(clock.count(moments)), starts.astype("M8[M]"))
        np.testing.assert_array_equal(np.diff(clock.count(moments)), 1)
    thirty = np.datetime64("2001-01-01") + 30 * np.arange(40)
    assert Clock.of(thirty).step == np.timedelta64(30, "D")


def test_absent_times_leave_the_step():
    moments = np.delete(times("h", 6), [3, 4, 9])
    clock = Clock.of(moments)
    assert clock.step == np.timedelta64(6, "h") and np.diff(clock.count(moments)).tolist().count(1) == 54


def test_uneven_times_are_one_sentence():
    moments = times("h", 6).astype("M8[m]")
    moments[7] += 50
    with pytest.raises(DataError, match=r"here goes in steps of 5h10min|here goes in steps of .*, and 2003-11-0"):
        Clock.of(moments, where="here")


@pytest.mark.parametrize("calendar", CALENDARS)
def test_other_calendars_go_to_times_and_back(calendar):
    dates = own(calendar)
    moments = calendars.labels_in(seconds(dates, calendar), calendar)
    assert (np.diff(moments).astype(int) > 0).all()
    np.testing.assert_array_equal(calendars.seconds_in(moments, calendar).astype(int), seconds(dates, calendar))
    clock = Clock.of(moments, calendar)
    assert clock.step == np.timedelta64(12, "h") and (np.diff(clock.count(moments)) == 1).all()
    assert (clock.dates(moments) == dates).all()
    ahead = clock.dates(clock.ahead(moments[:500], 200))
    assert (ahead[:, -1] == dates[200:700]).all()
    assert clock.months(moments).tolist() == [date.month - 1 for date in dates]
    assert clock.text(moments[3]) == (str(np.datetime64(dates[3].isoformat(), "h")) if calendar == "noleap"
                                      else str(dates[3]))  # fmt: skip


@pytest.mark.parametrize("calendar", CALENDARS)
def test_a_time_lies_at_its_share_of_the_year(calendar):
    """And a date of a calendar without leap days is what it says."""
    dates = own(calendar, days=1500)
    moments = calendars.labels_in(seconds(dates, calendar), calendar)
    length = calendars.YEARS[calendar]
    share = np.array([(date.dayofyr - 1 + date.hour / 24) / length for date in dates])
    np.testing.assert_allclose(Clock(np.timedelta64(12, "h"), calendar).phase(moments) % 1, share, atol=1e-9)
    if calendar == "noleap":
        assert [str(moment)[:10] for moment in moments] == [date.strftime("%Y-%m-%d") for date in dates]
    else:
        real = pd.DatetimeIndex(moments)
        shares = (real.day_of_year - 1 + real.hour / 24 + real.minute / 1440 + real.second / 86400) / (
            365 + real.is_leap_year)  # fmt: skip
        np.testing.assert_allclose(shares, share, atol=1e-7)


def test_leap_days_never_shift_the_season():
    """The same phase after as many mean years, whatever leap days lie between; a day of the year would jump."""
    clock, days = Clock(), np.arange("1960-01-01", "2040-01-01", dtype="M8[D]")
    np.testing.assert_allclose(np.diff(clock.phase(days)), 1 / 365.2425, rtol=1e-9)
    equinox = clock.phase(np.array([f"{year}-03-20" for year in range(1904, 2096)], "M8[D]")) % 1
    assert np.ptp(equinox) * 365.2425 < 2.3  # the Gregorian calendar's own drift in a century


@pytest.mark.parametrize(("unit", "step", "columns", "rank"), [
    ("D", 1, 7, 7), ("M", 1, 7, 7), ("D", 5, 7, 7), ("h", 12, 13, 10), ("h", 6, 19, 16), ("h", 3, 19, 19)])
def test_the_basis_has_the_cycles_that_the_step_resolves(unit, step, columns, rank):
    """Its columns are waves of the year, of the day, and of the day by season: least squares finds a made-up one."""
    moments = times(unit, step, count={"M": 48, "D": 900, "h": 2900}[unit])
    clock = Clock.of(moments)
    basis = clock.basis(moments)
    assert basis.shape == (len(moments), columns) and np.linalg.matrix_rank(basis) == rank
    assert clock.cycles == ((YEAR, DAY) if unit == "h" else (YEAR,)) and clock.annual.sum() == columns - 1 - (
        columns - 7) // 3
    middle = (moments.astype("M8[s]") + np.timedelta64(15 * (unit == "M"), "D")).astype(int) / 86400
    year = 2 * np.pi * middle / 365.2425
    wave = 3 + np.sin(2 * year + 1) - 2 * np.cos(3 * year)
    if unit == "h":
        wave = wave + (2 + np.sin(year)) * np.cos(2 * np.pi * middle)
    fitted = basis @ np.linalg.lstsq(basis, wave, rcond=None)[0]
    np.testing.assert_allclose(fitted, wave, atol=1e-8)


@pytest.mark.parametrize(("unit", "step", "given", "expected"), [
    ("D", 1, 30, 30), ("D", 1, "48h", 2), ("h", 12, 5, 10), ("h", 12, "12h", 1), ("m", 5, "2h", 24), ("M", 1, "3mo", 3),
    ("M", 1, "1y", 12), ("D", 5, 30, 6), ("D", 5, "2w", None), ("h", 12, "6h", None), ("M", 1, 30, None),
    ("D", 1, "1mo", None)])
def test_durations_are_whole_steps_or_a_sentence(unit, step, given, expected):
    clock = Clock.of(times(unit, step))
    if expected:
        assert clock.steps("look_back", given) == expected
        return
    with pytest.raises(ExperimentError, match=r"^look_back is \w+, and the data go in steps of \w+; set it to a mu.*'"):
        clock.steps("look_back", given)


@pytest.mark.parametrize(("unit", "step", "named", "third"), [
    ("D", 1, "days", 3), ("h", 12, "hours", 36), ("m", 5, "minutes", 15), ("M", 1, "months", 3), ("D", 5, "days", 15)])
def test_leads_are_in_the_largest_whole_unit(unit, step, named, third):
    clock = Clock.of(times(unit, step))
    assert clock.unit == named and clock.amounts(np.arange(1, 4))[2] == third
    expected = np.timedelta64(3 * step, unit) if unit != "M" else np.timedelta64(round(3 * 365.2425 / 12 * 86400), "s")
    assert clock.lead_times(3)[2] == expected
