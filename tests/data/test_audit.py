"""The audit finds what is put in, says where, and finds nothing in what is sound."""

import re

import numpy as np
import pytest

from sparta_core.data import days as reading
from sparta_core.data.audit import audit, check, inventory, survey
from sparta_core.data.days import Days
from sparta_core.data.domain import Domain
from sparta_core.errors import DataError

NAMES = ("2m_temperature", "u_component_of_wind")
DAYS = 1000
TIME = np.datetime64("2001-01-01") + np.arange(DAYS)
SPLITS = {"train": range(0, 600), "validation": range(600, 800), "downstream": range(800, 1000)}


def sound() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(DAYS, 2, 4, 8))
    return (values * [[[10.0]], [[5.0]]] + [[[280.0]], [[2.0]]]).astype(np.float32)


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch):
    monkeypatch.setattr(reading, "BLOCK", 64)


def days(values, absent=(), names=NAMES, units=("K", "m s-1"), level=850):
    domain = Domain(np.linspace(-60, 60, 4), 45.0 * np.arange(8))
    return Days(values, TIME, TIME[list(absent)], domain, names, units, SPLITS, None, "made up",
                "CC0-1.0", "here", "memory", level)  # fmt: skip


def found(values, absent=(), gaps=False, **settings):
    held = days(values, absent, **settings)
    return audit(held, survey(held), gaps)


def test_nothing_is_wrong_with_sound_days():
    assert found(sound()) == ()


def damaged(change):
    values = sound()
    change(values)
    return values


def put(value, *where):
    def change(values):
        values[where] = value

    return change


def copy(of, to, channel):
    def change(values):
        values[to, channel] = values[of, channel]

    return change


def later(channel, part, change):
    def changing(values):
        values[part.start : part.stop, channel] = change(values[part.start : part.stop, channel])

    return changing


@pytest.mark.parametrize("change, level, name, text", [
    (put(np.nan, [420, 900], 0, 1, 2), "error", NAMES[0],
     "is NaN or infinite at 1 grid points on 2002-02-25 and 1 more days; repair them"),
    (put(np.inf, 5, 1, 1, slice(3)), "error", NAMES[1], "is NaN or infinite at 3 grid points on 2001-01-06; repair"),
    (put(12.0, 700, 0, 0, 0), "error", NAMES[0],
     "on 2002-12-02 reaches from 12 to .*, beyond 160 to 345; check its units and that day"),
    (put(-151.0, 999, 1, 0, 0), "error", NAMES[1], "on 2003-09-27 reaches from -151 to .*, beyond -150 to 150"),
    (copy(10, 11, 1), "warning", NAMES[1], "on 2001-01-12 is what it was on 2001-01-11, number for number$"),
    (copy(10, [800, 900], 0), "warning", NAMES[0], "on 2003-03-12 is what it was on 2001-01-11, .* and 1 more days"),
    (later(0, SPLITS["validation"], lambda x: x + 8), "warning", NAMES[0],
     r"has the mean 28[78].* on the validation days, (279|280).* on the training days \(std 10\)"),
    (put(-99.9, [30, 30, 31], 1, [0, 1, 2], 3), "error", NAMES[1], "is -99.9 at 2 grid points on 2001-01-31 and 1 more "
     "days, which stands for a missing value in many files; set it to NaN$"),
    (put(-99, 400, 1, 0, 0), "error", NAMES[1], "is -99 at 1 grid points on 2002-02-05, which stands for a missing"),
    (later(1, SPLITS["downstream"], lambda x: 1.5 * x), "warning", NAMES[1], "has the std 7.* on the downstream days"),
])  # fmt: skip
def test_what_is_put_in_is_found_and_nothing_else(change, level, name, text):
    (finding,) = found(damaged(change))
    assert (finding.level, finding.subject) == (level, name)
    assert re.search(text, finding.text), finding.text


def test_declared_gaps_are_no_error():
    assert found(damaged(put(np.nan, slice(None), 0, 1, 2)), gaps=True) == ()


def test_errors_stop_and_warnings_do_not():
    check(found(damaged(copy(10, 11, 1))), "here")
    both = damaged(put(np.nan, 3, slice(2), 0, 0))
    with pytest.raises(DataError, match=r"2m_temperature in here is NaN .* \(1 more errors\)"):
        check(found(both), "here")


def test_absent_days_are_an_error_of_the_time_and_not_of_every_variable():
    values = damaged(put(np.nan, [4, 5]))
    (finding,) = found(values, absent=(4, 5))
    assert str(finding).startswith("error: time has no 2001-01-05 and 1 more days; fill the gaps, or declare them")
    assert found(values, absent=(4, 5), gaps=True) == ()


