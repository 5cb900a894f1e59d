"""Fields as xarray Datasets with the names, units and coordinates of the CF conventions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from sparta_core.data.domain import Domain
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.units import conversion
from sparta_core.data.variables import label, variable

CONVENTIONS = "CF-1.11"
TIME = {"standard_name": "time"}


def labelled(normaliser: Normaliser, fields: Tensor, coords: Mapping[str, Any], title: str) -> xr.Dataset:
    """Label fields in physical units.

    Args:
        normaliser: Of their variables and grid.
        fields: (..., C, H, W) in physical units.
        coords: The coordinates of the leading dimensions, in their order, as xarray takes them, and others.
        title: What they are, in a line.

    Returns:
        A variable each (..., latitude, longitude), of a projection (..., y, x).
    """
    values = fields.cpu().numpy()
    leading = list(coords)[: values.ndim - 3]
    places, dims = coordinates(normaliser.domain), normaliser.domain.dims
    variables = {name: ((*leading, *dims), np.ascontiguousarray(values[..., channel, :, :]),
                        _attributes(normaliser, name, units)) for channel, (name, units)
                 in enumerate(zip(normaliser.variables, normaliser.units, strict=True))}  # fmt: skip
    levels = {_level(normaliser, name) for name in normaliser.variables} - {None}
    level = {"level": levels.pop()} if len(levels) == 1 else {}
    return xr.Dataset(variables, {**coords, **places},
                      {"Conventions": CONVENTIONS, "title": title, "source": normaliser.source, **level})  # fmt: skip


def coordinates(domain: Domain) -> dict[str, tuple[Any, np.ndarray, dict[str, str]]]:
    """The coordinates of a domain's cells, as xarray takes them: of a projection two-dimensional."""
    along = (domain.dims, domain.dims) if domain.projected else (("latitude",), ("longitude",))
    values, units = (domain.latitude, domain.longitude), ("degrees_north", "degrees_east")
    return {name: (dims, axis, {"units": unit, "standard_name": name}) for name, dims, axis, unit
            in zip(("latitude", "longitude"), along, values, units, strict=True)}  # fmt: skip


def _level(normaliser: Normaliser, name: str) -> int | None:
    """The pressure of a variable, hPa: its own, or the normaliser's; None at the surface."""
    known = variable(name)
    return None if not known.aloft else normaliser.level if known.level is None else int(known.level)


def _attributes(normaliser: Normaliser, name: str, units: str) -> dict[str, Any]:
    known, level = variable(name), _level(normaliser, name)
    attributes = {"units": units, "long_name": label(name, normaliser.level, units).name}
    # An amount of precipitation has not the standard name of its flux.
    said = known.standard_name and (not known.units or conversion(units, known.units) is not None)
    return attributes | ({"standard_name": known.standard_name} if said else {}) | (
        {} if level is None else {"level": level})  # fmt: skip
