"""Daily means of 6-hourly stores, as lazy as the stores."""

import warnings
from collections.abc import Sequence

import numpy as np
import xarray as xr

from sparta_core.data.grid import Area, named, ordered, select, static_fields, within
from sparta_core.data.regrid import regrid
from sparta_core.data.remote import ReliableStore, cannot_open
from sparta_core.errors import DataError, one_line

BUCKET = "gs://weatherbench2/datasets/era5/"
Years = tuple[int, int]


def daily_means(store: xr.Dataset, where: str, variables: Sequence[str], level: int,
                years: Years | None = None, spacing: float | None = None, area: Area | None = None) -> xr.Dataset:
    """Average the fields of each day, lazily; days that lack a field are left out with a warning.

    Args:
        store: fields of several times a day, as `open_source` gives them.
        where: its path or URL, which names it in errors.
        variables: their names, as WeatherBench 2 has them.
        level: of those above the surface, hPa.
        years: the first and the last; None for all.
        spacing: of the grid to regrid to, degrees, from a globe; None for the store's own.
        area: what to cut out, degrees north, west, south and east; None for all.

    Returns:
        The variables, float32 (time, latitude, longitude), and the static fields of the store, ordered as `ordered`
        does it. Units are spelt as in CF.

    Raises:
        DataError: the store lacks what is asked for, or has other units, another grid, or unordered times.

    Example:
        >>> daily_means(open_source(ReliableStore.at(url)), url, ["geopotential"], 500)  # doctest: +SKIP
    """
    # Before the means: the other levels and variables would cost twenty times the work.
    fields = _of_years(select(store, variables, level, where), years, where)
    days = ordered(_means(fields, where).assign(dict(static_fields(store))), where)
    if spacing is not None:
        days = regrid(days, spacing, where)
    if area is not None:
        days = within(days, area, where)
    days = days.astype(np.float32).drop_encoding()
    source = "ERA5, WeatherBench 2" if where.startswith(BUCKET) else str(store.attrs.get("source", where))
    return days.drop_attrs(deep=False).assign_attrs(
        title=f"Daily means, {level} hPa and surface", source=source, store=where, level=level)


def open_source(source: ReliableStore) -> xr.Dataset:
    """Open a store lazily, under WeatherBench 2's names; DataError if it cannot be opened."""
    try:
        with warnings.catch_warnings():
            # A store without consolidated metadata opens more slowly; the caller cannot change that.
            warnings.filterwarnings("ignore", "Failed to open Zarr store with consolidated", RuntimeWarning)
            # In seconds, as nanoseconds reach from 1678 to 2262 only.
            store: xr.Dataset = xr.open_zarr(source, decode_times=xr.coders.CFDatetimeCoder(time_unit="s"))
    except Exception as error:  # zarr, fsspec, gcsfs and aiohttp each raise their own
        raise cannot_open(source.where, one_line(error)) from error
    source.blosc |= {str(name) for name, field in store.variables.items()
                     if "blosc" in str(field.encoding.get("compressors")).lower()}
    return named(store)


def _of_years(fields: xr.Dataset, years: Years | None, where: str) -> xr.Dataset:
    times = _times(fields, where)
    if years is None:
        return fields
    calendar = times.astype("datetime64[Y]").astype(int) + 1970
    if not calendar[0] <= years[0] <= years[1] <= calendar[-1]:
        raise DataError(f"{where} has the years {calendar[0]} to {calendar[-1]}, not {years[0]} to {years[1]}; "
                        "choose among them")
    first, end = np.searchsorted(calendar, [years[0], years[1] + 1])
    return fields.isel(time=slice(int(first), int(end)))


def _times(fields: xr.Dataset, where: str) -> np.ndarray:
    times = fields["time"].values if "time" in fields.coords else np.empty(0)
    if not np.issubdtype(times.dtype, np.datetime64) or times.size < 2:
        raise DataError(f"{where} has no time axis with two dates or more; give a store of 6-hourly fields")
    times = times.astype("datetime64[s]")
    back = np.flatnonzero(np.diff(times) <= np.timedelta64(0, "s"))
    if back.size:
        before, after = times[back[0]], times[back[0] + 1]
        raise DataError(f"time in {where} goes from {before} to {after}; sort the store and drop what is there twice")
    return times


def _means(fields: xr.Dataset, where: str) -> xr.Dataset:
    """Average the whole days; warns of those that lack fields or have others."""
    times = _times(fields, where)
    steps, day = np.diff(times), np.timedelta64(1, "D")
    step = np.sort(steps)[steps.size // 2]  # the usual one
    if day % step:
        raise DataError(f"the time step of {where} is {step}, which does not divide a day; "
                        "interpolate it to 6 hours first")
    per_day = int(day // step)
    dates, first, counts = np.unique(times.astype("datetime64[D]"), return_index=True, return_counts=True)
    whole = counts == per_day
    places = first[whole, None] + np.arange(per_day)  # of the fields of each day
    even = (np.diff(times[places]) == step).all(axis=1)
    whole[whole] = even
    for date, count in zip(dates[~whole], counts[~whole], strict=True):
        warnings.warn(f"{date} has {count} fields in {where}, not {per_day} in equal steps; it is left out",
                      stacklevel=4)
    if not whole.any():
        raise DataError(f"{where} has no whole day of {per_day} fields; give a longer store")
    places = places[even].ravel()
    consecutive = places[-1] - places[0] + 1 == places.size  # then a slice, because it keeps the chunks as they are
    fields = fields.isel(time=slice(places[0], places[-1] + 1) if consecutive else places)
    # numpy's mean keeps NaNs where coarsen's skips them: a damaged field must not hide in its day.
    means = fields.coarsen(time=per_day).reduce(np.mean, dtype=np.float64)
    for name in fields.data_vars:
        means[name].attrs = {**fields[name].attrs, "cell_methods": "time: mean"}
    return means.assign_coords(time=dates[whole].astype("datetime64[s]"))
