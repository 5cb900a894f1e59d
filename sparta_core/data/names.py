"""What others call variables: known by name, by CF's standard name, and by where a field is; WeatherBench 2's names."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import xarray as xr

from sparta_core.data.axes import renamed_axes
from sparta_core.data.levels import verticals
from sparta_core.data.variables import VARIABLES, Variable, meanings, variable

# A name with a level, z500, ua_850hPa or HGT_500mb, or a height, TMP_2maboveground, behind it.
WITH_LEVEL = re.compile(r"([a-z_]+?)_?(\d{1,4})_?(hpa|mb)?")
WITH_HEIGHT = re.compile(r"([a-z]+)_?(\d+)m_?(above_?ground|agl)?")
LOWEST = 50  # hPa, from which on a number behind a letter alone is a level: u10 is a height
HEIGHT_SAID = re.compile(r"\b(\d+)[ -]?m(?:et(?:re|er)s?)?\b")
AT_SURFACE = ("air", "shum", "rhum")  # NCEP's names of what is at 2 m, where it is called of the surface
EXTREME = re.compile(r"\b(maximum|minimum|standard_deviation|variance|range)\b")  # of cell_methods: no means
# Words of what is no temperature, though it may be called so: potential temperature, WRF's perturbations.
OTHERWISE = re.compile(r"\b(potential|perturbation|anomaly)\b|mole_fraction|_anomaly|potential_temperature")


class Place(NamedTuple):
    """Where a field says that it is: at a pressure, at heights in m, at the surface, or "" where it says nothing."""

    kind: str
    heights: tuple[float, ...] = ()


def named(dataset: xr.Dataset, names: Mapping[str, str] | None = None) -> xr.Dataset:
    """Give a dataset WeatherBench 2's names; lazy stays lazy.

    Coordinates become time, latitude, longitude, level and number. On a grid with 2-D coordinates the dimensions are y
    and x, and latitude and longitude (y, x). Variables are known by their names in the files of Copernicus, CMIP, NCEP
    and GRIB, with where the field is, or by their standard name. What may be several stays as it is.

    Args:
        dataset: Of any convention.
        names: Of coordinates alone, where variables are to stay as they are.

    Example:
        >>> fields = xr.Dataset({"zg": (("plev", "lat"), [[5500.0]])}, {"plev": [50000.0], "lat": [0.0]})
        >>> renamed = named(fields)
        >>> list(renamed), dict(renamed.sizes), renamed["level"].attrs
        (['geopotential'], {'level': 1, 'latitude': 1}, {'units': 'Pa'})
    """
    dataset = renamed_axes(dataset)
    if names is not None:
        return dataset
    found: dict[str, list[tuple[bool, str]]] = {}
    for name, field in dataset.data_vars.items():
        if str(name) in VARIABLES or not field.ndim:
            continue
        for meant, by_name in meant_by(str(name), field):
            found.setdefault(meant, []).append((by_name, str(name)))
    renamed = {}
    for meant, theirs in found.items():
        surest = [name for by_name, name in theirs if by_name] or [name for _, name in theirs]
        if len(surest) == 1 and meant not in dataset.variables:
            renamed[surest[0]] = meant
    return dataset.rename(renamed)


def meant_by(name: str, field: xr.DataArray) -> Iterator[tuple[str, bool]]:
    """The variable that a field is, by its name or else by its standard name; nothing where it could be several."""
    methods, words = (str(field.attrs.get(key, "")) for key in ("cell_methods", "standard_name"))
    said = " ".join([words, *(str(field.attrs.get(key, ""))[:200] for key in ("long_name", "description"))]).lower()
    if EXTREME.search(methods) or OTHERWISE.search(said):
        return
    place = place_of(field)
    for each, by_name in ((list(_by_name(name, words, place)), True), (list(_by_standard(words, place)), False)):
        if each:
            if len(each) == 1:
                yield each[0], by_name
            return


def candidates(name: str, field: xr.DataArray) -> tuple[str, ...]:
    """The variables that a field may be, one or several."""
    place, standard = place_of(field), str(field.attrs.get("standard_name", ""))
    return tuple(_by_name(name, standard, place)) or tuple(_by_standard(standard, place)) or (
        () if place.kind else meanings(name, shared=True))  # fmt: skip


def place_of(field: xr.DataArray) -> Place:
    """Where a field says that it is, by its vertical coordinates, else in the words of its attributes."""
    found = [*verticals(field)]
    if any(vertical.kind == "pressure" for vertical in found):
        return Place("pressure")
    heights = [value for vertical in found if vertical.kind == "height" for value in vertical.values]
    if heights:
        return Place("height", tuple(heights))
    if found:
        return Place(found[0].kind)
    level = str(field.attrs.get("level_desc", field.attrs.get("GRIB_typeOfLevel", ""))).lower()
    if "level" in field.attrs and not level:
        return Place("pressure")
    said = HEIGHT_SAID.search(level) or HEIGHT_SAID.search(str(field.attrs.get("long_name", "")).lower())
    if said:
        return Place("height", (float(said[1]),))
    return Place("surface" if level.startswith(("surface", "meansea")) else "")


def _fits(known: Variable, place: Place) -> bool:
    if known.aloft:
        return place.kind == "pressure"
    if known.height is not None:
        return known.height in place.heights
    return place.kind == "surface" or (place.kind == "" and not known.static)


def _by_name(name: str, standard: str, place: Place) -> Iterator[str]:
    known = [variable(each) for each in meanings(name, shared=True)]
    others = {each.name for each in VARIABLES.values() if standard and standard in (each.standard_name, *each.alike)}
    known = [each for each in known if not others or each.name in others]
    near = place.kind == "surface" and name.lower() in AT_SURFACE
    fitting = [each.name for each in known if place.kind and _fits(each, Place("height", (2.0,)) if near else place)]
    sure = [each.name for each in known if each.name in meanings(name) and not (each.aloft and place.kind == "surface")]
    if len(fitting) > 1 and {*fitting} & {*sure}:
        fitting = [each for each in fitting if each in sure]
    yield from fitting or sure
    if meanings(name, shared=True):
        return
    small = name.lower()
    if match := WITH_LEVEL.fullmatch(small):
        base, digits, units = match.groups()
        aloft = [each for each in (base, *meanings(base, shared=True)) if variable(each).aloft]
        if aloft and (units or len(base) > 1 or int(digits) >= LOWEST):
            yield f"{aloft[0]}_{int(digits)}"
    if match := WITH_HEIGHT.fullmatch(small):
        at = Place("height", (float(match[2]),))
        yield from (each for each in meanings(match[1], shared=True) if variable(each).height in at.heights)


def _by_standard(standard: str, place: Place) -> Iterator[str]:
    """The variables with this standard name that are where the field is; all of them where it says nothing."""
    known = [each for each in VARIABLES.values() if standard and standard in (each.standard_name, *each.alike)]
    fitting = [each for each in known if _fits(each, place) or not (place.kind or each.static)]
    # A scalar height is every field's in a dataset, though it may be another's: it says nothing of what has none.
    yield from (each.name for each in fitting or known if fitting or not (each.aloft or each.height))
