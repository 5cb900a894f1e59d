"""What every source of days must agree on: variables, level, units, and coordinates of a whole globe."""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from sparta_core.data.clock import DAILY, Clock
from sparta_core.data.conventions import NAMES, RECOGNISED, conversion, normalised_units
from sparta_core.data.domain import TINY, Domain, closes
from sparta_core.data.levels import at_level
from sparta_core.data.unused import nearest
from sparta_core.data.variables import STATIC, variable
from sparta_core.errors import DataError

DIMENSIONS = ("time", "latitude", "longitude")
PLACES, PROJECTED = ("latitude", "longitude"), ("y", "x")


def named(dataset: xr.Dataset, names: Mapping[str, str] = NAMES) -> xr.Dataset:
    """Give a dataset WeatherBench 2's names where it has short ones."""
    present = {*dataset.variables, *dataset.dims}
    return dataset.rename({old: new for old, new in names.items() if old in present and new not in present})


def select(dataset: xr.Dataset, variables: Sequence[str], level: float, where: str,
           units: Mapping[str, str] | None = None) -> xr.Dataset:  # fmt: skip
    """Take the variables that are wanted from a source, at their level and in their units; lazy stays lazy.

    A variable without a vertical coordinate stays as it is. A warning says what is converted, and what else in the
    source may be one of the variables.

    Args:
        dataset: Fields (time, latitude, longitude) in any order, some at several levels.
        variables: Those to take.
        level: Where they are to be, in hPa.
        where: What errors call the source.
        units: Those to have variables in, beside those that this package expects.

    Returns:
        The variables, with their units in the CF spelling.

    Raises:
        DataError: For what the source lacks.
    """
    present = sorted(str(name) for name in dataset.data_vars)
    missing = [name for name in variables if name not in present]
    if missing:
        near = [name for name in present if nearest(name, missing)]
        offer = f" (is it {' or '.join(near)}?)" if near else ""
        raise DataError(f"{where} has no {', '.join(missing)}{offer}; choose among its variables: {', '.join(present)}")
    for other in present:
        meant = RECOGNISED.get(other)
        if meant in variables and other not in variables:
            warnings.warn(f"{where} has {meant} and {other}, which may be the same; only {meant} is used", stacklevel=3)
    chosen = at_level(dataset[list(variables)], level, where)
    chosen = chosen.drop_vars([name for name in chosen.coords if name not in DIMENSIONS])
    for name in variables:
        dims = [*map(str, chosen[name].dims)]
        if name == "geopotential" and sorted(dims) == ["latitude", "longitude"]:
            raise DataError(f"geopotential in {where} has no time, as that of the ground has none; "
                            f"give the geopotential at {level:g} hPa")
        if sorted(dims) != sorted(DIMENSIONS):
            raise DataError(f"{name} in {where} has the dimensions {', '.join(dims) or 'of a number'}; "
                            f"rename or select until they are {', '.join(DIMENSIONS)}")
        chosen[name] = in_units(chosen[name], name, where, (units or {}).get(name))
    return chosen


def static_fields(dataset: xr.Dataset) -> xr.Dataset:
    """Take the fields without a time (land-sea mask, surface geopotential) that a dataset has."""
    fields = {name: dataset[name] for name in STATIC if name in dataset}
    return xr.Dataset({
        name: field.assign_attrs(units=normalised_units(str(field.attrs.get("units", "1"))))
        for name, field in fields.items() if {*field.dims} == {"latitude", "longitude"}}).reset_coords(drop=True)


def in_units(field: xr.DataArray, name: str, where: str, expected: str | None = None) -> xr.DataArray:
    """Convert a field to the units `expected`, else to those that this package has the variable in; lazily.

    Returns:
        The field with its units in the CF spelling, after a warning where its values change. Without expected units
        it has those that it says.

    Raises:
        DataError: If it says none, or some of another quantity.
    """
    expected = expected or variable(name).units
    written = str(field.attrs.get("units", ""))[:60]  # whatever an attribute may hold
    if not written.strip():
        wanted = repr(expected) if expected else "its units"
        raise DataError(f"{name} in {where} says no units; write {wanted} into its attribute 'units'")
    way = conversion(written, expected or written)
    if way is None or (way != (1, 0) and field.dtype.kind not in "iuf"):
        raise DataError(f"{name} in {where} is in {written!r}; convert it to {expected!r}")
    if way != (1, 0):
        scale, offset = way
        sum_ = f"{f' times {scale:g}' * (scale != 1)}{f' plus {offset:g}' * (offset != 0)}"
        warnings.warn(f"{name} in {where} is in {written!r}; it is converted to {expected!r},{sum_}", stacklevel=4)
        # As a packed field, which xarray unpacks as it is read: arithmetic would load all days at once.
        packed = field.drop_encoding().assign_attrs(scale_factor=scale, add_offset=offset, units=expected)
        unpacked = xr.decode_cf(packed.to_dataset(name=name), decode_times=False, decode_coords=False)
        field = unpacked[name].drop_encoding()
    return field.assign_attrs(units=expected or normalised_units(written))


