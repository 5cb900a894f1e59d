"""The table of variables: against the standard atmosphere and records of the weather, and that no name means two."""

import numpy as np
import pytest
import xarray as xr
from matplotlib import colormaps

from sparta_core.data import conventions, grid, variables
from sparta_core.data.units import LIKELY, normalised_units, way_of
from sparta_core.data.variables import (
    UNITS,
    VARIABLES,
    Label,
    Variable,
    geopotential_bounds,
    label,
    meanings,
    short_label,
    variable,
)
from sparta_core.errors import ExperimentError


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


@pytest.fixture
def table():
    """The table, as it was before the test."""
    before = dict(VARIABLES)
    yield VARIABLES
    VARIABLES.clear()
    VARIABLES.update(before)


CHLOROPHYLL = Variable("chlorophyll", Label("chlorophyll", "mg/m³", "viridis"), "mg m-3", ("CHLOR_A",), bounds=(0, 99),
                       positive=True, standard_name="mass_concentration_of_chlorophyll_in_sea_water")  # fmt: skip


def test_a_user_adds_a_variable_by_a_line(table):
    variables.add(CHLOROPHYLL)
    values = (grid.DIMENSIONS, np.ones((1, 1, 2)), {"units": "kg m-3"})
    days = xr.Dataset({"chlor_a": values})
    with pytest.warns(UserWarning, match="chlorophyll in here is in 'kg m-3'; it is converted to 'mg m-3', times 1e"):
        chosen = grid.select(grid.named(days), ["chlorophyll"], 850, "here")
    assert (chosen["chlorophyll"] == 1e6).all()
    assert label("chlorophyll", 850).units == "mg/m³" and variable("chlorophyll").bounds == (0, 99)
    other = days.rename(chlor_a="x")
    other["x"].attrs["standard_name"] = "mass_concentration_of_chlorophyll_in_sea_water"
    assert "chlorophyll" in grid.named(other)


def test_another_package_adds_variables_by_an_entry_point(table, monkeypatch):
    class Point:
        name, value, group = "sea", "sea.variables", variables.GROUP

        def load(self):
            return (CHLOROPHYLL, Variable("salinity", units="1"))

    monkeypatch.setattr(variables, "entry_points", lambda group: [Point()] if group == variables.GROUP else [])
    variables._add_others.cache_clear()
    assert variable("chlorophyll") is not None and variable("chlorophyll").units == "mg m-3"
    assert variable("salinity").units == "1"
    variables._add_others.cache_clear()


@pytest.mark.parametrize("new, said", [
    (Variable("warmth", names=("t2m",)), "t2m is a name of 2m_temperature; call warmth something else"),
    ("warmth", "a str is no variable; add a Variable")])  # fmt: skip
def test_what_cannot_be_added_is_said(table, new, said):
    with pytest.raises(ExperimentError, match=said):
        variables.add(new)


def test_a_variable_with_a_level_is_that_of_the_table_there():
    known = variable("geopotential_500")
    assert known.level == 500 and known.bounds == geopotential_bounds(500) and known.units == "m2 s-2"
    assert label("geopotential_500", 850).name == "geopotential, 500 hPa" == short_label("geopotential_500")
    assert variable("2m_temperature_500") == Variable("2m_temperature_500")  # which is at no level
    assert variable("volumetric_soil_water_layer_1").level is None


@pytest.mark.parametrize("known", VARIABLES.values(), ids=lambda known: known.name)
def test_every_variable_of_the_table_has_what_is_needed(known):
    """Units that pint reads, a colour map that matplotlib has, and shown units that are the factor times its own."""
    assert known.standard_name and normalised_units(known.units) == known.units
    if known.static:
        return
    assert known.label.colours in colormaps
    scale, offset = way_of(known.name, known.units, known.label.units.translate(str.maketrans("²³", "23")))
    assert offset == 0 and scale == pytest.approx(known.label.factor)
    if not callable(known.bounds):
        assert known.bounds[0] < known.bounds[1] < float("inf")


def test_nothing_is_known_of_other_variables():
    assert variable("sea_ice") == Variable("sea_ice") and variable("sea_ice").bounds == (-float("inf"), float("inf"))
