"""What every source of days must agree on: variables, level, units, and coordinates of a whole globe."""

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from sparta_core.data.clock import DAILY, Clock
from sparta_core.data.domain import TINY, Domain, closes
from sparta_core.data.levels import at_level
from sparta_core.data.names import named as named
from sparta_core.data.selection import VERSION, first_version, sources_of, squeezed, taken
from sparta_core.data.units import normalised_units, said, way_of
from sparta_core.data.variables import STATIC, base_name, variable
from sparta_core.errors import DataError

Area = tuple[float, float, float, float]  # degrees north, west, south and east, as the Climate Data Store has them
DIMENSIONS = ("time", "latitude", "longitude")
PLACES, PROJECTED = ("latitude", "longitude"), ("y", "x")


def select(dataset: xr.Dataset, variables: Sequence[str], level: float, where: str,
           units: Mapping[str, str] | None = None, members: bool = False) -> xr.Dataset:  # fmt: skip
    """Take the variables that are wanted from a source, at their levels and in their units.

    Lazy stays lazy, but for fields of several versions (expver), of which the first that is there is taken. A variable
    without a vertical coordinate stays as it is. One warning says what is converted, others what else in the source
    may be one of the variables.

    Args:
        dataset: Fields (time, latitude, longitude) or (time, y, x), as `named` names them, in any order, some at
            several levels.
        variables: Those to take; geopotential_500 is at 500 hPa whatever the level.
        level: Where the others are to be, in hPa.
        where: What errors call the source.
        units: Those to have variables in, beside those that this package expects.
        members: Whether an ensemble's members, along the dimension number, are kept; else there may be one.

    Returns:
        The variables, with their units in the CF spelling.

    Raises:
        DataError: For what the source lacks.
    """
    sources = sources_of(dataset, variables, level, where)
    chosen = at_level(taken(dataset, sources), level, where)
    versions = chosen.sizes.get(VERSION, 1)
    if versions > 1:
        warnings.warn(f"{where} has {versions} versions along {VERSION}; where the first is missing the next is taken",
                      stacklevel=3)  # fmt: skip
        chosen = chosen.map(lambda field: first_version(field) if VERSION in field.dims else field, keep_attrs=True)
    curved = "latitude" in dataset.coords and dataset["latitude"].ndim == 2
    places = ("y", "x") if curved else DIMENSIONS[1:]
    wanted = ("time", *places, *(["number"] if members else []))
    chosen = chosen.map(lambda field: squeezed(field, wanted), keep_attrs=True)
    chosen = chosen.drop_vars([name for name in chosen.coords if name not in (*DIMENSIONS, *wanted)])
    conversions: list[str] = []
    for name in variables:
        dims = [*map(str, chosen[name].dims)]
        if base_name(name) == "geopotential" and sorted(dims) == sorted(places):
            raise DataError(f"geopotential in {where} has no time, as that of the ground has none; "
                            f"give the geopotential at {variable(name).level or level:g} hPa")
        if "number" in dims and not members:
            raise DataError(f"{name} in {where} has {chosen.sizes['number']} members along the dimension number; "
                            "select one: dataset.isel(number=0)")
        if sorted(dims) not in (sorted(wanted), sorted(wanted[:3])):
            raise DataError(f"{name} in {where} has the dimensions {', '.join(dims) or 'of a number'}; "
                            f"rename or select until they are {', '.join(wanted[:3])}")
        chosen[name] = in_units(chosen[name], name, where, (units or {}).get(name), conversions.append)
    if conversions:
        warnings.warn("; ".join(conversions), stacklevel=3)
    return chosen


def static_fields(dataset: xr.Dataset) -> xr.Dataset:
    """Take the fields without a time (land-sea mask, surface geopotential) that a dataset has, in their units."""
    fields = {}
    for name, field in ((name, dataset[name]) for name in STATIC if name in dataset):
        field = squeezed(field, DIMENSIONS[1:])
        if {*field.dims} not in ({*DIMENSIONS[1:]}, {"y", "x"}):
            continue
        written = str(field.attrs.get("units", "1"))
        scale, offset = way_of(name, written, variable(name).units) or (1, 0)
        if (scale, offset) != (1, 0):
            field, written = field * scale + offset, variable(name).units
        fields[name] = field.assign_attrs(units=normalised_units(written))
    return xr.Dataset(fields).reset_coords(drop=True)


def in_units(field: xr.DataArray, name: str, where: str, expected: str | None = None,
             say: Callable[[str], None] = warnings.warn) -> xr.DataArray:  # fmt: skip
    """Convert a field to the units `expected`, else to those that this package has the variable in; lazily.

    Returns:
        The field with its units in the CF spelling, after it has said where its values change. Without expected units
        it has those that it says.

    Raises:
        DataError: If it says none, or some of another quantity.
    """
    known, written = variable(name), str(field.attrs.get("units", ""))[:60]  # whatever an attribute may hold
    if not written.strip():
        wanted = repr(expected or known.units) if expected or known.units else ""
        raise DataError(f"{name} in {where} says no units; write {wanted or 'its units'} into its attribute 'units': "
                        f"dataset[{name!r}].attrs['units'] = {wanted or '...'}")
    choices = (expected,) if expected else (known.units or written, *([known.amounts] if known.amounts else []))
    ways = {units: way for units in choices if (way := way_of(name, written, units)) is not None}
    units, way = next(iter(ways.items()), (choices[0], None))
    if way is None or (way != (1, 0) and field.dtype.kind not in "iuf"):
        raise DataError(f"{name} in {where} is in {written!r}; convert it to {' or '.join(map(repr, choices))}")
    if way != (1, 0):
        say(f"{name} in {where} is in {written!r}; it is converted to {units!r}{said(way)}")
        # As a packed field, which xarray unpacks as it is read: arithmetic would load all days at once.
        packed = field.drop_encoding().assign_attrs(scale_factor=way[0], add_offset=way[1], units=units)
        unpacked = xr.decode_cf(packed.to_dataset(name=name), decode_times=False, decode_coords=False)
        field = unpacked[name].drop_encoding()
    return field.assign_attrs(units=units if expected or known.units else normalised_units(written))


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


def within(dataset: xr.Dataset, area: Area, where: str) -> xr.Dataset:
    """Cut an area out of ordered fields along latitude and longitude, eastward from its west; lazily.

    Raises:
        DataError: the area is none, the fields are of a projection, or fewer than 2 x 2 points lie in it.

    Example:
        >>> globe = xr.Dataset(coords={"latitude": [-45.0, 0.0, 45.0], "longitude": [0.0, 90.0, 180.0, 270.0]})
        >>> within(globe, (50, -100, -10, 10), "here")["longitude"].values.tolist()
        [-90.0, 0.0]
    """
    north, west, south, east = area
    said = f"the area {north:g} north, {west:g} west, {south:g} south, {east:g} east"
    if not (-90 <= south < north <= 90 and west < east <= west + 360):
        raise DataError(f"{said} is none; give degrees in that order, south below north and west below east, such as "
                        "72 -25 34 45")
    if dataset["latitude"].ndim == 2:
        raise DataError(f"{where} is on a projection, of which no area can be cut; leave the area out")
    latitude, longitude = dataset["latitude"].values, dataset["longitude"].values
    rows = (latitude >= south - TINY) & (latitude <= north + TINY)
    columns = (longitude - west + TINY) % 360 <= east - west + 2 * TINY
    if rows.sum() < 2 or columns.sum() < 2:
        raise DataError(f"{where} has {rows.sum()} x {columns.sum()} points in {said}; choose a larger one")
    return ordered(dataset.isel(latitude=rows, longitude=columns), where)


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
