"""The vertical: what its coordinates say of where a field is, and the part of it that is wanted."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from sparta_core.data.units import conversion
from sparta_core.errors import DataError

# Vertical coordinates by their usual names, with the units of those that say none.
UNITS = {
    "level": "hPa", "pressure_level": "hPa", "isobaricInhPa": "hPa", "lev": "hPa", "pressure": "hPa", "plev": "Pa",
    "isobaricInPa": "Pa", "air_pressure": "Pa", "height": "m", "heightAboveGround": "m", "altitude": "m",
}  # fmt: skip
SURFACES = {"surface": "of the surface", "meanSea": "at sea level"}  # as cfgrib names them
STANDARD = ("air_pressure", "height", "altitude", "geopotential_height", "depth")
# Fields that are at a pressure; others, such as the pressure at sea level, may be at no level at all.
ALOFT = ("temperature", "u_component_of_wind", "v_component_of_wind", "geopotential", "specific_humidity")


class Vertical(NamedTuple):
    """A vertical coordinate of a field."""

    name: str
    kind: str  # pressure, height, surface or unknown
    values: np.ndarray  # hPa or m
    dim: str | None  # None: one value for the whole field


def at_level(dataset: xr.Dataset, level: float, where: str) -> xr.Dataset:
    """`dataset` at `level` (hPa), without its vertical coordinates.

    A variable without any stays as it is; one at a height above the ground must have it in its name, as
    2m_temperature has. DataError if a coordinate, or the attribute "level", says something else.
    """
    said = {str(name): [*_verticals(dataset[name])] for name in dataset.data_vars}
    if not any(vertical.kind == "pressure" for verticals in said.values() for vertical in verticals):
        _check_attribute(dataset.attrs.get("level", level), level, where)
    fields = {name: _placed(dataset[name], name, verticals, level, where) for name, verticals in said.items()}
    return xr.Dataset(fields, attrs=dataset.attrs)


def _verticals(field: xr.DataArray) -> Iterator[Vertical]:
    for dim in field.dims:
        if dim in UNITS and dim not in field.coords:
            yield Vertical(str(dim), "pressure", np.empty(0), str(dim))
    for name, coordinate in field.coords.items():
        if _is_vertical(str(name), coordinate) and not {"latitude", "longitude"} & {*coordinate.dims}:
            dim = str(name) if coordinate.dims == (name,) else None
            yield Vertical(str(name), *_read(str(name), coordinate, dim is None), dim)


def _is_vertical(name: str, coordinate: xr.DataArray) -> bool:
    attrs = {key: str(coordinate.attrs.get(key, "")).lower() for key in ("axis", "positive", "standard_name")}
    return (name in UNITS or name in SURFACES or attrs["axis"] == "z" or attrs["positive"] in ("up", "down")
            or attrs["standard_name"] in STANDARD)  # fmt: skip


def _read(name: str, coordinate: xr.DataArray, alone: bool) -> tuple[str, np.ndarray]:
    """What the coordinate is, and its values in hPa or m; those of one that stands for all days are one."""
    if name in SURFACES:
        return "surface", np.zeros(1)
    if coordinate.dtype.kind not in "iuf":
        return "unknown", np.empty(0)
    values = coordinate.values.astype(np.float64).ravel()
    values = np.unique(values) if alone else values
    written = str(coordinate.attrs.get("units", "")) or UNITS.get(name, "")
    for kind, wanted in (("pressure", "hPa"), ("height", "m")):
        way = conversion(written, wanted)
        if way is not None and (kind == "pressure" or not _is_depth(coordinate)):
            return kind, values * way[0] + way[1]
    return "unknown", values


def _is_depth(coordinate: xr.DataArray) -> bool:
    return coordinate.attrs.get("standard_name") == "depth" or coordinate.attrs.get("positive") == "down"


def _placed(field: xr.DataArray, name: str, verticals: list[Vertical], level: float, where: str) -> xr.DataArray:
    """The field where it should be; DataError if it is elsewhere."""
    height = re.match(r"(\d+)m_", name)
    known = any(vertical.kind == "pressure" for vertical in verticals)
    for vertical in verticals:
        if vertical.kind == "pressure":
            field = _picked(field, vertical, level, f"{where} has no{{}} level {level:g} hPa; choose among its levels",
                            f"{where} holds level {{}} hPa, not {level:g}; use that level or other data")  # fmt: skip
        elif vertical.kind == "height" and height:
            wrong = f"{name} in {where} is at {{}} m above the ground; give it at {height[1]} m"
            field = _picked(field, vertical, float(height[1]), f"{name} in {where} has no{{}} height of {height[1]} m; "
                            "its heights are", wrong)  # fmt: skip
        elif vertical.kind == "unknown" or vertical.dim or (
                not known and (vertical.kind == "height" or name in ALOFT)):
            raise DataError(f"{name} in {where} {_elsewhere(vertical)}, not at {level:g} hPa; give it at that level, "
                            f"or drop the coordinate {vertical.name} if it is of something else")
    return field.reset_coords([v.name for v in verticals if v.name in field.coords and v.dim is None], drop=True)


def _picked(field: xr.DataArray, vertical: Vertical, wanted: float, none: str, other: str) -> xr.DataArray:
    """The field at one value of a vertical coordinate.

    DataError, which begins with `none`, where a dimension lacks it, and is `other` where a field has another one.
    """
    there = np.flatnonzero(np.isclose(vertical.values, wanted, rtol=1e-5))
    shown = ", ".join(f"{value:g}" for value in vertical.values[:50])
    if vertical.dim is None:
        if there.size != 1 or vertical.values.size != 1:
            raise DataError(other.format(shown))
        return field
    if there.size != 1:
        raise DataError(f"{none.format(' single' * bool(there.size))}: {shown}")
    return field.isel({vertical.dim: int(there[0])}, drop=True)


def _elsewhere(vertical: Vertical) -> str:
    if vertical.kind == "surface":
        return f"is {SURFACES[vertical.name]}"
    if vertical.kind == "height":
        return f"is at {', '.join(f'{value:g}' for value in vertical.values[:50])} m above the ground"
    return f"has the vertical coordinate {vertical.name}, which is no pressure"


def _check_attribute(said: object, level: float, where: str) -> None:
    """A store or file with one level says which in an attribute, if at all: 850, [850], "850" or "850 hPa"."""
    words = [str(one).strip().removesuffix("hPa").strip() for one in np.ravel(np.asarray(said, dtype=object))]
    try:
        agrees = [float(word) for word in words] == [level]
    except ValueError:
        agrees = False
    if not agrees:
        shown = ", ".join(words)[:60]
        raise DataError(f"{where} holds level {shown} hPa, not {level:g}; use that level or other data")
