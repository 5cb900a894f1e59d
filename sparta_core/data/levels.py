"""The vertical: what its coordinates say of where a field is, and the part of it that is wanted."""

from collections.abc import Hashable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.data.conventions import SURFACES, VERTICAL_STANDARD_NAMES, VERTICAL_UNITS
from sparta_core.data.units import conversion
from sparta_core.data.variables import variable
from sparta_core.errors import DataError

# What is wrong with a field that a vertical coordinate puts elsewhere, by its kind and whether it is a dimension.
ELSEWHERE = {
    ("pressure", True): "{where} has no{single} level {wanted:g} hPa; choose among its levels: {shown}",
    ("pressure", False): "{where} holds level {shown} hPa, not {wanted:g}; use that level or other data",
    ("height", True): "{name} in {where} has no{single} height of {wanted:g} m; its heights are: {shown}",
    ("height", False): "{name} in {where} is at {shown} m above the ground; give it at {wanted:g} m",
}


class Vertical(NamedTuple):
    """A vertical coordinate of a field."""

    name: str
    kind: str  # pressure, height, surface or unknown
    along: bool  # whether it is a dimension of the field; else it has one value for all
    values: np.ndarray = np.empty(0)  # hPa or m

    @property
    def shown(self) -> str:
        return ", ".join(f"{value:g}" for value in self.values[:50])


def at_level(dataset: xr.Dataset, level: float, where: str) -> xr.Dataset:
    """Take the fields of a dataset that are at a level, without their vertical coordinates.

    A variable without any stays as it is; one at a height above the ground must have it in its name, as
    2m_temperature has, and one with a level in its name is taken there.

    Args:
        dataset: fields in any order of dimensions.
        level: where they are to be, hPa.
        where: what errors call the source.

    Raises:
        DataError: a coordinate, or the attribute "level" of a field or of a dataset without any pressure, says
            something else.

    Example:
        >>> days = xr.Dataset({"geopotential": ("level", [5e4, 1.5e4])}, {"level": [500, 850]})
        >>> at_level(days, 850, "here")["geopotential"].item()
        15000.0
    """
    known = {str(name): [*verticals(field)] for name, field in dataset.data_vars.items()}
    above = any(variable(name).aloft for name in known)  # a scalar pressure is theirs
    fields = {}
    for name, found in known.items():
        mine = variable(name)
        if above and mine.standard_name and not mine.aloft:
            found = [each for each in found if each.kind != "pressure" or each.along]
        wanted = variable(name).level or level
        if not any(vertical.kind == "pressure" for vertical in found):
            whole = not any(vertical.kind == "pressure" for each in known.values() for vertical in each)
            _check_said(dataset[name], dataset.attrs if whole else {}, wanted, where)
        fields[name] = _placed(dataset[name], name, found, wanted, where)
    gone = {vertical.name for found in known.values() for vertical in found}
    fields = {name: field.drop_vars(gone, errors="ignore") for name, field in fields.items()}
    return xr.Dataset(fields, attrs=dataset.attrs)


def says_level(field: xr.DataArray) -> bool:
    """Whether a field says by itself at which pressure it is: by a coordinate, or by its attribute."""
    return "level" in field.attrs or any(vertical.kind == "pressure" for vertical in verticals(field))


def _check_said(field: xr.DataArray, whole: Mapping[Hashable, Any], wanted: float, where: str) -> None:
    """DataError where attributes, of a field or of the whole dataset, say another level than the one wanted."""
    known = variable(str(field.name))
    if known.standard_name and not known.aloft:
        return  # the dataset's level is not that of a variable at the surface
    # Stores and files of one level say which as 850, [850], "850" or "850 hPa".
    given = field.attrs.get("level", wanted if known.level else whole.get("level", wanted))
    words = [str(word).strip().removesuffix("hPa").strip() for word in np.ravel(np.asarray(given, dtype=object))]
    if pd.to_numeric(pd.Series(words), errors="coerce").tolist() != [wanted]:
        raise DataError(ELSEWHERE["pressure", False].format(where=where, shown=", ".join(words)[:60], wanted=wanted))


