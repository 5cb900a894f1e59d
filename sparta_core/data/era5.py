"""ERA5 from WeatherBench 2: 6-hourly fields on the net to daily means in a local Zarr store.

A store is made by one call, which may be interrupted at any moment: the same call goes on.
"""

import math
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import dask
import numpy as np
import xarray as xr
from distributed import Client

from sparta_core.data.daily import BUCKET, Years, daily_means, open_source
from sparta_core.data.daystore import DayStore, weather
from sparta_core.data.grid import DIMENSIONS, PROJECTED, Area, check_finite
from sparta_core.data.remote import ReliableStore
from sparta_core.data.selection import sources_of
from sparta_core.data.variables import WEATHERBENCH2_VARIABLES
from sparta_core.errors import DataError, one_line
from sparta_core.progress import say, time_left

# The public stores by grid spacing in degrees; anonymous access.
URLS: dict[str, str] = {
    "5.625": BUCKET + "1959-2023_01_10-6h-64x32_equiangular_conservative.zarr",
    "2.8125": BUCKET + "1959-2022-6h-128x64_equiangular_conservative.zarr",
    "1.5": BUCKET + "1959-2023_01_10-6h-240x121_equiangular_with_poles_conservative.zarr",
    "0.25": BUCKET + "1959-2023_01_10-wb13-6h-1440x721_with_derived_variables.zarr",
}
ATTEMPTS = 3  # at a block that cannot be decoded
ANSWER = 30.0  # seconds that a dask scheduler has for one


def prepare(
    source: str,
    target: str | Path,
    variables: Sequence[str] = WEATHERBENCH2_VARIABLES,
    level: int = 850,
    years: Years | None = None,
    spacing: float | None = None,
    scheduler: str | None = None,
    area: Area | None = None,
) -> Path:
    """Write the daily means of a store of 6-hourly fields as a local Zarr store.

    Args:
        source: a path, or a URL such as `URLS["5.625"]`.
        target: the folder to make; a finished store of the same order is left as it is.
        variables: their names, as WeatherBench 2 has them.
        level: of those above the surface, hPa.
        years: the first and the last; None for all.
        spacing: of the grid to regrid to, degrees; None for the source's own.
        scheduler: the address of a dask scheduler whose workers read; None reads in threads.
        area: what to cut out of the globe, degrees north, west, south and east; None for all.

    Returns:
        `target`, which `load_record` reads.

    Raises:
        DataError: `target` holds anything else or cannot be written, or the source does not fit or cannot be read.

    Example:
        >>> prepare(URLS["5.625"], "data/era5_5.625deg.zarr", years=(1979, 2022))  # doctest: +SKIP
    """
    order = {"source": str(source), "variables": sorted(variables), "level": level,
             "years": list(years) if years else None, "spacing": spacing,
             "area": list(map(float, area)) if area else None}  # fmt: skip
    store = DayStore(Path(target), order)
    if not store.finished:
        with store.alone(), _workers(scheduler):
            reader = ReliableStore.at(str(source))
            remote = open_source(reader)
            days = daily_means(remote, str(source), variables, level, years, spacing, area)
            names = list(dict.fromkeys(sources_of(remote, variables, level, str(source)).values()))
            blocks = store.begin(days)
            reader.shared |= shared_chunks(remote, names, [days["time"].values[at] for at in blocks])
            _download(days, store, blocks, bytes_per_day(remote, names))
    return store.target


def _download(days: xr.Dataset, store: DayStore, blocks: list[slice], daily: float) -> None:
    """Write the blocks of lazy days that a store lacks; a day takes `daily` bytes of the source."""
    count, left = days.sizes["time"], sum(block.stop - block.start for block in blocks)
    needed = left * sum(days[name].isel(time=0).nbytes for name in weather(days))
    free = shutil.disk_usage(store.part.parent).free
    if needed > free:
        raise DataError(f"{left} days take {_bytes(needed)} and {store.part.parent} has {_bytes(free)}; "
                        "free space, or choose fewer years or variables")
    say(f"{count} days to {store.target}, {count - left} of them there; "
        f"up to {_bytes(left * daily)} of the source to read")
    begun, done = time.monotonic(), 0
    for at in blocks:
        store.write(_loaded(days.isel(time=at)), at)  # which nothing holds while the next ones are read
        done += at.stop - at.start
        seconds = time.monotonic() - begun
        say(f"{_span(days.isel(time=at))}: {_bytes(done * daily)} read, {_bytes(done * daily / seconds)}/s, "
            f"{time_left(seconds, done, left)}")
    store.finish()


def _loaded(days: xr.Dataset) -> xr.Dataset:
    """The days, finite, read again after a fault."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            days.load()
            break
        except DataError:
            raise
        except Exception as error:  # of a chunk that was cut short on its way, each codec raises its own
            if attempt == ATTEMPTS:
                raise DataError(_culprit(days, one_line(error))) from error
            say(f"{_span(days)}: {one_line(error)}; reading again")
    check_finite(days, days.attrs["store"])
    return days


def _culprit(days: xr.Dataset, reason: str) -> str:
    """What to say of a block that cannot be decoded: the first variable and day that fail alone."""
    for name in weather(days):
        for step in range(days.sizes["time"]):
            day = days[[name]].isel(time=[step])
            try:
                day.load()
            except Exception:
                return (f"{name} on {_span(day)} in {days.attrs['store']} cannot be decoded ({reason}); what is "
                        "prepared is kept: try again later, or choose years without it")
    return f"{_span(days)} in {days.attrs['store']} cannot be decoded ({reason}); start again"


def bytes_per_day(remote: xr.Dataset, variables: Sequence[str]) -> float:
    """Compute how many bytes, decoded, must be read for one day: chunks come whole, with all their levels."""
    total = 0
    for name in variables:
        field = remote[name]
        lengths = [math.ceil(size / chunk) * chunk if dim in (*DIMENSIONS, *PROJECTED) else chunk for dim, size, chunk
                   in zip(field.dims, field.shape, field.encoding["chunks"], strict=True) if dim != "time"]  # fmt: skip
        total += math.prod(lengths) * field.dtype.itemsize
    return total * round(np.timedelta64(1, "D") / np.median(np.diff(remote["time"].values)))


def shared_chunks(remote: xr.Dataset, variables: Sequence[str], blocks: list[np.ndarray]) -> set[tuple[str, int]]:
    """Find the chunks, by variable and place in time, in which a block of dates (D,) ends and the next one begins."""
    shared = set()
    for before, after in pairwise(blocks):
        last, first = np.searchsorted(remote["time"].values, [before[-1] + np.timedelta64(1, "D"), after[0]])
        for name in variables:
            length = remote[name].encoding["chunks"][remote[name].dims.index("time")]
            if (last - 1) // length == first // length:
                shared.add((name, int(first // length)))
    return shared


def _workers(scheduler: str | None) -> AbstractContextManager[object]:
    """Have this process's threads read, or the workers of a dask scheduler."""
    if scheduler is None:
        return dask.config.set(scheduler="threads")
    try:
        return Client(scheduler, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise DataError(f"no dask scheduler answers at {scheduler} ({error}); check the address") from error


def _span(days: xr.Dataset) -> str:
    first, last = (str(days["time"].values[end].astype("datetime64[D]")) for end in (0, -1))
    return first if first == last else f"{first} to {last}"


def _bytes(count: float) -> str:
    """Bytes as a person says them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
