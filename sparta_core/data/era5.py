"""ERA5 from WeatherBench 2: 6-hourly fields on the net to daily means in a local Zarr store.

A store is made by one call, which may be interrupted at any moment: the same call goes on.
"""

import math
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import dask
import numpy as np
import xarray as xr
from distributed import Client

from sparta_core.data.daily import BUCKET, Years, daily_means, open_source
from sparta_core.data.days import WEATHERBENCH2_VARIABLES
from sparta_core.data.daystore import DayStore, weather
from sparta_core.data.grid import DIMENSIONS, check_finite
from sparta_core.data.remote import ReliableStore
from sparta_core.errors import DataError
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
) -> Path:
    """Write the daily means of `source` (a path, or a URL such as URLS["5.625"]) as a Zarr store.

    Returns `target`, which `load_fields` reads. `years` are the first and the last, `spacing` is of the grid to
    regrid to (degrees), None for all and for the source's own. A finished store of the same order is left as it
    is; DataError if `target` holds anything else, or the source does not fit. `scheduler` is the address of a
    dask scheduler whose workers read; None reads in threads.
    """
    order = {"source": str(source), "variables": sorted(variables), "level": level,
             "years": list(years) if years else None, "spacing": spacing}  # fmt: skip
    store = DayStore(Path(target), order)
    if not store.finished:
        with store.alone(), _workers(scheduler):
            reader = ReliableStore.at(str(source))
            remote = open_source(reader)
            days = daily_means(remote, str(source), variables, level, years, spacing)
            blocks = store.begin(days)
            reader.shared |= shared_chunks(remote, variables, [days["time"].values[at] for at in blocks])
            _Download(days, store, bytes_per_day(remote, variables)).run(blocks)
    return Path(target)


class _Download:
    """The days of a lazy source on their way into a local store."""

    def __init__(self, days: xr.Dataset, store: DayStore, daily: float) -> None:
        self.days, self.store, self.daily = days, store, daily

    def run(self, blocks: list[slice]) -> None:
        count, left = self.days.sizes["time"], sum(block.stop - block.start for block in blocks)
        self._check_room(left)
        say(f"{count} days to {self.store.target}, {count - left} of them there; "
            f"up to {_bytes(left * self.daily)} of the source to read")
        begun, done = time.monotonic(), 0
        for at in blocks:
            self.store.write(self._read(at), at)
            done += at.stop - at.start
            self._say(at, done, left, time.monotonic() - begun)
        self.store.finish()

    def _read(self, at: slice) -> xr.Dataset:
        """Days, loaded and finite."""
        block = self._loaded(self.days.isel(time=at))
        for name in weather(block):
            check_finite(block[name].values, block["time"].values, name, self.days.attrs["store"])
        return block

    def _loaded(self, days: xr.Dataset) -> xr.Dataset:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return days.load()
            except DataError:
                raise
            except Exception as error:  # a chunk cut short on its way: each codec raises its own
                reason = " ".join(str(error).split()) or type(error).__name__
                if attempt == ATTEMPTS:
                    raise DataError(self._culprit(days, reason)) from error
                say(f"{_span(days)}: {reason}; reading again")
        raise AssertionError

    def _say(self, at: slice, done: int, left: int, seconds: float) -> None:
        rate = done * self.daily / seconds
        say(f"{_span(self.days.isel(time=at))}: {_bytes(done * self.daily)} read, {_bytes(rate)}/s, "
            f"{time_left(seconds, done, left)}")

    def _culprit(self, days: xr.Dataset, reason: str) -> str:
        """What to say of a block that cannot be decoded: the first variable and day that fail alone."""
        for name in weather(days):
            for step in range(days.sizes["time"]):
                one = days[[name]].isel(time=slice(step, step + 1))
                try:
                    one.load()
                except Exception:
                    return (f"{name} on {_span(one)} in {days.attrs['store']} cannot be decoded ({reason}); what is "
                            "prepared is kept: try again later, or choose years without it")
        return f"{_span(days)} in {days.attrs['store']} cannot be decoded ({reason}); start again"

    def _check_room(self, days: int) -> None:
        one = sum(self.days[name].isel(time=0).nbytes for name in weather(self.days))
        needed, free = days * one, shutil.disk_usage(self.store.part.parent).free
        if needed > free:
            raise DataError(f"{days} days take {_bytes(needed)} and {self.store.part.parent} has {_bytes(free)}; "
                            "free space, or choose fewer years or variables")


def bytes_per_day(remote: xr.Dataset, variables: Sequence[str]) -> float:
    """What must be read for one day, decoded: chunks come whole, with all their levels."""
    total = 0.0
    for name in variables:
        field = remote[name]
        chunks = dict(zip(field.dims, field.encoding["chunks"], strict=True))
        wide = [dim for dim in field.dims if dim in ("latitude", "longitude")]
        points = math.prod(-(-field.sizes[dim] // chunks[dim]) * chunks[dim] for dim in wide)
        deep = math.prod(length for dim, length in chunks.items() if dim not in DIMENSIONS)
        total += points * deep * field.dtype.itemsize
    return total * round(np.timedelta64(1, "D") / np.median(np.diff(remote["time"].values)))


def shared_chunks(remote: xr.Dataset, variables: Sequence[str], blocks: list[np.ndarray]) -> set[tuple[str, int]]:
    """The chunks, by variable and place in time, with the end of one block of dates (D,) and the start of the next."""
    shared = set()
    for before, after in pairwise(blocks):
        last, first = np.searchsorted(remote["time"].values, [before[-1] + np.timedelta64(1, "D"), after[0]])
        for name in variables:
            length = remote[name].encoding["chunks"][remote[name].dims.index("time")]
            if (last - 1) // length == first // length:
                shared.add((name, int(first // length)))
    return shared


@contextmanager
def _workers(scheduler: str | None) -> Iterator[None]:
    """Reading by this process's threads, or by the workers of a dask scheduler."""
    if scheduler is None:
        with dask.config.set(scheduler="threads"):
            yield
        return
    try:
        client = Client(scheduler, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise DataError(f"no dask scheduler answers at {scheduler} ({error}); check the address") from error
    with client:
        yield


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