def verticals(field: xr.DataArray) -> Iterator[Vertical]:
    """Find the vertical coordinates of a field: by their names, their attributes, or as a dimension in hPa."""
    yield from (Vertical(str(dim), "pressure", along=True) for dim in field.dims
                if dim in VERTICAL_UNITS and dim not in field.coords)  # fmt: skip
    for name, coordinate in ((str(name), coordinate) for name, coordinate in field.coords.items()):
        if name == "time" or {"latitude", "longitude", "y", "x"} & {*coordinate.dims}:
            continue
        units, axis, positive, standard = (str(coordinate.attrs.get(key, ""))[:60]
                                           for key in ("units", "axis", "positive", "standard_name"))  # fmt: skip
        along = coordinate.dims == (name,)
        vertical = (name in VERTICAL_UNITS or name in SURFACES or axis.lower() == "z"
                    or positive.lower() in ("up", "down") or standard.lower() in VERTICAL_STANDARD_NAMES
                    or (along and _is_pressure(units)))  # fmt: skip
        if not vertical:
            continue
        found = Vertical(name, "surface" if name in SURFACES else "unknown", along)
        model = standard.startswith("atmosphere_") or "formula_terms" in coordinate.attrs  # whatever its units
        if found.kind == "unknown" and coordinate.dtype.kind in "iuf" and not model:
            values = coordinate.values.astype(np.float64).ravel()
            depth = standard == "depth" or positive == "down"
            for kind, wanted in (("pressure", "hPa"), *([] if depth else [("height", "m")])):
                if way := conversion(units or VERTICAL_UNITS.get(name, ""), wanted):
                    found = Vertical(name, kind, along, (values if along else np.unique(values)) * way[0] + way[1])
        yield found


@cache
def _is_pressure(units: str) -> bool:
    return bool(units.strip()) and conversion(units, "hPa") is not None


def _placed(field: xr.DataArray, name: str, verticals: list[Vertical], level: float, where: str) -> xr.DataArray:
    """Take the part of a field that is where it should be; DataError if there is none."""
    known = variable(name)
    height = known.height
    wanted = {"pressure": level} if height is None else {"pressure": level, "height": height}
    at_pressure = any(vertical.kind == "pressure" for vertical in verticals)
    if any(vertical.kind == "pressure" and vertical.along for vertical in verticals):  # one value is another field's
        verticals = [vertical for vertical in verticals if vertical.kind != "pressure" or vertical.along]
    for vertical in verticals:
        kind, along, values = vertical.kind, vertical.along, vertical.values
        if kind in wanted:
            places = np.flatnonzero(np.isclose(values, wanted[kind], rtol=1e-5))
            if places.size != 1 or not (along or values.size == 1):
                raise DataError(ELSEWHERE[kind, along].format(where=where, name=name, wanted=wanted[kind],
                                shown=vertical.shown, single=" single" * bool(places.size)))  # fmt: skip
            field = field.isel({vertical.name: int(places[0])}, drop=True) if along else field
        elif kind == "unknown" and not along and (at_pressure or (known.standard_name and not known.aloft)):
            pass  # of a layer of the soil, which its name says, or of another field
        elif kind == "unknown" or along or (not at_pressure and (kind == "height" or known.aloft)):
            said = {"surface": f"is {SURFACES.get(vertical.name)}",
                    "height": f"is at {vertical.shown} m above the ground",
                    "unknown": f"has the vertical coordinate {vertical.name}, which is no pressure"}  # fmt: skip
            raise DataError(f"{name} in {where} {said[kind]}, not at {level:g} hPa; give it at that level, or drop the "
                            f"coordinate {vertical.name} if it is of something else")
    return field
