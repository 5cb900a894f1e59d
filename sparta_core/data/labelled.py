"""Fields as xarray Datasets with the names, units and coordinates of the CF conventions."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from torch import Tensor

from sparta_core.data.normaliser import Normaliser
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
        A variable each (..., latitude, longitude).
    """
    values = fields.cpu().numpy()
    leading = list(coords)[: values.ndim - 3]
    places = {"latitude": ("latitude", normaliser.latitude, {"units": "degrees_north", "standard_name": "latitude"}),
              "longitude": ("longitude", normaliser.longitude,
                            {"units": "degrees_east", "standard_name": "longitude"})}  # fmt: skip
    variables = {name: ((*leading, *places), np.ascontiguousarray(values[..., channel, :, :]),
                        _attributes(normaliser, name, units)) for channel, (name, units)
                 in enumerate(zip(normaliser.variables, normaliser.units, strict=True))}  # fmt: skip
    level = {"level": normaliser.level} if any(variable(name).aloft for name in normaliser.variables) else {}
    return xr.Dataset(variables, {**coords, **places},
                      {"Conventions": CONVENTIONS, "title": title, "source": normaliser.source, **level})  # fmt: skip


def _attributes(normaliser: Normaliser, name: str, units: str) -> dict[str, str]:
    standard = variable(name).standard_name
    attributes = {"units": units, "long_name": label(name, normaliser.level).name}
    return attributes | ({"standard_name": standard} if standard else {})
