"""The spelling of units, and conversions against definitions."""

import numpy as np
import pytest

from sparta_core.data.units import LIKELY, conversion, normalised_units, way_of


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


@pytest.mark.parametrize("value, written, expected, wanted", [
    (0, "Kelvin", 0, "K"), (1, "degK", 1, "K"), (15, "deg_C", 288.15, "K"), (15, "degrees C", 288.15, "K"),
    (1, "mb", 100, "Pa"), (1, "millibar", 100, "Pa"), (1, "kt", 1852 / 3600, "m/s"), (1, "gpm", 1, "m"),
    (1, "dam", 10, "m"), (1, "mm/day", 1e-3 / 86400, "m s-1"), (50, "%", 0.5, "1"), (3, "kg/(m^2 s)", 3, "kg m-2 s-1"),
    (3, "kg.m-2.s-1", 3, "kg m-2 s-1"), (2, "Pascals", 0.02, "hPa"), (1, "W/m^2", 1, "W m**-2"),
    (1, "gpdm", 98.0665, "m2 s-2"), (1, "inch", 0.0254, "m"),
])  # fmt: skip
def test_spellings_of_users_files_are_known(value, written, expected, wanted):
    scale, offset = conversion(written, wanted)
    assert value * scale + offset == pytest.approx(expected, rel=1e-12)


def test_conversions_are_pints():
    from cf_xarray.units import units

    texts = ("K", "degC", "degF", "Pa", "hPa", "mbar", "m s-1", "km h-1", "knot", "g kg-1", "percent", "m", "mm",
             "inch", "J kg-1", "mm day-1", "W m-2", "kg m-2 s-1")  # fmt: skip
    pairs = [(old, new) for old in texts for new in texts if units(old).dimensionality == units(new).dimensionality]
    assert len(pairs) > 2 * len(texts)
    for old, new in pairs:
        scale, offset = conversion(old, new)
        expected = units.Quantity(np.array([2.0, 300.0]), old).to(new).magnitude
        np.testing.assert_allclose(np.array([2.0, 300.0]) * scale + offset, expected, rtol=1e-12)


@pytest.mark.parametrize("name, value, written, expected, wanted", [
    ("geopotential", 5500, "m", 53936.575, "m2 s-2"), ("geopotential", 550, "dam", 53936.575, "m2 s-2"),
    ("geopotential_500", 5500, "gpm", 53936.575, "m2 s-2"), ("geopotential", 53936.575, "m2 s-2", 5500, "m"),
    ("total_precipitation", 86.4, "mm/day", 1e-3, "kg m-2 s-1"),
    ("total_precipitation", 1, "kg m-2 s-1", 86400, "mm d-1"),
    ("total_precipitation", 5, "kg m-2", 0.005, "m"), ("total_column_water_vapour", 30, "mm", 30, "kg m-2")])
def test_quantities_of_one_variable_are_converted(name, value, written, expected, wanted):
    scale, offset = way_of(name, written, wanted)
    assert offset == 0 and value * scale == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name, written, wanted", [
    ("2m_temperature", "m", "K"), ("total_precipitation", "m", "kg m-2 s-1"), ("mean_sea_level_pressure", "m", "Pa"),
    ("ozone_mass_mixing_ratio", "mol mol-1", "kg kg-1"), ("x", "mm/day", "kg m-2 s-1")])
def test_quantities_of_other_variables_are_not(name, written, wanted):
    assert way_of(name, written, wanted) is None


@pytest.mark.parametrize("text", ["9**9**9", "m9999999", "K**9**9**9", "__import__('os')", "K" * 10_000, "🌡", "(" * 99])
def test_no_text_is_evaluated(text):
    assert conversion(text, "K") is None


@pytest.mark.parametrize("written, wanted", [("m", "m2 s-2"), ("K", "Pa"), ("m", "K"), ("m s-1", "m"), ("x", "K")])
def test_other_quantities_are_not_converted(written, wanted):
    assert conversion(written, wanted) is None


def test_what_values_may_be_in_can_be_converted_and_changes_them():
    for wanted, units in LIKELY.items():
        for written in units:
            assert conversion(written, wanted) not in (None, (1.0, 0.0))
