"""What others call time, latitude, longitude, levels and members, and how they lay them out, under our names."""

from collections.abc import Hashable

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.data.conventions import LATITUDES, LONGITUDES, MEMBERS, REFERENCES, STEPS, TIMES, VERTICAL_UNITS
from sparta_core.data.levels import verticals
from sparta_core.data.projections import with_places
from sparta_core.errors import DataError

PLACES = {"latitude": LATITUDES, "longitude": LONGITUDES}
COLUMNS = ("x", "west_east", "i", "ni", "nx", "xc", "lon", "rlon", "longitude", "xi_rho", "nlon")  # of 2-D grids
INITIAL = ("step", "prediction_timedelta")  # of GRIB and WeatherBench 2, beside which time is that of the analysis
DAY_NUMBERS = "day as %Y%m%d"  # units of dates that are written as numbers: 20011231


def renamed_axes(dataset: xr.Dataset) -> xr.Dataset:
    """Name a dataset's coordinates and dimensions time, latitude, longitude, level and number, where it has any.

    On a grid whose latitudes are 2-D its dimensions are y and x, and latitude and longitude (y, x). Where time and step
    are those of forecasts, time is when they are valid.
    """
    return _level(_members(_times(_places(dataset))))


def _places(dataset: xr.Dataset) -> xr.Dataset:
    for name, theirs in PLACES.items():
        found = _name_of(dataset, name, theirs)
        if found is not None and found != name:
            dataset = dataset.rename({found: name})
    if not any(name in dataset.variables for name in PLACES):
        dataset = with_places(dataset)
    if not all(name in dataset.variables for name in PLACES):
        return dataset
    dataset = dataset.set_coords([*PLACES])
    latitude, longitude = (dataset[name] for name in PLACES)
    if latitude.ndim == 3 and latitude.dims == longitude.dims:  # WRF writes them for every time
        latitude, longitude = (_constant(axis) for axis in (latitude, longitude))
        dataset = dataset.drop_vars([*PLACES]).assign_coords(latitude=latitude, longitude=longitude)
    if latitude.ndim == 2 and latitude.dims == longitude.dims:
        return _curved(dataset, latitude.dims)
    for name in PLACES:
        axis = dataset[name]
        if axis.ndim == 1 and axis.dims != (name,) and latitude.dims != longitude.dims:
            dataset = dataset.swap_dims({axis.dims[0]: name})
    return dataset


def _curved(dataset: xr.Dataset, dims: tuple[Hashable, ...]) -> xr.Dataset:
    """Call the two dimensions of a grid with 2-D coordinates y and x."""
    rows, columns = dims[::-1] if str(dims[0]).lower() in COLUMNS and str(dims[1]).lower() not in COLUMNS else dims
    names = {old: new for old, new in ((rows, "y"), (columns, "x")) if old != new}
    taken = [new for new in names.values() if new in dataset.variables and new not in dims]
    dataset = dataset.drop_vars(taken).rename(names)
    return dataset.assign_coords({name: dataset[name].transpose("y", "x") for name in PLACES})


def _constant(axis: xr.DataArray) -> xr.DataArray:
    """The first of 2-D coordinates that are the same at all times; DataError if they move."""
    values = axis.values
    if not (values == values[:1]).all():
        raise DataError(f"the grid moves: {axis.name} changes with {axis.dims[0]}; select the times of one grid")
    return axis.isel({axis.dims[0]: 0}, drop=True)


def _name_of(dataset: xr.Dataset, name: str, theirs: tuple[str, ...]) -> str | None:
    """What a dataset calls a coordinate: by this house's names, others' names, its attributes, or by a guess at its
    name."""
    for present in ([*dataset.variables], [*dataset.dims]):
        for wanted in ((name,), theirs):
            found = [each for each in map(str, present) if each.lower() in wanted]
            if found:
                return name if name in found else min(found, key=lambda each: wanted.index(each.lower()))
    if not dataset.coords:
        return None
    import cf_xarray  # noqa: F401  not before it is needed, as it takes a while

    said = dataset.cf.coordinates.get(name, []) or (
        dataset.cf.guess_coord_axis().cf.coordinates.get(name, []) if name in PLACES else dataset.cf.axes.get("T", []))
    return str(said[0]) if len(said) == 1 else None