def ordered(dataset: xr.Dataset, where: str) -> xr.Dataset:
    """Bring fields into the order (..., time, latitude, longitude), both axes ascending; lazy stays lazy.

    Longitudes of a whole circle are taken into 0..360; those of a region follow each other eastward from its western
    end, which lies in -180..180, so that no region is torn at Greenwich or at the date line. Fields of a projection,
    (..., y, x) with two-dimensional latitude and longitude, have rows that go north and columns that go east.

    Raises:
        DataError: latitude or longitude is missing, is no list of degrees, or has a place twice.

    Example:
        >>> turned = xr.Dataset(coords={"latitude": [45.0, -45.0], "longitude": [350.0, 10.0]})
        >>> ordered(turned, "here")["longitude"].values.tolist()
        [-10.0, 10.0]
    """
    for name in PLACES:
        if name not in dataset.coords or dataset[name].dims not in ((name,), PROJECTED, PROJECTED[::-1]):
            raise DataError(f"{where} has no coordinate {name} along a dimension {name}; add it in degrees")
        if not dataset[name].size or dataset[name].dtype.kind not in "iuf" or not np.isfinite(dataset[name]).all():
            raise DataError(f"{name} in {where} is not a list of numbers; write it in degrees")
    if not (np.abs(dataset["latitude"].values) <= 90 + TINY).all():
        raise DataError(f"latitude in {where} exceeds 90 degrees; write it in degrees north")
    if dataset["latitude"].ndim == 2:
        return _projected(dataset)
    north, east = (dataset[name].values.astype(np.float64) for name in PLACES)
    dataset = dataset.assign_coords(latitude=("latitude", np.clip(north, -90, 90), {"units": "degrees_north"}),
                                    longitude=("longitude", eastward(east), {"units": "degrees_east"}))  # fmt: skip
    for name in PLACES:
        if (np.diff(dataset[name].values) < 0).all():  # a slice, because it costs a lazy source nothing
            dataset = dataset.isel({name: slice(None, None, -1)})
        elif not dataset.indexes[name].is_monotonic_increasing:
            dataset = dataset.sortby(name)
        repeated = dataset[name].values[1:][np.diff(dataset[name].values) == 0]
        if repeated.size:
            raise DataError(f"{where} has the {name} {repeated[0]:g} more than once; drop the repeated grid points")
    return dataset.transpose(..., "time", *PLACES, missing_dims="ignore")


def eastward(longitude: np.ndarray) -> np.ndarray:
    """Write longitudes (W,), degrees, as `ordered` has them, each in its place.

    Example:
        >>> eastward(np.array([358.0, 0.0, 2.0])).tolist(), eastward(np.array([-180.0, -90.0, 0.0, 90.0])).tolist()
        ([-2.0, 0.0, 2.0], [180.0, 270.0, 0.0, 90.0])
    """
    around = np.mod(longitude, 360)
    around[around > 360 - TINY] = 0  # Greenwich, a rounding error to the west
    places = np.unique(around)
    if places.size < 2 or closes(places):
        return around if places.size > 1 else longitude
    west = np.roll(places, -1)[np.diff(places, append=places[0] + 360).argmax()]  # after the widest gap
    return (around - west) % 360 + (west - 360 * (west >= 180))


def _projected(dataset: xr.Dataset) -> xr.Dataset:
    """Bring fields of a projection into the order (..., time, y, x), northward and eastward."""
    dataset = dataset.transpose(..., "time", *PROJECTED, missing_dims="ignore")
    north = dataset["latitude"].values
    east = np.unwrap(dataset["longitude"].values, period=360, axis=1)
    flipped = {dim: slice(None, None, -1) for dim, axis, values in zip(PROJECTED, (0, 1), (north, east), strict=True)
               if np.diff(values, axis=axis).mean() < 0}  # fmt: skip
    turned = dataset.isel(flipped)
    longitude = (turned["longitude"] + 180) % 360 - 180
    return turned.assign_coords(latitude=turned["latitude"].assign_attrs(units="degrees_north"),
                                longitude=longitude.assign_attrs(units="degrees_east"))  # fmt: skip


def domain_of(dataset: xr.Dataset, clock: Clock) -> Domain:
    """The domain of ordered fields."""
    latitude, longitude = (dataset[name].values.astype(np.float64) for name in PLACES)
    return Domain(latitude, longitude, clock)


def check_globe(dataset: xr.Dataset, where: str) -> None:
    """Raise a DataError unless an ordered dataset is of a whole globe, whose last column is the first's neighbour."""
    domain = domain_of(dataset, DAILY)
    for name, whole in (("latitude", domain.spans_poles), ("longitude", domain.periodic_x)):
        if not whole:
            first, last = dataset[name].values.flat[[0, -1]]
            raise DataError(f"{name} in {where} goes from {first:g} to {last:g} degrees, not around the globe in "
                            "equal steps; give days of the whole globe")


def check_finite(days: xr.Dataset, where: str) -> None:
    """Raise a DataError that names the first of loaded days (time, latitude, longitude) with a NaN or infinity."""
    for name, field in days.data_vars.items():
        if "time" in field.dims and not (finite := np.isfinite(field.values)).all():
            counts = (~finite).sum((1, 2))
            first = int(np.argmax(counts > 0))
            raise DataError(f"{name} in {where} is NaN or infinite at {counts[first]} grid points on "
                            f"{days['time'].values[first].astype('datetime64[D]')}; repair that day, or end the data "
                            "before it")  # fmt: skip
