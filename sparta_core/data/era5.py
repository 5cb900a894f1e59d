"""ERA5 from WeatherBench 2: 6-hourly fields on the net to daily means in a local Zarr store."""

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import xarray as xr

from sparta_core.data.grid import STATIC, check_finite, ordered, select, static_fields
from sparta_core.errors import DataError
from sparta_core.experiment import WEATHERBENCH2_VARIABLES

_BUCKET = "gs://weatherbench2/datasets/era5/"
# The public stores by grid spacing in degrees; anonymous access.
URLS: dict[str, str] = {
    "5.625": _BUCKET + "1959-2023_01_10-6h-64x32_equiangular_conservative.zarr",
    "2.8125": _BUCKET + "1959-2022-6h-128x64_equiangular_conservative.zarr",
    "1.5": _BUCKET + "1959-2023_01_10-6h-240x121_equiangular_with_poles_conservative.zarr",
    "0.25": _BUCKET + "1959-2023_01_10-wb13-6h-1440x721_with_derived_variables.zarr",
}
DAYS_PER_CHUNK = 365


def prepare(
    source: str,
    target: str | Path,
    variables: Sequence[str] = WEATHERBENCH2_VARIABLES,
    level: int = 850,
) -> Path:
    """Write the daily means of `source` (a path, or a URL such as URLS["5.625"]) as a Zarr store.

    Returns `target`, which `load_fields` reads. A finished store of the same source, variables and
    level is left as it is; DataError if `target` holds anything else.
    """
    target = Path(target)
    if target.exists():
        _check_same(target, str(source), variables, level)
        return target
    days = open_days(source, variables, level)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when whole, on the same disk: an interrupted call leaves nothing at `target`.
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        part = Path(folder) / target.name
        _write(days, part, str(source))
        os.rename(part, target)
    return target


def open_days(
    source: str | Path, variables: Sequence[str] = WEATHERBENCH2_VARIABLES, level: int = 850
) -> xr.Dataset:
    """Daily means of `variables` at `level` (hPa), lazily: float32 (time, latitude, longitude).

    Latitude and longitude (0..360) ascend, units are in the CF spelling, static fields are kept. Days
    cut off at either end are left out with a warning. DataError for a source that does not fit.
    """
    where = str(source)
    store = _opened(where)
    # Before the means: the other levels and variables would cost twenty times the work.
    days = _daily_means(select(store, variables, level, where), where)
    days = days.assign(dict(static_fields(store)))
    days = ordered(days, where).astype(np.float32).drop_encoding()
    return days.drop_attrs(deep=False).assign_attrs(
        title=f"ERA5 daily means, {level} hPa and surface", source="ERA5, WeatherBench 2", store=where, level=level,
        institution="ECMWF, regridded and published by WeatherBench 2")


def _opened(where: str) -> xr.Dataset:
    options = {"token": "anon"} if where.startswith("gs://") else None
    try:
        with warnings.catch_warnings():
            # A store without consolidated metadata opens more slowly; the caller cannot change that.
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated", RuntimeWarning)
            store: xr.Dataset = xr.open_zarr(where, storage_options=options)
    except Exception as error:  # zarr, fsspec, gcsfs and aiohttp each raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"cannot open {where} as a Zarr store ({reason}); check the address "
                        "and the connection") from error
    return store


def _daily_means(fields: xr.Dataset, where: str) -> xr.Dataset:
    times = _times(fields, where)
    per_day = _fields_per_day(times, where)
    whole, dates = _whole_days(times, per_day, where)
    # numpy's mean keeps NaNs where coarsen's skips them: a damaged field must not hide in its day.
    means = fields.isel(time=whole).coarsen(time=per_day).reduce(np.mean, dtype=np.float64)
    for name in fields.data_vars:
        means[name].attrs = {**fields[name].attrs, "cell_methods": "time: mean"}
    return means.assign_coords(time=dates.astype("datetime64[ns]"))