def _times(dataset: xr.Dataset) -> xr.Dataset:
    dataset = _valid(dataset)
    found = "time" if "time" in dataset.variables else _name_of(dataset, "time", TIMES)
    if found is None:
        return dataset
    if found not in dataset.variables:
        return dataset.rename({found: "time"}) if found != "time" else dataset
    time = dataset[found].variable
    if time.dtype.kind in "SU":  # WRF: 2001-12-31_00:00:00
        time = time.copy(data=np.char.replace(time.values.astype(str), "_", "T"))
    elif time.dtype.kind in "iuf" and str(time.attrs.get("units", "")).startswith(DAY_NUMBERS):
        dates = pd.to_datetime(pd.Series(time.values.ravel()).astype(int).astype(str), errors="coerce")
        time = xr.Variable(time.dims, dates.to_numpy("datetime64[s]").reshape(time.shape))
    return _along_time(dataset.drop_vars(found), time)


def _along_time(dataset: xr.Dataset, time: xr.Variable) -> xr.Dataset:
    """Give a dataset its times, along the dimension that they have, which becomes time."""
    if time.ndim != 1:
        return dataset.drop_vars("time", errors="ignore").assign_coords(time=time)
    (dim,) = time.dims
    if dim != "time":
        dataset = dataset.drop_vars([name for name in (dim, "time") if name in dataset.variables])
        dataset = dataset.rename({dim: "time"}) if dim in dataset.dims else dataset
    return dataset.assign_coords(time=xr.Variable("time", time.data, time.attrs, time.encoding))


def _valid(dataset: xr.Dataset) -> xr.Dataset:
    """Make the times at which forecasts are valid the dataset's time, of their reference times and steps."""
    if "valid_time" not in dataset.variables:
        dataset = _with_valid(dataset)
    others = [name for name in ("time", *REFERENCES, *STEPS) if name in dataset.variables]
    if "valid_time" not in dataset.variables or not others:
        return dataset
    dims = dataset["valid_time"].dims
    single = [dim for dim in dims if dataset.sizes[dim] == 1]
    dims = tuple(dim for dim in dims if dim not in single) or dims[:1]
    dataset = dataset.isel({dim: 0 for dim in single if dim not in dims}).set_coords("valid_time")
    if len(dims) == 2:
        moments = dataset["valid_time"].values
        if np.unique(moments).size != moments.size:
            raise DataError(f"forecasts from several times and of several steps, {' and '.join(map(str, dims))}, are "
                            f"valid at the same times; select one of either")
        dataset = dataset.stack(valid=dims).reset_index("valid")
        dims = ("valid",)
        dataset = dataset.isel(valid=np.argsort(dataset["valid_time"].values))
    valid = dataset["valid_time"].variable
    dataset = dataset.drop_vars([name for name in (*others, "valid_time") if name in dataset.variables])
    dataset = dataset.isel({dim: 0 for dim in STEPS if dataset.sizes.get(dim) == 1 and dim not in dims})
    return _along_time(dataset, valid)


def _with_valid(dataset: xr.Dataset) -> xr.Dataset:
    """Add what is valid when, where there are reference times and steps: never where time itself says it."""
    steps = [name for name in STEPS if name in dataset.coords]
    references = [name for name in REFERENCES if name in dataset.coords and name != "time"]
    if not references and "time" in dataset.coords and steps:
        initial = dataset["time"].attrs.get("standard_name") == "forecast_reference_time"
        references = ["time"] if initial or steps[0] in INITIAL else []
    elif "time" in dataset.variables:
        return dataset
    if not (steps and references) or dataset[references[0]].dtype.kind != "M":
        return dataset
    step = dataset[steps[0]]
    if step.dtype.kind in "iuf":
        units = str(step.attrs.get("units", "hours"))
        try:
            ahead = pd.to_timedelta(step.values.ravel(), unit=units.rstrip("s")).to_numpy()
        except ValueError:
            return dataset
        step = step.copy(data=ahead.reshape(step.shape))
    return dataset.assign_coords(valid_time=dataset[references[0]] + step) if step.dtype.kind == "m" else dataset


def _members(dataset: xr.Dataset) -> xr.Dataset:
    found = [dim for dim in map(str, dataset.dims) if dim.lower() in MEMBERS]
    if not found or "number" in found:
        return dataset
    dataset = dataset.drop_vars("number", errors="ignore")
    return dataset.rename({found[0]: "number"})


def _level(dataset: xr.Dataset) -> xr.Dataset:
    """Call the pressure that fields are at level, where there is one such coordinate."""
    names = {vertical.name for field in dataset.data_vars.values() for vertical in verticals(field)
             if vertical.kind == "pressure"}  # fmt: skip
    if len(names) != 1 or "level" in {*names, *dataset.variables, *dataset.dims}:
        return dataset
    (name,) = names
    if name in dataset.coords and not dataset[name].attrs.get("units"):
        dataset = dataset.assign_coords({name: dataset[name].assign_attrs(units=VERTICAL_UNITS.get(name, "hPa"))})
    return dataset.rename({name: "level"})
