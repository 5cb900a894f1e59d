"""What every source of days must agree on: variables, level, units, and the order of the coordinates."""

import re
from collections.abc import Sequence

import numpy as np
import xarray as xr

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
NAMES = {
    "valid_time": "time", "lat": "latitude", "lon": "longitude", "pressure_level": "level",
    "t2m": "2m_temperature", "t": "temperature", "u": "u_component_of_wind", "v": "v_component_of_wind",
    "z": "geopotential", "q": "specific_humidity", "lsm": "land_sea_mask",
}  # fmt: skip


def named(dataset: xr.Dataset) -> xr.Dataset:
    """`dataset` with WeatherBench 2's names where it has short ones."""
    there = {*dataset.variables, *dataset.dims}
    return dataset.rename({old: new for old, new in NAMES.items() if old in there and new not in there})


def select(dataset: xr.Dataset, variables: Sequence[str], level: int, where: str) -> xr.Dataset:
    """`variables` at `level` (hPa) of `dataset`, with their units in the CF spelling.

    A variable without a level dimension stays as it is. DataError for what the source lacks.
    """
    missing = [name for name in variables if name not in dataset.data_vars]
    if missing:
        there = ", ".join(sorted(str(name) for name in dataset.data_vars))
        raise DataError(f"{where} has no {', '.join(missing)}; choose among its variables: {there}")
    chosen = at_level(dataset[list(variables)], level, where)
    for name in variables:
        dims = chosen[name].dims
        if sorted(map(str, dims)) != sorted(DIMENSIONS):
            raise DataError(
                f"{name} in {where} has the dimensions {', '.join(map(str, dims)) or 'of a number'}; "
                f"rename or select until they are {', '.join(DIMENSIONS)}")
        chosen[name] = chosen[name].assign_attrs(units=checked_units(chosen[name], name, where))
    return chosen


def at_level(dataset: xr.Dataset, level: int, where: str) -> xr.Dataset:
    """`dataset` without its level dimension; DataError if it has no `level` (hPa)."""
    if "level" not in dataset.dims:
        # A store or file with one level says which in an attribute, if at all.
        only = dataset.attrs.get("level", level)
        if not np.array_equal(only, level):
            raise DataError(f"{where} holds level {str(only)[:60]} hPa, not {level}; use that level or other data")
        return dataset
    if "level" not in dataset.coords or level not in dataset["level"].values:
        there = ", ".join(str(value) for value in dataset.get("level", xr.DataArray([])).values.ravel()[:50])
        raise DataError(f"{where} has no level {level} hPa; choose among its levels: {there}")
    return dataset.sel(level=level, drop=True)


def static_fields(dataset: xr.Dataset) -> xr.Dataset:
    """The fields without a time (land-sea mask, surface geopotential) that `dataset` has."""
    names = [n for n in STATIC if n in dataset and set(dataset[n].dims) == {"latitude", "longitude"}]
    units = {n: normalised_units(str(dataset[n].attrs.get("units", "1"))) for n in names}
    return xr.Dataset({n: dataset[n].assign_attrs(units=units[n]) for n in names})


def normalised_units(text: str) -> str:
    """The CF spelling of units: "m s**-1", "m/s" and "m s^-1" become "m s-1"."""
    above, *below = text.replace("**", "").replace("^", "").split("/")
    factors = []
    for part, sign in [(above, 1), *((part, -1) for part in below)]:
        for factor in part.split():
            match = re.fullmatch(r"([A-Za-z]+)([+-]?\d+)?", factor)
            if match is None:  # no product of powers, such as "(0 - 1)": leave it to the comparison
                return text.strip()
            power = sign * int(match[2] or 1)
            factors.append(match[1] if power == 1 else f"{match[1]}{power}")
    return " ".join(factors)


def checked_units(field: xr.DataArray, name: str, where: str) -> str:
    """The units of `field` in the CF spelling; DataError if they are missing or not the expected ones."""
    expected = UNITS.get(name)
    written = str(field.attrs.get("units", ""))[:60]  # whatever an attribute may hold
    if not written:
        wanted = repr(expected) if expected else "its units"
        raise DataError(f"{name} in {where} says no units; write {wanted} into its attribute 'units'")
    units = normalised_units(written)
    if expected is not None and units != expected:
        raise DataError(f"{name} in {where} is in {written!r}; convert it to {expected!r}")
    return units


def ordered(dataset: xr.Dataset, where: str) -> xr.Dataset:
    """`dataset` as (time, latitude, longitude), both ascending, longitude in 0..360; lazy stays lazy."""
    for name in ("latitude", "longitude"):
        if name not in dataset.coords or dataset[name].dims != (name,):
            raise DataError(f"{where} has no coordinate {name} along a dimension {name}; add it in degrees")
        if not dataset[name].size or dataset[name].dtype.kind not in "iuf" or not np.isfinite(dataset[name]).all():
            raise DataError(f"{name} in {where} is not a list of numbers; write it in degrees")
    north = dataset["latitude"].values.astype(np.float64)
    if not (np.abs(north) <= 90).all():
        raise DataError(f"latitude in {where} exceeds 90 degrees; write it in degrees north")
    east = np.mod(dataset["longitude"].values.astype(np.float64), 360)
    dataset = dataset.assign_coords(latitude=("latitude", north, {"units": "degrees_north"}),
                                    longitude=("longitude", east, {"units": "degrees_east"}))
    for name in ("latitude", "longitude"):
        dataset = _ascending(dataset, name, where)
    return dataset.transpose(*DIMENSIONS, missing_dims="ignore")


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


def row_edges(latitude: np.ndarray) -> np.ndarray:
    """Edges (H + 1,) of cells around `latitude` (degrees, ascending): half way to the neighbours, none past a pole."""
    if latitude.size == 1:
        return np.array([-90.0, 90.0])
    inner = (latitude[:-1] + latitude[1:]) / 2
    first, last = 2 * latitude[0] - inner[0], 2 * latitude[-1] - inner[-1]
    return np.clip(np.concatenate([[first], inner, [last]]), -90, 90)


def cell_area(latitude: np.ndarray) -> np.ndarray:
    """Area weights (H,) with mean 1 of cells around `latitude` (degrees, ascending).

    A cell's area goes with the sine of its edges; a row on a pole is a half cell.
    """
    area: np.ndarray = np.diff(np.sin(np.deg2rad(row_edges(latitude))))
    weights: np.ndarray = area * (area.size / area.sum())
    return weights


def on_sphere(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Unit vectors (h, w, 3) of a grid's points."""
    y, x = np.meshgrid(np.deg2rad(latitude), np.deg2rad(longitude), indexing="ij")
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)