def _times(fields: xr.Dataset, where: str) -> np.ndarray:
    times = fields["time"].values if "time" in fields.coords else np.empty(0)
    if not np.issubdtype(times.dtype, np.datetime64) or times.size < 2:
        raise DataError(f"{where} has no time axis with two dates or more; give a store of 6-hourly fields")
    return times.astype("datetime64[s]")


def _fields_per_day(times: np.ndarray, where: str) -> int:
    """How many time steps make a day; DataError naming the first gap of an irregular axis."""
    steps = np.diff(times)
    step = np.sort(steps)[steps.size // 2]
    odd = np.flatnonzero(steps != step)
    if odd.size:
        before, after = times[odd[0]], times[odd[0] + 1]
        raise DataError(f"time in {where} goes from {before} to {after}, elsewhere in steps of "
                        f"{step.astype('timedelta64[m]')}; repair the store or cut it there")
    day = np.timedelta64(1, "D")
    if step <= np.timedelta64(0, "s") or day % step:
        raise DataError(f"the time step of {where} is {step}, which does not divide a day; "
                        "interpolate it to 6 hours first")
    return int(day // step)


def _whole_days(times: np.ndarray, per_day: int, where: str) -> tuple[slice, np.ndarray]:
    """The steps of all whole days, and their dates (T,); warns of the days cut off at the ends."""
    dates, counts = np.unique(times.astype("datetime64[D]"), return_counts=True)
    whole = counts == per_day  # in a regular axis only the first and the last can be cut
    for date, count in zip(dates[~whole], counts[~whole], strict=True):
        warnings.warn(f"{date} has only {count} of {per_day} fields in {where}; it is left out", stacklevel=4)
    if not whole.any():
        raise DataError(f"{where} has no whole day of {per_day} fields; give a longer store")
    start = 0 if whole[0] else int(counts[0])
    return slice(start, start + per_day * int(whole.sum())), dates[whole]


def _write(days: xr.Dataset, part: Path, where: str) -> None:
    rows, columns = days.sizes["latitude"], days.sizes["longitude"]
    names = [name for name in days.data_vars if name not in STATIC]
    encoding: dict[str, dict[str, object]] = {
        str(name): {"chunks": (DAYS_PER_CHUNK, rows, columns)} for name in names}
    # Said here once: every later year is written in the units of the first.
    encoding["time"] = {"units": "days since 1900-01-01", "dtype": "int64", "chunks": (days.sizes["time"],)}
    for year, block in _years(days):
        block = block.load()
        for name in names:
            check_finite(block[name].values, block["time"].values, str(name), where)
        if part.exists():
            block[names].to_zarr(part, append_dim="time", consolidated=False)
        else:
            block.to_zarr(part, mode="w", encoding=encoding, consolidated=False)
        print(f"{year}: {block.sizes['time']} days", flush=True)


def _years(days: xr.Dataset) -> Iterator[tuple[int, xr.Dataset]]:
    years, starts = np.unique(days["time"].dt.year.values, return_index=True)
    for year, start, stop in zip(years, starts, [*starts[1:], days.sizes["time"]], strict=True):
        yield int(year), days.isel(time=slice(int(start), int(stop)))


def _check_same(target: Path, source: str, variables: Sequence[str], level: int) -> None:
    try:
        store = xr.open_zarr(target, chunks=None, consolidated=False)
    except Exception as error:
        raise DataError(f"{target} exists and is no Zarr store; choose another target") from error
    there = {"source": store.attrs.get("store"), "level": store.attrs.get("level"),
             "variables": sorted(str(name) for name in store.data_vars if name not in STATIC)}
    wanted = {"source": source, "level": level, "variables": sorted(variables)}
    for name, value in wanted.items():
        if there[name] != value:
            raise DataError(f"{target} holds another {name}: {there[name]}, not {value}; "
                            "choose another target or delete that store")
