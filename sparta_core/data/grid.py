"""What every source of days must agree on: variables, level, units, and coordinates of a whole globe."""

import warnings
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import xarray as xr

from sparta_core.data.domain import TINY, Domain, closes
from sparta_core.data.levels import at_level
from sparta_core.data.units import conversion, normalised_units
from sparta_core.errors import DataError

DIMENSIONS = ("time", "latitude", "longitude")
# Fields without a time that are kept where a source has them.
STATIC = ("land_sea_mask", "geopotential_at_surface")
# A variable that is not named here may have any units, but must say which.
UNITS = {
    "2m_temperature": "K",
    "u_component_of_wind": "m s-1",
    "v_component_of_wind": "m s-1",
    "geopotential": "m2 s-2",
    "specific_humidity": "kg kg-1",
}
# What Copernicus' files, and others, call the same.
AXES = {"valid_time": "time", "lat": "latitude", "lon": "longitude"}
NAMES = {
    **AXES, "pressure_level": "level",
    "t2m": "2m_temperature", "t": "temperature", "u": "u_component_of_wind", "v": "v_component_of_wind",
    "z": "geopotential", "q": "specific_humidity", "lsm": "land_sea_mask",
}  # fmt: skip
# Names that are recognised, but not renamed: those of CMIP.
ALIASES = {"tas": "2m_temperature", "ta": "temperature", "ua": "u_component_of_wind", "va": "v_component_of_wind",
           "zg": "geopotential", "hus": "specific_humidity", **NAMES}  # fmt: skip


def named(dataset: xr.Dataset, names: Mapping[str, str] = NAMES) -> xr.Dataset:
    """`dataset` with WeatherBench 2's names where it has short ones."""
    there = {*dataset.variables, *dataset.dims}
    return dataset.rename({old: new for old, new in names.items() if old in there and new not in there})


def select(dataset: xr.Dataset, variables: Sequence[str], level: float, where: str,
           units: Mapping[str, str] | None = None) -> xr.Dataset:  # fmt: skip
    """`variables` at `level` (hPa) of `dataset`, with their units in the CF spelling; lazy stays lazy.

    A variable without a vertical coordinate stays as it is. `units` by variable are those to have them in, beside
    those that this package expects; a warning says what is converted. DataError for what the source lacks.
    """
    missing = [name for name in variables if name not in dataset.data_vars]
    if missing:
        there = sorted(str(name) for name in dataset.data_vars)
        raise DataError(f"{where} has no {', '.join(missing)}{_meant(missing, there)}; choose among its variables: "
                        f"{', '.join(there)}")
    _say_confused(dataset, variables, where)
    chosen = at_level(dataset[list(variables)], level, where)
    chosen = chosen.drop_vars([name for name in chosen.coords if name not in DIMENSIONS])
    for name in variables:
        _check_dimensions(chosen[name], name, level, where)
        chosen[name] = _converted(chosen[name], name, where, (units or {}).get(name))
    return chosen


def _meant(missing: Sequence[str], there: Sequence[str]) -> str:
    """The variables that are there, and may be what is missing."""
    near = {old for name in missing for old in there
            if ALIASES.get(old) == name or get_close_matches(name, [old], cutoff=0.85)}  # fmt: skip
    return f" (is it {' or '.join(sorted(near))}?)" if near else ""


def _say_confused(dataset: xr.Dataset, variables: Sequence[str], where: str) -> None:
    """Warn of variables that are not used, and are elsewhere called what one of those used is."""
    for other in sorted(str(name) for name in dataset.data_vars):
        meant = ALIASES.get(other)
        if meant in variables and other not in variables:
            warnings.warn(f"{where} has {meant} and {other}, which may be the same; only {meant} is used", stacklevel=4)


def _check_dimensions(field: xr.DataArray, name: str, level: float, where: str) -> None:
    dims = sorted(map(str, field.dims))
    if name == "geopotential" and dims == ["latitude", "longitude"]:
        raise DataError(f"geopotential in {where} has no time, as that of the ground has none; "
                        f"give the geopotential at {level:g} hPa")
    if dims != sorted(DIMENSIONS):
        raise DataError(f"{name} in {where} has the dimensions {', '.join(map(str, field.dims)) or 'of a number'}; "
                        f"rename or select until they are {', '.join(DIMENSIONS)}")


def static_fields(dataset: xr.Dataset) -> xr.Dataset:
    """The fields without a time (land-sea mask, surface geopotential) that `dataset` has."""
    names = [n for n in STATIC if n in dataset and set(dataset[n].dims) == {"latitude", "longitude"}]
    units = {n: normalised_units(str(dataset[n].attrs.get("units", "1"))) for n in names}
    return xr.Dataset({n: dataset[n].assign_attrs(units=units[n]) for n in names}).reset_coords(drop=True)


