"""Values against the training days' range: the bundled climate's later days, in the right units and in others."""

import re
import warnings

import numpy as np
import pytest

from sparta_core.data.domain import Domain
from sparta_core.data.given import known as known_of
from sparta_core.data.plausible import ODD, Known
from sparta_core.data.record import load_record
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment


@pytest.fixture(scope="module")
def record():
    return load_record(Experiment(device="cpu"))


@pytest.fixture(scope="module")
def known(record):
    return known_of(record.normaliser)


@pytest.fixture(scope="module")
def later(record):
    """Validation days and the last ones, a dozen of each."""
    days = [*range(record.splits["validation"].start, record.splits["downstream"].stop, 64)]
    values = record.physical(record.values[days]).numpy().astype(np.float64)
    return {name: values[:, c].reshape(len(days), -1) for c, name in enumerate(record.variables)}


def nowhere(index):
    return "there"


def test_the_range_is_that_of_the_training_days(record, known):
    physical = record.physical(record.split("train").values).numpy()
    np.testing.assert_array_equal(known.low, physical.min(0))
    np.testing.assert_array_equal(known.high, physical.max(0))


def test_later_days_of_the_bundled_climate_raise_no_alarm(record, known):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for part in ("validation", "downstream"):
            values = record.physical(record.split(part).values).numpy().astype(np.float64)
            for c, name in enumerate(record.variables):
                known.check(name, values[:, c].reshape(len(values), -1), "here", nowhere)


@pytest.mark.parametrize("name, change, said", [
    ("2m_temperature", lambda x: x - 273.15, "it looks like degrees Celsius: add 273.15"),
    ("2m_temperature", lambda x: (x - 273.15) * 1.8 + 32, "it looks like degrees Fahrenheit"),
    ("geopotential", lambda x: x / 9.80665, "it looks like geopotential height in m: multiply it by 9.80665"),
    ("geopotential", lambda x: x / 98.0665, "it looks like geopotential height in dam: multiply it by 98.0665"),
    ("geopotential", lambda x: x * 0, "check its units, level and quantity"),
    ("geopotential", lambda x: x * 0 + 54000, "check its units, level and quantity"),
    ("geopotential", lambda x: (x - x.mean()) / x.std(), "check its units, level and quantity"),
    ("specific_humidity", lambda x: x * 1000, "it looks like g/kg: multiply it by 0.001"),
    ("u_component_of_wind", lambda x: x * 3.6, "it looks like km/h: multiply it by 0.277778"),
    ("v_component_of_wind", lambda x: x * 3.6, "it looks like km/h: multiply it by 0.277778"),
])
def test_other_units_and_quantities_are_refused_with_the_likely_one(known, later, name, change, said):
    with pytest.raises(DataError, match=f"^{name} of here is .*; {said}") as error:
        known.check(name, change(later[name]), "here", nowhere)
    assert "np." not in str(error.value)


def test_one_height_anywhere_is_told(known, later):
    """A single station, wherever it stands."""
    for point in range(known.low[0].size):
        with pytest.raises(DataError, match="geopotential height in m"):
            known.check("geopotential", later["geopotential"][:1, point] / 9.80665, "here", nowhere, np.array([point]))


@pytest.mark.parametrize("name", ["2m_temperature", "u_component_of_wind", "geopotential", "specific_humidity"])
@pytest.mark.parametrize("code", [-99.9, -999.0, -9999.0, 9999.0, 99999.0, 1e20, -32767.0, 9.96921e36])
def test_codes_for_what_is_missing_are_told(known, later, name, code):
    values = later[name].copy()
    values[2:4, 7:9] = np.float32(code)
    if name == "geopotential" and code == 9999:
        values[2:4, 900:902] = code  # near the pole the training days come as low
    with pytest.raises(DataError, match=rf"is {re.escape(f'{code:g}')} in \d places, first there, which looks like"):
        known.check(name, values, "here", nowhere)


POINT = Domain(np.zeros(1), np.zeros(1))


def one_point():
    return Known(POINT, ("u_component_of_wind",), ("m s-1",), np.full((1, 1, 1), -20.0),
                 np.full((1, 1, 1), 20.0), np.array([6.0]))  # fmt: skip


@pytest.mark.parametrize("above, outcome", [(2.9, "silent"), (3.1, "said"), (9.9, "said"), (10.1, "refused")])
def test_the_limits_are_in_training_stds_beyond_the_range(above, outcome):
    values = np.append(np.zeros(9), 20 + 6 * above)[:, None]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            one_point().check("u_component_of_wind", values, "here", lambda index: f"at {index}")
        except DataError as error:
            assert outcome == "refused" and "at 9, where the training days reach from -20 to 20; it looks" in str(error)
        else:
            assert outcome != "refused" and len(caught) == (outcome == "said")
            assert ODD == 3 and all("at 9, where" in str(warning.message) for warning in caught)


def test_one_odd_value_in_many_says_nothing_of_their_unit():
    values = np.append(np.zeros(999), 40.0)[:, None]
    with pytest.warns(UserWarning, match="is 40 there, where the training days reach from -20 to 20$"):
        one_point().check("u_component_of_wind", values, "here", nowhere)
    with pytest.warns(UserWarning, match="is 40 there, where .* from -20 to 20; it looks like knots"):
        one_point().check("u_component_of_wind", np.append(np.zeros(9), 40.0)[:, None], "here", nowhere)


def test_what_no_training_day_observed_and_nan_are_left_out():
    known = one_point()
    known.check("u_component_of_wind", np.full((3, 1), np.nan), "here", nowhere)
    never = Known(POINT, known.variables, known.units, known.low * np.nan, known.high * np.nan, known.std)
    never.check("u_component_of_wind", np.full((3, 1), 1e3), "here", nowhere)


def test_a_code_within_the_training_days_range_is_a_value():
    pressure = Known(POINT, ("pressure",), ("hPa",), np.full((1, 1, 1), 960.0),
                     np.full((1, 1, 1), 1040.0), np.array([12.0]))  # fmt: skip
    pressure.check("pressure", np.full((3, 1), 999.0), "here", nowhere)
