"""The audit finds what is put in, says where, and finds nothing in what is sound."""

import re

import numpy as np
import pytest

from sparta_core.data import days as reading
from sparta_core.data.audit import audit, check, inventory, survey
from sparta_core.data.days import Days
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


def days(values, absent=()):
    return Days(values, TIME, TIME[list(absent)], np.linspace(-60, 60, 4), 45.0 * np.arange(8), NAMES, ("K", "m s-1"),
                SPLITS, None, "made up", "here", "memory", 850)  # fmt: skip


def found(values, absent=(), **settings):
    held = days(values, absent)
    return audit(held, survey(held), **settings)


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