def test_the_inventory_is_numpys():
    values = damaged(put(np.nan, slice(100), 0, 1, 2))
    table = inventory(days(values), survey(days(values)))
    for channel, name in enumerate(NAMES):
        series = values[:, channel].astype(np.float64)
        expected = [np.nanmin(series), np.nanmax(series), np.nanmean(series), np.nanstd(series)]
        assert table.loc[name, ["least", "most", "mean", "std"]].tolist() == pytest.approx(expected, rel=1e-12)
        assert table.loc[name, "missing"] == np.isnan(series).mean()
    assert table["units"].tolist() == ["K", "m s-1"]


def one(name, values, level=850):
    """Findings on days (T, H, W) of one variable."""
    return found(values[:, None].astype(np.float32), names=(name,), units=("?",), level=level)


def drawn(mean, std):
    return np.random.default_rng(1).normal(mean, std, (DAYS, 4, 8))


@pytest.mark.parametrize(("level", "mean", "std", "shown"), [
    (850, 54000, 2000, "850 hPa"), (500, 14000, 1000, "500 hPa"), (850, 0, 1, "850 hPa"), (850, 1450, 60, "850 hPa"),
    (850, 0, 0, "850 hPa")])
def test_geopotential_of_elsewhere_is_an_error(level, mean, std, shown):
    """Another level's, z-scores, heights in metres, nothing but 0."""
    first, *_ = one("geopotential", drawn(mean, std), level)
    assert first.level == "error" and re.search(rf"beyond .* at {shown}; check its level and units", first.text)


def test_the_orography_is_no_geopotential_at_850_hpa():
    ground = np.tile(np.linspace(0, 50_000, 32).reshape(4, 8), (DAYS, 1, 1))
    assert "reaches from 0 to 50000, beyond 2640.01 to 21721.3 at 850 hPa" in one("geopotential", ground)[0].text


@pytest.mark.parametrize("code", [-9999.0, -999.0, 9.969209968386869e36, 1e20, 99999.0, -32767.0])
def test_codes_of_missing_values_are_named_whatever_the_variable(code):
    values = drawn(101_000, 800)
    values[100, 0, :5], values[200:202, 1, 1] = code, code
    first, *_ = one("mean_sea_level_pressure", values)
    assert first.level == "error"
    assert first.text.startswith(f"is {np.float32(code):.7g} at 5 grid points on 2001-04-11 and 2 more days, which ")


def test_what_may_be_measured_is_no_code():
    pressure = drawn(100_000, 300)
    pressure[3, 0, 0] = 99_999  # once
    whole = np.round(drawn(100_000, 40))  # in whole Pa, of which none is more frequent than its neighbours
    storm = np.linspace(-99.9, 90, DAYS * 32).reshape(DAYS, 4, 8)
    assert (whole == 99_999).sum() > 100
    # The third is no pressure, of which bounds are known.
    named = (("mean_sea_level_pressure", pressure), ("mean_sea_level_pressure", whole), ("another", storm))
    assert not [each for name, values in named for each in one(name, values) if each.level == "error"]


def test_z_scores_of_wind_and_negative_humidity_are_odd():
    (wind,) = one("v_component_of_wind", drawn(0, 1))
    assert str(wind) == ("warning: v_component_of_wind has the std 0.993 on the training days, 1.5 to 60 being usual; "
                         "check that it is in ?")  # fmt: skip
    values = drawn(5e-4, 2.5e-4).clip(-9e-4)
    (humidity,) = one("specific_humidity", values)
    share = 100 * np.mean(values < -1e-5)
    assert humidity.level == "warning" and humidity.text == f"is negative at {share:.2g} % of the grid points and days"


def test_days_of_nothing_but_nan_are_said_where_gaps_are_meant():
    values = damaged(put(np.nan, [4, 5, 9]))
    (finding,) = found(values, absent=(4,), gaps=True)
    assert str(finding) == ("warning: time has nothing but NaN on 2001-01-06 and 1 more days, of which nothing counts "
                            "as observed, as of days that are absent")  # fmt: skip


def test_a_variable_that_is_never_there_is_an_error():
    values = damaged(put(np.nan, slice(600), 1))
    errors = [str(each) for each in found(values, gaps=True) if each.level == "error"]
    assert errors == ["error: u_component_of_wind has no value on any of the train days; leave it out of the "
                      "variables, or use other days"]  # fmt: skip
