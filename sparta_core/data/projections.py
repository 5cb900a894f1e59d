"""Latitudes and longitudes of a projection's cells, where a file says only how to find them (CF, grid_mapping)."""

from typing import Any

import numpy as np
import xarray as xr

from sparta_core.data.units import conversion
from sparta_core.errors import DataError, one_line

# What the CF conventions call the coordinates of a projection, rows first, and the units that it counts in.
AXES = {("projection_y_coordinate", "projection_x_coordinate"): "m", ("grid_latitude", "grid_longitude"): "degrees"}


def with_places(dataset: xr.Dataset) -> xr.Dataset:
    """Add latitude and longitude (y, x), degrees, to fields on a grid mapping that have none; others stay as they are.

    Args:
        dataset: Fields with the attribute grid_mapping, and coordinates with the standard names of `AXES`.

    Raises:
        DataError: For a grid mapping that pyproj does not know, or coordinates in units of something else.

    Example:
        >>> fields = xr.Dataset({"rain": (("y", "x"), [[1.0]], {"grid_mapping": "crs"}), "crs": 0}, {
        ...     "y": ("y", [0.0], {"standard_name": "grid_latitude"}),
        ...     "x": ("x", [0.0], {"standard_name": "grid_longitude"})})
        >>> fields["crs"].attrs = {"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 40.0,
        ...                        "grid_north_pole_longitude": -170.0}
        >>> with_places(fields)["latitude"].values.round(6).tolist()
        [[50.0]]
    """
    mappings = {str(name).split(":")[0].strip() for field in dataset.data_vars.values()
                if (name := field.attrs.get("grid_mapping", field.encoding.get("grid_mapping")))}  # fmt: skip
    found = [mapping for mapping in sorted(mappings) if mapping in dataset.variables]
    axes = next((pair for names in AXES if (pair := _axes(dataset, names))), None)
    if not found or axes is None:
        return dataset
    rows, columns = axes
    units = AXES[rows.attrs["standard_name"], columns.attrs["standard_name"]]
    y, x = (_in_units(axis, units) for axis in axes)
    longitude, latitude = _degrees(dataset[found[0]].attrs, *np.meshgrid(x, y))
    dims = (rows.dims[0], columns.dims[0])
    return dataset.drop_vars(found).assign_coords(latitude=(dims, latitude), longitude=(dims, longitude))


def _axes(dataset: xr.Dataset, names: tuple[str, str]) -> list[xr.DataArray] | None:
    """The coordinates with these standard names, if there is one of each."""
    found = [[axis for axis in dataset.coords.values() if axis.attrs.get("standard_name") == name and axis.ndim == 1]
             for name in names]  # fmt: skip
    return [axes[0] for axes in found] if all(len(axes) == 1 for axes in found) else None


def _in_units(axis: xr.DataArray, units: str) -> np.ndarray:
    written = str(axis.attrs.get("units", units))
    way = (1.0, 0.0) if written.startswith("degree") else conversion(written, units)
    if way is None:
        raise DataError(f"the coordinate {axis.name} is in {written!r}; write it in {units}")
    values: np.ndarray = axis.values.astype(np.float64) * way[0] + way[1]
    return values


def _degrees(mapping: dict[str, Any], x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes (H, W) of the coordinates of a grid mapping."""
    import pyproj  # not before it is needed, as it takes a while

    try:
        system = pyproj.CRS.from_cf(mapping)
        # Of the same datum: coordinates on a sphere stay there.
        turned = system.is_derived and system.is_geographic
        degrees = system.source_crs if turned else system.geodetic_crs
        places = pyproj.Transformer.from_crs(system, degrees, always_xy=True).transform(x, y)
    except (pyproj.exceptions.ProjError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"the grid mapping {mapping.get('grid_mapping_name', 'without a name')!r} cannot be read "
                        f"({one_line(error)}); add latitude and longitude as coordinates (y, x)") from error
    if not all(np.isfinite(axis).all() for axis in places):
        raise DataError(f"some cells of the grid mapping {mapping.get('grid_mapping_name')!r} lie nowhere on Earth; "
                        "check its coordinates and their units")
    return places
