"""The table of variables: against the standard atmosphere and records of the weather, and that no name means two."""


import pytest

from sparta_core.data import conventions
from sparta_core.data.units import LIKELY, normalised_units
from sparta_core.data.variables import UNITS, VARIABLES, Variable, geopotential_bounds, meanings, variable


def test_bounds_of_geopotential_hold_the_standard_atmosphere_and_extremes_of_the_weather():
    """ICAO's heights, and rounded records of daily means: least and greatest heights (m) at each level (hPa)."""
    standard = {1000: 110.9, 925: 761.9, 850: 1457.3, 700: 3012.2, 500: 5574.4, 300: 9164, 200: 11784, 100: 16180,
                50: 20576, 10: 31055, 1: 47820}  # fmt: skip
    extremes = {1000: (-700, 600), 850: (450, 1750), 500: (4500, 6050), 200: (10300, 12700), 10: (27300, 32700)}
    for level, height in standard.items():
        for each in (height, *extremes.get(level, ())):
            least, most = geopotential_bounds(level)
            assert least < 9.80665 * each < most, (level, each)


@pytest.mark.parametrize("name, records", [
    ("2m_temperature", (184.0, 329.9)), ("temperature", (175.0, 320.0)), ("u_component_of_wind", (-60.0, 113.0)),
    ("specific_humidity", (0.0, 0.037))])  # fmt: skip
def test_bounds_hold_what_was_observed(name, records):
    """Vostok and Death Valley, the polar stratosphere, the jet over Japan, the Persian Gulf."""
    least, most = variable(name).bounds
    assert least < records[0] and records[1] < most


def test_a_name_means_one_variable_unless_heights_tell_them_apart():
    axes = (*conventions.TIMES, *conventions.LATITUDES, *conventions.LONGITUDES)
    names = [name for known in VARIABLES.values() for name in (known.name, *known.names)]
    assert len({*names, *axes}) == len(names) + len(axes)
    assert conventions.NAMES["t2m"] == conventions.NAMES["tas"] == "2m_temperature"
    for name in {name for known in VARIABLES.values() for name in known.shared}:
        places = [(known.aloft, known.height, known.static) for known in map(variable, meanings(name, shared=True))]
        assert len({*places}) == len(places), name


def test_units_of_the_table_are_in_one_spelling_and_can_be_mistaken_for_others():
    for units in UNITS.values():
        assert normalised_units(units) == units and LIKELY[units]


def test_nothing_is_known_of_other_variables():
    assert variable("sea_ice") == Variable("sea_ice") and variable("sea_ice").bounds == (-float("inf"), float("inf"))
