"""Units: their spelling, and the way from those that are written to those that are wanted, as pint knows them."""

import re
import warnings
from functools import cache
from typing import Any

from sparta_core.data.variables import variable

# What files write and pint, with cf-xarray's definitions, does not read, or reads as something else (millibarn).
SPELLINGS = {
    "kelvin": "K", "kelvins": "K", "degrees_kelvin": "K", "degree_kelvin": "K", "degree_k": "K", "degrees_k": "K",
    "deg_c": "degC", "degree_c": "degC", "degrees_c": "degC", "celcius": "degC", "deg_f": "degF", "degree_f": "degF",
    "degrees_f": "degF", "degrees_fahrenheit": "degF", "mb": "hPa", "mbs": "hPa", "pascals": "Pa",
    "(0_-_1)": "1", "(0-1)": "1", "0-1": "1", "0_-_1": "1", "fraction": "1", "proportion": "1", "gm": "g",
    "mm/24h": "mm day-1", "mm/24_h": "mm day-1",
    "gpdm": "standard_gravity dam", "gpdam": "standard_gravity dam", "gpm": "standard_gravity m",
    "geopotential_meter": "standard_gravity m", "geopotential_metre": "standard_gravity m",
}  # fmt: skip
# A geopotential metre is a unit of geopotential, and one of height, too.
HEIGHTS = {"gpm": "m", "gpdm": "dam", "gpdam": "dam", "geopotential_meter": "m", "geopotential_metre": "m"}
# What values that should be in some units may be in without saying so, the likelier first, with words for it.
LIKELY: dict[str, dict[str, str]] = {
    "K": {"degC": "degrees Celsius", "degF": "degrees Fahrenheit"}, "%": {"1": "a fraction"}, "m": {"mm": "mm"},
    "m2 s-2": {"gpm": "geopotential height in m", "gpdm": "geopotential height in dam"}, "kg kg-1": {"g kg-1": "g/kg"},
    "m s-1": {"knot": "knots", "km h-1": "km/h", "cm s-1": "cm/s"}, "Pa": {"hPa": "hPa"}, "hPa": {"Pa": "Pa"},
    "1": {"%": "percent"}, "(0 - 1)": {"%": "percent"}, "Pa s-1": {"hPa s-1": "hPa/s"},
}  # fmt: skip
WORD = 4  # letters from which on capitals change nothing: "Pascal" is a pascal, but "PA" is no "pa"
Way = tuple[float, float]


def normalised_units(text: str) -> str:
    """Write units as CF does: "m s**-1", "m/s" and "m s^-1" become "m s-1"; what is no product of powers stays.

    Example:
        >>> normalised_units("m**2/s^2")
        'm2 s-2'
    """
    flat = re.sub(r"/\s*\(([^()]*)\)", lambda below: "/" + "/".join(re.split(r"[\s*.·]+", below[1].strip())),
                  text.replace("**", "").replace("^", ""))  # fmt: skip
    above, *below = flat.split("/")
    factors = []
    for part, sign in [(above, 1), *((part, -1) for part in below)]:
        for factor in re.split(r"[\s*·]+|(?<=[A-Za-z\d])\.(?=[A-Za-z])", part.strip()):
            match = re.fullmatch(r"([^\W\d]+|1(?!\d))([+-]?\d{1,2})?", factor)
            if match is None:
                return text.strip()
            power = sign * int(match[2] or 1)
            factors += [] if match[1] == "1" else [match[1] if power == 1 else f"{match[1]}{power}"]
    return " ".join(factors) or "1"


@cache
def conversion(written: str, wanted: str) -> Way | None:
    """Say what values in the units `written` are multiplied by, and what is then added, for values in `wanted`.

    Returns:
        The factor and the sum; None where the two are not known to measure the same quantity.

    Example:
        >>> conversion("celsius", "K")
        (1.0, 273.15)
    """
    if normalised_units(written) == normalised_units(wanted):
        return 1.0, 0.0
    for table in (SPELLINGS, SPELLINGS | HEIGHTS):
        old, new = (_spelt(text, table) for text in (written, wanted))
        if old == new:
            return 1.0, 0.0
        # A fraction of moles is none of masses, though both have no dimension.
        if old is not None and new is not None and ("mol" in old.split()) == ("mol" in new.split()):
            way = _way(old, new)
            if way is not None:
                return way
    return None


def way_of(name: str, written: str, wanted: str) -> Way | None:
    """The conversion of a variable, whose quantity comes in units of several: heights of a geopotential, for one.

    Example:
        >>> way_of("geopotential", "dam", "m2 s-2"), way_of("total_precipitation", "kg m-2 s-1", "mm/day")
        ((98.0665, 0.0), (86400.0, 0.0))
    """
    direct = conversion(written, wanted)
    if direct is not None:
        return direct
    for theirs, ours, factor in variable(name).through:
        for before, after, times in ((theirs, ours, factor), (ours, theirs, 1 / factor)):
            first, second = conversion(written, before), conversion(after, wanted)
            if first and second and not (first[1] or second[1]):
                return _rounded(first[0] * times * second[0]), 0.0
    return None


def said(way: Way) -> str:
    """Say a conversion: ", times 0.001" or ", plus 273.15"."""
    scale, offset = way
    return f",{f' times {scale:g}' * (scale != 1)}{f' plus {offset:g}' * (offset != 0)}"


def _spelt(text: str, table: dict[str, str]) -> str | None:
    """Units in letters that pint reads; None for what is no product of powers, which nobody evaluates."""
    whole = table.get(re.sub(r"\s+", "_", text.strip().lower()))
    if whole is not None:
        return whole
    plain = normalised_units(text)
    if not re.fullmatch(r"1|([^\W\d]+(-?\d{1,2})?( |$))+|%|(°|º)[CFK]", plain) or len(plain) > 100:
        return None
    words = []
    for factor in plain.split():
        unit, power = re.fullmatch(r"(.*?)(-?\d*)", factor).groups()  # type: ignore[union-attr]
        other = table.get(unit.lower())
        # Several units in one spelling take the power each.
        words += [f"{one}{power}" for one in other.split()] if other and other != "1" else [] if other else [factor]
    return " ".join(words).replace("º", "°") or "1"


def _way(old: str, new: str) -> Way | None:
    known = _registry()
    try:
        first, second = (_parsed(text) for text in (old, new))
        if first.dimensionality != second.dimensionality:
            return None
        scale = known.Quantity(1.0, _step(first)).to(_step(second)).magnitude
        offset = known.Quantity(0.0, first).to(second).magnitude
    except Exception:  # pint raises whatever reading a text may raise
        return None
    return _rounded(float(scale)), _rounded(float(offset))


def _parsed(text: str) -> Any:
    known = _registry()
    try:
        return known.parse_units(text)
    except Exception:
        if any(len(re.sub(r"[^A-Za-z]", "", word)) < WORD for word in text.split()):
            raise
        return known.parse_units(text.lower())


def _step(unit: Any) -> Any:
    """The unit of differences: of a temperature in degC the kelvin."""
    name = str(unit)
    return _registry().Unit(f"delta_{name}") if name.startswith("degree_") else unit


def _rounded(number: float) -> float:
    """Without the last bits, which are those of pint's way there."""
    return float(f"{number:.15g}")


@cache
def _registry() -> Any:
    """The units that CF and UDUNITS know, which take a second to read: nothing is read unless units differ."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cf_xarray.units import units

    return units
