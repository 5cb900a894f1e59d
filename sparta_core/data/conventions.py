"""What others write: names of axes, levels and variables, units and calendars, and the way from their units to ours."""

import re

from sparta_core.data.variables import VARIABLES

AXES = {"valid_time": "time", "lat": "latitude", "lon": "longitude"}
# Names that are replaced as data are read, and all that are recognised.
NAMES = AXES | {"pressure_level": "level"} | {name: v.name for v in VARIABLES.values() for name in v.short}
TIMES = ("date", "datetime", "date_time", "timestamp", "day", "dates", "times", "time_utc", "utc")
RECOGNISED = NAMES | dict.fromkeys(TIMES, "time") | {name: v.name for v in VARIABLES.values() for name in v.others}
# Vertical coordinates by their usual names, with the units of those that say none.
VERTICAL_UNITS = {
    "level": "hPa", "pressure_level": "hPa", "isobaricInhPa": "hPa", "lev": "hPa", "pressure": "hPa", "plev": "Pa",
    "isobaricInPa": "Pa", "air_pressure": "Pa", "height": "m", "heightAboveGround": "m", "altitude": "m",
}  # fmt: skip
SURFACES = {"surface": "of the surface", "meanSea": "at sea level"}  # as cfgrib names them
VERTICAL_STANDARD_NAMES = ("air_pressure", "height", "altitude", "geopotential_height", "depth")
REAL_CALENDARS = ("standard", "gregorian", "proleptic_gregorian", "julian")  # whose dates all exist

GRAVITY = 9.80665  # m s-2, by which geopotential heights are defined
# Of units of one quantity: their values, times the first number plus the second, are values in the first of them.
QUANTITIES: tuple[dict[str, tuple[float, float]], ...] = (
    {"K": (1, 0), "degC": (1, 273.15), "degF": (5 / 9, 459.67 * 5 / 9)},
    {"Pa": (1, 0), "hPa": (100, 0), "kPa": (1000, 0), "bar": (1e5, 0)},
    {"m s-1": (1, 0), "km h-1": (1 / 3.6, 0), "knot": (1852 / 3600, 0), "cm s-1": (1e-2, 0)},
    {"1": (1, 0), "kg kg-1": (1, 0), "g g-1": (1, 0), "g kg-1": (1e-3, 0), "mg kg-1": (1e-6, 0), "%": (1e-2, 0)},
    {"m2 s-2": (1, 0), "J kg-1": (1, 0), "gpm": (GRAVITY, 0), "gpdm": (10 * GRAVITY, 0)},
    {"m": (1, 0), "km": (1e3, 0), "cm": (1e-2, 0), "mm": (1e-3, 0)},
)
SPELLINGS = {
    "kelvin": "K", "degK": "K", "deg_K": "K", "degree_K": "K", "degrees_K": "K",
    "C": "degC", "°C": "degC", "celsius": "degC", "deg_C": "degC", "degree_C": "degC", "degrees_C": "degC",
    "degree_celsius": "degC", "degrees_celsius": "degC", "°F": "degF", "fahrenheit": "degF", "degrees_F": "degF",
    "mb": "hPa", "mbar": "hPa", "millibar": "hPa", "millibars": "hPa", "hectopascal": "hPa", "hectopascals": "hPa",
    "pascal": "Pa", "pascals": "Pa", "kt": "knot", "kts": "knot", "kn": "knot", "knots": "knot",
    "metre": "m", "metres": "m", "meter": "m", "meters": "m", "percent": "%", "kph": "km h-1", "(0 - 1)": "1",
}  # fmt: skip
# What values that should be in some units may be in without saying so, the likelier first, with words for it.
LIKELY: dict[str, dict[str, str]] = {
    "K": {"degC": "degrees Celsius", "degF": "degrees Fahrenheit"}, "%": {"1": "a fraction"}, "m": {"mm": "mm"},
    "m2 s-2": {"gpm": "geopotential height in m", "gpdm": "geopotential height in dam"}, "kg kg-1": {"g kg-1": "g/kg"},
    "m s-1": {"knot": "knots", "km h-1": "km/h", "cm s-1": "cm/s"}, "Pa": {"hPa": "hPa"}, "hPa": {"Pa": "Pa"},
    "1": {"%": "percent"}, "(0 - 1)": {"%": "percent"},
}  # fmt: skip


def normalised_units(text: str) -> str:
    """Write units as CF does: "m s**-1", "m/s" and "m s^-1" become "m s-1"; what is no product of powers stays.

    Example:
        >>> normalised_units("m**2/s^2")
        'm2 s-2'
    """
    above, *below = text.replace("**", "").replace("^", "").split("/")
    factors = []
    for part, sign in [(above, 1), *((part, -1) for part in below)]:
        for factor in part.split():
            match = re.fullmatch(r"([A-Za-z]+)([+-]?\d+)?", factor)
            if match is None:
                return text.strip()
            power = sign * int(match[2] or 1)
            factors.append(match[1] if power == 1 else f"{match[1]}{power}")
    return " ".join(factors)


def conversion(written: str, wanted: str) -> tuple[float, float] | None:
    """Say what values in the units `written` are multiplied by, and what is then added, for values in `wanted`.

    Returns:
        The factor and the sum; None where the two are not known to measure the same quantity.

    Example:
        >>> conversion("celsius", "K")
        (1.0, 273.15)
    """
    old, new = (SPELLINGS.get(units) or SPELLINGS.get(units.lower(), units)
                for units in map(normalised_units, (written, wanted)))  # fmt: skip
    if old == new:
        return 1.0, 0.0
    for quantity in QUANTITIES:
        if old in quantity and new in quantity:
            (scale, offset), (new_scale, new_offset) = quantity[old], quantity[new]
            return scale / new_scale, (offset - new_offset) / new_scale
    return None
