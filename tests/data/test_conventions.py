"""The spelling of units, and conversions against definitions."""

import pytest

from sparta_core.data.conventions import LIKELY, conversion, normalised_units


@pytest.mark.parametrize("written, expected", [
    ("K", "K"), ("m s**-1", "m s-1"), ("m s-1", "m s-1"), ("m/s", "m s-1"), (" m s^-1 ", "m s-1"),
    ("m**2 s**-2", "m2 s-2"), ("m^2/s^2", "m2 s-2"), ("m2/s2", "m2 s-2"), ("kg/kg", "kg kg-1"),
    ("kg kg**-1", "kg kg-1"), ("(0 - 1)", "(0 - 1)"), ("1", "1"), ("g/kg", "g kg-1"), ("km/h", "km h-1"),
])
def test_units_have_one_spelling(written, expected):
    assert normalised_units(written) == expected


@pytest.mark.parametrize("value, written, expected, wanted", [
    (20, "degC", 293.15, "K"), (68, "°F", 293.15, "K"), (293.15, "K", 20, "degrees_C"), (1013.25, "hPa", 101325, "Pa"),
    (101325, "Pa", 1013.25, "millibars"), (36, "km/h", 10, "m s-1"), (1, "knots", 1.852 / 3.6, "m s-1"),
    (7, "g/kg", 0.007, "kg kg-1"), (0.4, "1", 40, "%"), (1500, "gpm", 14709.975, "m2 s-2"), (12, "mm", 0.012, "m"),
    (3, "J kg**-1", 3, "m2 s-2"), (3, "kg kg-1", 3, "1"), (3, "m**3", 3, "m3"), (3, "cm/s", 0.03, "m s-1"),
    (40, "%", 0.4, "(0 - 1)"),
])
def test_conversions_are_their_definitions(value, written, expected, wanted):
    scale, offset = conversion(written, wanted)
    assert value * scale + offset == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("written, wanted", [("m", "m2 s-2"), ("K", "Pa"), ("m", "K"), ("m s-1", "m"), ("x", "K")])
def test_other_quantities_are_not_converted(written, wanted):
    assert conversion(written, wanted) is None


def test_what_values_may_be_in_can_be_converted_and_changes_them():
    for wanted, units in LIKELY.items():
        for written in units:
            assert conversion(written, wanted) not in (None, (1.0, 0.0))
