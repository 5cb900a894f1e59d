"""The vertical: what its coordinates say of where a field is, and the part of it that is wanted."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from sparta_core.data.conventions import SURFACES, VERTICAL_STANDARD_NAMES, VERTICAL_UNITS, conversion
from sparta_core.data.variables import variable
from sparta_core.errors import DataError


class Vertical(NamedTuple):
    """A vertical coordinate of a field; as text where it puts the field, if not at a pressure."""

    name: str
    kind: str  # pressure, height, surface or unknown
    values: np.ndarray  # hPa or m
    dim: str | None  # None: one value for the whole field

    @property
    def shown(self) -> str:
        return ", ".join(f"{value:g}" for value in self.values[:50])

    def __str__(self) -> str:
        if self.kind == "surface":
            return f"is {SURFACES[self.name]}"
        if self.kind == "height":
            return f"is at {self.shown} m above the ground"
        return f"has the vertical coordinate {self.name}, which is no pressure"


def at_level(dataset: xr.Dataset, level: float, where: str) -> xr.Dataset:
    """`dataset` at `level` (hPa), without its vertical coordinates.

    A variable without any stays as it is; one at a height above the ground must have it in its name, as
    2m_temperature has. DataError if a coordinate, or the attribute "level", says something else.
    """
    known = {str(name): [*_verticals(dataset[name])] for name in dataset.data_vars}
    if not any(vertical.kind == "pressure" for verticals in known.values() for vertical in verticals):
        _check_attribute(dataset.attrs.get("level", level), level, where)
    fields = {name: _placed(dataset[name], name, verticals, level, where) for name, verticals in known.items()}
    return xr.Dataset(fields, attrs=dataset.attrs)


def _verticals(field: xr.DataArray) -> Iterator[Vertical]:
    for dim in map(str, field.dims):
        if dim in VERTICAL_UNITS and dim not in field.coords:
            yield Vertical(dim, "pressure", np.empty(0), dim)
    for name, coordinate in field.coords.items():
        if _is_vertical(str(name), coordinate) and not {"latitude", "longitude"} & {*coordinate.dims}:
            along = coordinate.dims == (name,)
            yield Vertical(str(name), *_read(str(name), coordinate, not along), str(name) if along else None)


def _is_vertical(name: str, coordinate: xr.DataArray) -> bool:
    axis, positive, standard = (str(coordinate.attrs.get(key, "")).lower()
                                for key in ("axis", "positive", "standard_name"))  # fmt: skip
    return (name in VERTICAL_UNITS or name in SURFACES or axis == "z" or positive in ("up", "down")
            or standard in VERTICAL_STANDARD_NAMES)  # fmt: skip


def _read(name: str, coordinate: xr.DataArray, alone: bool) -> tuple[str, np.ndarray]:
    """What the coordinate is, and its values in hPa or m; those of one that stands for all days are one."""
    if name in SURFACES:
        return "surface", np.zeros(1)
    if coordinate.dtype.kind not in "iuf":
        return "unknown", np.empty(0)
    values = coordinate.values.astype(np.float64).ravel()
    values = np.unique(values) if alone else values
    attrs = coordinate.attrs
    depth = attrs.get("standard_name") == "depth" or attrs.get("positive") == "down"
    for kind, wanted in (("pressure", "hPa"), *([] if depth else [("height", "m")])):
        way = conversion(str(attrs.get("units", "")) or VERTICAL_UNITS.get(name, ""), wanted)
        if way is not None:
            return kind, values * way[0] + way[1]
    return "unknown", values


def _placed(field: xr.DataArray, name: str, verticals: list[Vertical], level: float, where: str) -> xr.DataArray:
    """The field where it should be; DataError if it is elsewhere."""
    height = re.match(r"(\d+)m_", name)
    known = any(vertical.kind == "pressure" for vertical in verticals)
    for vertical in verticals:
        if vertical.kind == "pressure":
            field = _picked(field, vertical, level, f"{where} has no{{}} level {level:g} hPa; choose among its levels",
                            f"{where} holds level {{}} hPa, not {level:g}; use that level or other data")  # fmt: skip
        elif vertical.kind == "height" and height:
            field = _picked(field, vertical, float(height[1]), f"{name} in {where} has no{{}} height of {height[1]} m; "
                            "its heights are", f"{name} in {where} is at {{}} m above the ground; give it at "
                            f"{height[1]} m")  # fmt: skip
        elif vertical.kind == "unknown" or vertical.dim or (
                not known and (vertical.kind == "height" or variable(name).aloft)):
            raise DataError(f"{name} in {where} {vertical}, not at {level:g} hPa; give it at that level, "
                            f"or drop the coordinate {vertical.name} if it is of something else")
    return field.reset_coords([v.name for v in verticals if v.name in field.coords and v.dim is None], drop=True)


def _picked(field: xr.DataArray, vertical: Vertical, wanted: float, none: str, other: str) -> xr.DataArray:
    """The field at one value of a vertical coordinate.

    DataError, which begins with `none`, where a dimension lacks it, and is `other` where a field has another one.
    """
    places = np.flatnonzero(np.isclose(vertical.values, wanted, rtol=1e-5))
    if vertical.dim is None and not places.size == vertical.values.size == 1:
        raise DataError(other.format(vertical.shown))
    if places.size != 1:
        raise DataError(f"{none.format(' single' * bool(places.size))}: {vertical.shown}")
    return field if vertical.dim is None else field.isel({vertical.dim: int(places[0])}, drop=True)


def _check_attribute(said: object, level: float, where: str) -> None:
    """A store or file with one level says which in an attribute, if at all: 850, [850], "850" or "850 hPa"."""
    words = [str(word).strip().removesuffix("hPa").strip() for word in np.ravel(np.asarray(said, dtype=object))]
    try:
        agrees = [float(word) for word in words] == [level]
    except ValueError:
        agrees = False
    if not agrees:
        raise DataError(f"{where} holds level {', '.join(words)[:60]} hPa, not {level:g}; "
                        "use that level or other data")
