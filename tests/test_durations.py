"""Durations as people write them, against datetime and numbers worked by hand."""

import datetime

import numpy as np
import pytest

from sparta_core.durations import duration, in_days, text_of
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment


@pytest.mark.parametrize(("given", "expected"), [
    (5, {"days": 5}), ("5d", {"days": 5}), ("12h", {"hours": 12}), ("90min", {"minutes": 90}), (" 2 w ", {"weeks": 2}),
    ("30s", {"seconds": 30}), ("7", {"days": 7})])
def test_a_duration_is_datetimes(given, expected):
    assert duration(given).item() == datetime.timedelta(**expected)


def test_months_are_counted_as_months():
    assert duration("3mo") == np.timedelta64(3, "M") and duration("2y") == np.timedelta64(24, "M")
    assert in_days(duration("1y")) == pytest.approx(365.2425)


@pytest.mark.parametrize("given", [0, -3, "0h", "-5d", "5 x", "", "h", "1.5h", "5dd", True, "12 h h", 10**7])
def test_others_are_one_sentence_of_the_setting(given):
    with pytest.raises(ValueError, match="no duration"):
        duration(given)
    with pytest.raises(ExperimentError, match=r"^look_back is .*(write a duration as a number of days|of type)"):
        Experiment(look_back=given)


@pytest.mark.parametrize("length", [("36h"), ("2d"), ("5min"), ("45s"), ("7mo")])
def test_it_is_written_as_it_is_read(length):
    assert text_of(duration(length)) == length


def test_the_same_duration_names_the_same_run():
    assert Experiment(look_back="48h") == Experiment(look_back=2)
    assert Experiment(look_back="48h").digest("forecast") == Experiment(look_back=2).digest("forecast")
    assert Experiment(look_back="12h").told()["look_back"] == "12h"
    with pytest.raises(ExperimentError, match=r"hard_gap is \('2d', '40d'\)|hard_gap is \(2, 40\); it must lie"):
        Experiment(hard_gap=("48h", "40d"))