def checked_units(field: xr.DataArray, name: str, where: str, expected: str | None = None) -> str:
    """The units of `field` in the CF spelling; DataError if they are missing, or not those that are `expected`.

    Without `expected`, those that this package knows the variable in; other variables may have any.
    """
    expected = expected or UNITS.get(name)
    written = _written_units(field, name, where, expected)
    if expected is not None and conversion(written, expected) != (1.0, 0.0):
        raise DataError(f"{name} in {where} is in {written!r}; convert it to {expected!r}")
    return expected or normalised_units(written)


def _written_units(field: xr.DataArray, name: str, where: str, expected: str | None) -> str:
    written = str(field.attrs.get("units", ""))[:60]  # whatever an attribute may hold
    if not written.strip():
        wanted = repr(expected) if expected else "its units"
        raise DataError(f"{name} in {where} says no units; write {wanted} into its attribute 'units'")
    return written


def _converted(field: xr.DataArray, name: str, where: str, expected: str | None) -> xr.DataArray:
    """`field` in the expected units, lazily, and a warning where its values change."""
    expected = expected or UNITS.get(name)
    written = _written_units(field, name, where, expected)
    way = conversion(written, expected) if expected else None
    if way is not None and way != (1.0, 0.0) and field.dtype.kind in "iuf":
        scale, offset = way
        sum_ = f"{f' times {scale:g}' * (scale != 1)}{f' plus {offset:g}' * (offset != 0)}"
        warnings.warn(f"{name} in {where} is in {written!r}; it is converted to {expected!r},{sum_}", stacklevel=4)
        # As a packed field, which xarray unpacks as it is read: arithmetic would load all days at once.
        packed = field.drop_encoding().assign_attrs(scale_factor=scale, add_offset=offset, units=expected)
        unpacked = xr.decode_cf(packed.to_dataset(name=name), decode_times=False, decode_coords=False)
        field = unpacked[name].drop_encoding()
    return field.assign_attrs(units=checked_units(field, name, where, expected))


def ordered(dataset: xr.Dataset, where: str) -> xr.Dataset:
    """`dataset` as (..., time, latitude, longitude), both ascending, longitude in 0..360; lazy stays lazy.

    The longitudes of a region stay as they are: taken into 0..360, those around Greenwich would be torn apart.
    """
    for name in ("latitude", "longitude"):
        if name not in dataset.coords or dataset[name].dims != (name,):
            raise DataError(f"{where} has no coordinate {name} along a dimension {name}; add it in degrees")
        if not dataset[name].size or dataset[name].dtype.kind not in "iuf" or not np.isfinite(dataset[name]).all():
            raise DataError(f"{name} in {where} is not a list of numbers; write it in degrees")
    north, east = (dataset[name].values.astype(np.float64) for name in ("latitude", "longitude"))
    if not (np.abs(north) <= 90 + TINY).all():
        raise DataError(f"latitude in {where} exceeds 90 degrees; write it in degrees north")
    around = np.mod(east, 360)
    around[around > 360 - TINY] = 0  # Greenwich, a rounding error to the west
    places = np.unique(around)
    east = around if places.size < east.size or closes(places) else east
    dataset = dataset.assign_coords(latitude=("latitude", np.clip(north, -90, 90), {"units": "degrees_north"}),
                                    longitude=("longitude", east, {"units": "degrees_east"}))
    for name in ("latitude", "longitude"):
        dataset = _ascending(dataset, name, where)
    return dataset.transpose(..., *DIMENSIONS, missing_dims="ignore")


def check_globe(dataset: xr.Dataset, where: str) -> None:
    """DataError unless the ordered `dataset` is of a whole globe, whose last column is the first one's neighbour."""
    domain = Domain(dataset["latitude"].values, dataset["longitude"].values)
    for name, whole in (("latitude", domain.spans_poles), ("longitude", domain.periodic_x)):
        axis = dataset[name].values
        if not whole:
            raise DataError(f"{name} in {where} goes from {axis[0]:g} to {axis[-1]:g} degrees, not around the globe in "
                            "equal steps; give days of the whole globe, as regions cannot be used")


def _ascending(dataset: xr.Dataset, name: str, where: str) -> xr.Dataset:
    steps = np.diff(dataset[name].values)
    if (steps > 0).all():
        return dataset
    if (steps < 0).all():  # a slice, because it costs a lazy source nothing
        return dataset.isel({name: slice(None, None, -1)})
    dataset = dataset.sortby(name)
    twice = np.flatnonzero(~(np.diff(dataset[name].values) > 0))
    if twice.size:
        value = dataset[name].values[twice[0]]
        raise DataError(f"{where} has the {name} {value:g} more than once; drop the repeated grid points")
    return dataset


def check_finite(block: np.ndarray, dates: np.ndarray, name: str, where: str) -> None:
    """DataError naming the first of `dates` (D,) on which `block` (D, H, W) has a NaN or infinity."""
    whole = np.isfinite(block).all(axis=(1, 2))
    if not whole.all():
        first = int(np.argmin(whole))
        count = int((~np.isfinite(block[first])).sum())
        raise DataError(
            f"{name} in {where} is NaN or infinite at {count} grid points on "
            f"{np.datetime64(dates[first], 'D')}; repair that day, or end the data before it")
