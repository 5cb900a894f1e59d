"""The variables that this package knows, in one table: their other names, units, bounds, and how they are shown."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np

Range = tuple[float, float]
DRY_AIR = 287.05  # J kg-1 K-1, its gas constant
SURFACE_PRESSURES = (890.0, 1085.0)  # hPa at sea level, in daily means
LAYER_MEANS = (200.0, 310.0)  # K, between the ground and a level, of any column of air


class Label(NamedTuple):
    """How a variable is shown: value * factor, in units."""

    name: str
    units: str
    colours: str = "viridis"
    factor: float = 1.0
    signed: bool = False


@dataclass(frozen=True)
class Variable:
    """What is known of a variable without data; the defaults are those of one that nothing is known of."""

    name: str  # WeatherBench 2's
    label: Label | None = None
    units: str = ""  # what data are converted to; "": any, but they must be said
    short: tuple[str, ...] = ()  # names of Copernicus' and GRIB files, which are replaced as data are read
    others: tuple[str, ...] = ()  # names of CMIP, other files and tables, which are recognised, but not replaced
    bounds: Range | Callable[[float], Range] = (-inf, inf)  # what it never leaves, or never at a level (hPa)
    spread: Range = (0.0, inf)  # usual standard deviations over the globe and the year
    aloft: bool = False  # whether it is at a pressure: others, such as the pressure at sea level, need no level
    positive: bool = False
    static: bool = False  # without a time, and kept where a source has it
    standard_name: str = ""  # the CF conventions'


def geopotential_bounds(level: float) -> Range:
    """Find the least and the greatest geopotential (m2 s-2) that air has at `level` (hPa).

    Hydrostatically, R T log(p0 / p) above sea level with the pressure p0, in columns with the mean temperature T.
    """
    extremes = [DRY_AIR * mean * np.log(surface / level) for surface in SURFACE_PRESSURES for mean in LAYER_MEANS]
    return float(min(extremes)), float(max(extremes))


VARIABLES = {variable.name: variable for variable in (
    Variable("2m_temperature", Label("2 m temperature", "K", "plasma"), "K", ("t2m",), ("tas", "temperature_2m", "t2"),
             bounds=(160, 345), spread=(2, 60), standard_name="air_temperature"),  # K; observed: 184 to 330
    Variable("u_component_of_wind", Label("u wind, {level} hPa", "m/s", "PuOr_r", signed=True), "m s-1", ("u",),
             ("ua", "u_wind"), bounds=(-150, 150), spread=(1.5, 60), aloft=True,
             standard_name="eastward_wind"),  # jets reach 110
    Variable("v_component_of_wind", Label("v wind, {level} hPa", "m/s", "PuOr_r", signed=True), "m s-1", ("v",),
             ("va", "v_wind"), bounds=(-150, 150), spread=(1.5, 60), aloft=True, standard_name="northward_wind"),
    # A height zg is told from a geopotential by its values.
    Variable("geopotential", Label("geopotential, {level} hPa", "m²/s²"), "m2 s-2", ("z",),
             ("zg", "geopotential_height"), bounds=geopotential_bounds, aloft=True, standard_name="geopotential"),
    Variable("specific_humidity", Label("specific humidity, {level} hPa", "g/kg", "YlGnBu", factor=1000), "kg kg-1",
             ("q",), ("hus", "huss"), bounds=(-1e-3, 0.06),  # spectral models go a little below 0
             spread=(0, 0.02), aloft=True, positive=True, standard_name="specific_humidity"),
    Variable("temperature", short=("t",), others=("ta",), bounds=(130, 345), spread=(1, 60), aloft=True),  # any level
    Variable("land_sea_mask", short=("lsm",), static=True),
    Variable("geopotential_at_surface", static=True),
)}  # fmt: skip
UNITS = {name: variable.units for name, variable in VARIABLES.items() if variable.units}
STATIC = tuple(name for name, variable in VARIABLES.items() if variable.static)


def variable(name: str) -> Variable:
    """Look a variable up by its name; nothing is known of one that is not in VARIABLES."""
    return VARIABLES.get(name) or Variable(name)


def label(name: str, level: int, units: str = "") -> Label:
    """Say how a variable is shown at `level` hPa; one without a label keeps its name and `units`.

    Example:
        >>> label("geopotential", 500).name
        'geopotential, 500 hPa'
    """
    known = variable(name).label or Label(name.replace("_", " "), units)
    return known._replace(name=known.name.format(level=level))


def short_label(name: str) -> str:
    """Say what a variable is called where its level goes without saying."""
    return label(name, 0).name.split(",")[0]
