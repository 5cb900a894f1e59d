"""The variables that this package knows, in one table: their other names, units, bounds, and how they are shown.

A variable on levels is called as it is here, where the setting `level` says at which, or with its
own: geopotential_500.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from math import inf
from typing import NamedTuple

import numpy as np

from sparta_core.errors import ExperimentError
from sparta_core.typed import loaded

Range = tuple[float, float]
Through = tuple[str, str, float]
DRY_AIR = 287.05  # J kg-1 K-1, its gas constant
GRAVITY = 9.80665  # m s-2, by which geopotential heights are defined
SURFACE_PRESSURES = (890.0, 1085.0)  # hPa at sea level, in daily means
LAYER_MEANS = (200.0, 310.0)  # K, between the ground and a level, of any column of air
# Of water, 1 kg m-2 is 1 mm, and its flux a depth in time.
WATER: tuple[Through, ...] = (("m s-1", "kg m-2 s-1", 1000.0), ("kg m-2", "m", 1e-3))
GROUP = "sparta_core.variables"  # the entry points by which other packages add theirs
WEATHERBENCH2_VARIABLES = (
    "2m_temperature", "u_component_of_wind", "v_component_of_wind", "geopotential", "specific_humidity",
)  # fmt: skip


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

    name: str  # WeatherBench 2's and Copernicus'
    label: Label | None = None
    units: str = ""  # what data are converted to; "": any, but they must be said
    names: tuple[str, ...] = ()  # what files call it, in small letters, wherever in the file it is
    shared: tuple[str, ...] = ()  # what files call it and others: it is this one where its height, or level, says so
    bounds: Range | Callable[[float], Range] = (-inf, inf)  # what it never leaves, or never at a level (hPa)
    spread: Range = (0.0, inf)  # usual standard deviations over the globe and the year
    aloft: bool = False  # whether it is at a pressure: others, such as the pressure at sea level, need no level
    positive: bool = False
    static: bool = False  # without a time, and kept where a source has it
    standard_name: str = ""  # the CF conventions'
    alike: tuple[str, ...] = ()  # other standard names of files that hold it
    amounts: str = ""  # units of another quantity that data of this name may be in, and then stay in
    through: tuple[Through, ...] = ()  # (units, units of another quantity, times): what it comes in, too
    level: float | None = None  # hPa, where its name says it

    @property
    def height(self) -> float | None:
        """The height above the ground, in m, that its name begins with."""
        height = re.match(r"(\d+)m_", self.name)
        return float(height[1]) if height else None


def geopotential_bounds(level: float) -> Range:
    """Find the least and the greatest geopotential (m2 s-2) that air has at `level` (hPa).

    Hydrostatically, R T log(p0 / p) above sea level with the pressure p0, in columns with the mean temperature T.
    """
    extremes = [DRY_AIR * mean * np.log(surface / level) for surface in SURFACE_PRESSURES for mean in LAYER_MEANS]
    return float(min(extremes)), float(max(extremes))


def _wind(letter: str, standard: str) -> tuple[Variable, ...]:
    """A component of the wind on levels, at 10 m and at 100 m."""
    title = Label(f"{letter} wind, {{level}} hPa", "m/s", "PuOr_r", signed=True)
    both = (f"{letter}wnd", f"{letter}grd")
    aloft = Variable(f"{letter}_component_of_wind", title, "m s-1", (letter, f"{letter}a", f"{letter}_wind"), both,
                     bounds=(-150, 150), spread=(1.5, 60), aloft=True, standard_name=standard)  # fmt: skip
    shared = (*aloft.names, *both)  # jets aloft reach 110
    near = {10: (f"{letter}10", f"10{letter}", f"{letter}as", f"{letter}10m", f"{letter}_10m"),
            100: (f"{letter}100", f"100{letter}", f"{letter}100m")}  # fmt: skip
    return aloft, *(Variable(f"{height}m_{letter}_component_of_wind", title._replace(name=f"{height} m {letter} wind"),
                             "m s-1", names, shared, bounds=(-100, 100), spread=(0.5, 40), standard_name=standard)
                    for height, names in near.items())  # fmt: skip


VARIABLES = {variable.name: variable for variable in (
    Variable("2m_temperature", Label("2 m temperature", "K", "plasma"), "K",
             ("t2m", "2t", "t2", "tas", "temperature_2m", "t_2m", "trefht", "tmp2m"), ("air", "tmp", "temp", "t"),
             bounds=(160, 345), spread=(2, 60), standard_name="air_temperature"),  # K; observed: 184 to 330
    *_wind("u", "eastward_wind"),
    *_wind("v", "northward_wind"),
    Variable("geopotential", Label("geopotential, {level} hPa", "m²/s²"), "m2 s-2",
             ("z", "zg", "gh", "geopotential_height", "z3"), ("hgt", "phi"), bounds=geopotential_bounds, aloft=True,
             standard_name="geopotential", alike=("geopotential_height",), through=(("m", "m2 s-2", GRAVITY),)),
    Variable("specific_humidity", Label("specific humidity, {level} hPa", "g/kg", "YlGnBu", factor=1000), "kg kg-1",
             ("q", "hus", "qv"), ("shum", "spfh"), bounds=(-1e-3, 0.06),  # spectral models go a little below 0
             spread=(0, 0.02), aloft=True, positive=True, standard_name="specific_humidity"),
    Variable("temperature", Label("temperature, {level} hPa", "K", "plasma"), "K", ("t", "ta"), ("air", "tmp", "temp"),
             bounds=(130, 345), spread=(1, 60), aloft=True, standard_name="air_temperature"),  # at any level
    Variable("relative_humidity", Label("relative humidity, {level} hPa", "%", "YlGnBu"), "%", ("r", "hur"),
             ("rh", "rhum"), bounds=(-30, 200), spread=(2, 60), aloft=True, standard_name="relative_humidity"),
    Variable("vertical_velocity", Label("vertical velocity, {level} hPa", "Pa/s", "PuOr_r", signed=True), "Pa s-1",
             ("w", "wap", "omega"), bounds=(-50, 50), aloft=True,
             standard_name="lagrangian_tendency_of_air_pressure"),
    Variable("ozone_mass_mixing_ratio", Label("ozone, {level} hPa", "mg/kg", factor=1e6), "kg kg-1", ("o3",),
             bounds=(-1e-6, 1e-4), aloft=True, positive=True, standard_name="mass_fraction_of_ozone_in_air"),
    Variable("2m_dewpoint_temperature", Label("2 m dew point", "K", "plasma"), "K", ("d2m", "2d", "tdps", "dew2m"),
             ("td",), bounds=(130, 320), spread=(2, 60), standard_name="dew_point_temperature"),
    Variable("2m_specific_humidity", Label("2 m specific humidity", "g/kg", "YlGnBu", factor=1000), "kg kg-1",
             ("huss", "q2", "q2m", "qv2m", "sh2", "2sh"), ("q", "shum", "spfh", "qv"), bounds=(-1e-3, 0.06),
             spread=(0, 0.03), positive=True, standard_name="specific_humidity"),
    Variable("2m_relative_humidity", Label("2 m relative humidity", "%", "YlGnBu"), "%", ("hurs", "rh2m", "r2", "2r"),
             ("r", "rh", "rhum"), bounds=(-30, 200), spread=(2, 60), standard_name="relative_humidity"),
    Variable("10m_wind_speed", Label("10 m wind speed", "m/s"), "m s-1", ("si10", "10si", "sfcwind", "ws10"), ("wspd",),
             bounds=(-1e-3, 100), positive=True, standard_name="wind_speed"),
    Variable("mean_sea_level_pressure", Label("mean sea level pressure", "hPa", factor=0.01), "Pa",
             ("msl", "psl", "slp", "mslp", "prmsl", "pmsl"), bounds=(85000, 110000), spread=(50, 5000),
             standard_name="air_pressure_at_mean_sea_level", alike=("air_pressure_at_sea_level",)),
    Variable("surface_pressure", Label("surface pressure", "hPa", factor=0.01), "Pa", ("sp", "ps", "psfc"), ("pres",),
             bounds=(30000, 111000), spread=(50, 25000), standard_name="surface_air_pressure"),
    # A rate, or the amount of a time that nothing says. Bounds are for both: a day's record is 1.8 m.
    Variable("total_precipitation", Label("precipitation", "mm/day", "YlGnBu", factor=86400), "kg m-2 s-1",
             ("tp", "pr", "precip", "prate", "prcp", "prect", "precipitation", "rainfall"), bounds=(-1e-3, 5),
             positive=True, amounts="m", through=WATER, standard_name="precipitation_flux",
             alike=("lwe_precipitation_rate", "precipitation_amount", "lwe_thickness_of_precipitation_amount")),
    Variable("sea_surface_temperature", Label("sea surface temperature", "K", "plasma"), "K", ("sst", "tos"),
             bounds=(265, 320), standard_name="sea_surface_temperature", alike=("sea_surface_foundation_temperature",)),
    Variable("skin_temperature", Label("skin temperature", "K", "plasma"), "K", ("skt", "ts", "tsk"), ("tmp", "t"),
             bounds=(150, 370), standard_name="surface_temperature"),
    Variable("total_column_water_vapour", Label("column water vapour", "kg/m²", "YlGnBu"), "kg m-2",
             ("tcwv", "prw", "pwat"), bounds=(-1, 150), positive=True, through=(("m", "kg m-2", 1000.0),),
             standard_name="atmosphere_mass_content_of_water_vapor"),
    Variable("total_column_ozone", Label("column ozone", "kg/m²"), "kg m-2", ("tco3",), bounds=(0, 0.02), positive=True,
             standard_name="atmosphere_mass_content_of_ozone"),
    Variable("total_cloud_cover", Label("cloud cover", "%", "Greys_r", factor=100), "1", ("tcc", "clt", "tcdc"),
             bounds=(-0.05, 1.05), standard_name="cloud_area_fraction"),
    Variable("sea_ice_cover", Label("sea ice", "%", "Blues_r", factor=100), "1", ("siconc", "ci", "sic"), ("icec",),
             bounds=(-0.05, 1.05), standard_name="sea_ice_area_fraction"),
    *(Variable(f"volumetric_soil_water_layer_{layer}", Label(f"soil water, layer {layer}", "%", "YlGnBu", factor=100),
               "m3 m-3", (f"swvl{layer}",), bounds=(-0.05, 1.05),
               standard_name="volume_fraction_of_condensed_water_in_soil") for layer in (1, 2, 3, 4)),
    Variable("land_sea_mask", units="1", names=("lsm", "sftlf"), shared=("land",), static=True,
             standard_name="land_binary_mask", alike=("land_area_fraction",)),
    Variable("geopotential_at_surface", units="m2 s-2", shared=("z", "hgt", "zg", "gh"), static=True,
             through=(("m", "m2 s-2", GRAVITY),), standard_name="surface_geopotential",
             alike=("geopotential", "geopotential_height")),
)}  # fmt: skip
UNITS = {name: VARIABLES[name].units for name in WEATHERBENCH2_VARIABLES}
STATIC = tuple(name for name, variable in VARIABLES.items() if variable.static)


def add(*variables: Variable) -> None:
    """Add variables to the table, or replace those of the same name.

    A package adds its own for every program by an entry point of the group `sparta_core.variables`, which names a
    Variable or a tuple of them.

    Raises:
        ExperimentError: One of the names in files is another variable's.

    Example:
        >>> add(Variable("chlorophyll", Label("chlorophyll", "mg/m³", "viridis"), "mg m-3", names=("chlor_a",)))
        >>> label("chlorophyll", 850).units, meanings("CHLOR_A")
        ('mg/m³', ('chlorophyll',))
        >>> del VARIABLES["chlorophyll"]
    """
    for new in variables:
        if not isinstance(new, Variable):
            raise ExperimentError(f"a {type(new).__name__} is no variable; add a Variable")
        taken = [(name, other.name) for name in (new.name, *new.names) for other in VARIABLES.values()
                 if other.name != new.name and name.lower() in (other.name, *other.names)]  # fmt: skip
        if taken:
            raise ExperimentError(f"{taken[0][0]} is a name of {taken[0][1]}; call {new.name} something else, or leave "
                                  "the name out")
        VARIABLES[new.name] = replace(new, names=tuple(map(str.lower, new.names)),
                                      shared=tuple(map(str.lower, new.shared)))  # fmt: skip


@cache
def _add_others() -> None:
    """Add what other packages name in entry points: once, and not before somebody asks, as they import this module."""
    for point in entry_points(group=GROUP):
        found = loaded(point)
        add(*(found if isinstance(found, list | tuple) else [found]))


def variable(name: str) -> Variable:
    """Look a variable up by its name; nothing is known of one that is not in VARIABLES.

    One with a level in its name, such as geopotential_500, is what is known of geopotential, at that level.

    Example:
        >>> variable("temperature_850").level, variable("temperature_850").units, variable("temperature").level
        (850.0, 'K', None)
    """
    _add_others()
    if name in VARIABLES:
        return VARIABLES[name]
    base, _, digits = name.rpartition("_")
    known = VARIABLES.get(base)
    if known is None or not known.aloft or not re.fullmatch(r"[1-9]\d{0,3}", digits):
        return Variable(name)
    level = float(digits)
    shown = known.label and known.label._replace(name=known.label.name.format(level=digits))
    bounds = known.bounds(level) if callable(known.bounds) else known.bounds
    return replace(known, name=name, label=shown, bounds=bounds, level=level)


def base_name(name: str) -> str:
    """The name without the level that it may end with: of "geopotential_500" "geopotential"."""
    return name if variable(name).level is None else name.rpartition("_")[0]


def meanings(name: str, shared: bool = False) -> tuple[str, ...]:
    """List the variables that files call `name`: wherever it is, or `shared`, where its height or level says so.

    Example:
        >>> meanings("tas"), meanings("air"), meanings("air", shared=True)
        (('2m_temperature',), (), ('2m_temperature', 'temperature'))
    """
    _add_others()
    small = name.lower()
    return tuple(known.name for known in VARIABLES.values()
                 if small in known.names or (shared and small in known.shared))  # fmt: skip


def label(name: str, level: float, units: str = "") -> Label:
    """Say how a variable is shown at `level` hPa; one without a label keeps its name, and `units` that are not the
    table's stay.

    Example:
        >>> label("geopotential", 500).name, label("temperature_850", 500).name
        ('geopotential, 500 hPa', 'temperature, 850 hPa')
    """
    known = variable(name)
    shown = known.label or Label(name.replace("_", " "), units)
    if units not in ("", known.units):
        shown = Label(shown.name, units, shown.colours, 1.0, shown.signed)
    return shown._replace(name=shown.name.format(level=level))


def short_label(name: str) -> str:
    """Say what a variable is called where its level goes without saying, unless its own name says it."""
    shown = label(name, 0).name
    return shown if variable(name).level is not None else shown.split(",")[0]
