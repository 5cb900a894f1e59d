"""More simulated climate, of the bundled kind: as many years as wanted, in a local Zarr store.

A store is made by one call, which may be stopped at any moment: the same call goes on.
"""

import time
from pathlib import Path

import numpy as np
import xarray as xr
from safetensors.numpy import load, save

from sparta_core.data.bundled import LEVEL
from sparta_core.data.circulation import BEGIN, LONG_NAMES, SETTINGS, Circulation
from sparta_core.data.daystore import DayStore
from sparta_core.data.grid import DIMENSIONS, check_finite
from sparta_core.data.variables import UNITS
from sparta_core.errors import DataError
from sparta_core.progress import say, time_left

SPIN_UP = 366  # days from rest that are left out: the leap year 2000
BLOCK_DAYS = 73  # a fifth of a year: about a minute
MOST_YEARS = 261  # the dates, in nanoseconds, end in 2262


def simulate(target: str | Path, years: int) -> Path:
    """Write the daily means of simulated years, from 2001-01-01 on, as a Zarr store.

    Variables, level, grid and settings are the bundled climate's. Every version of jcm, and every kind of
    processor, makes other weather of the same climate.

    Args:
        target: the folder to make; a finished store of as many years is left as it is.
        years: how many, from 1 to 261.

    Returns:
        `target`, which `load_record` reads.

    Raises:
        DataError: `target` holds anything else or cannot be written, or jcm is not installed.

    Example:
        >>> simulate("data/simulated.zarr", years=40)  # doctest: +SKIP
    """
    if years not in range(1, MOST_YEARS + 1):
        raise DataError(f"{years.item() if isinstance(years, np.generic) else years!r} years cannot be simulated; "
                        f"choose a whole number from 1 to {MOST_YEARS}")
    store = DayStore(Path(target), {"source": f"JCM: {SETTINGS}", "years": int(years)}, BLOCK_DAYS)
    if not store.finished:
        with store.alone():
            model = Circulation()
            days = _lazy_days(model, years)
            if blocks := store.begin(days):
                _run(model, store, days.sizes["time"], blocks)
            store.finish()
    return store.target


def _run(model: Circulation, store: DayStore, count: int, blocks: list[slice]) -> None:
    """Take a model from rest, or from where it stopped, through the blocks that a store of `count` days lacks."""
    if state := store.state:
        model.state = load(state)
    begun, first = time.monotonic(), model.day
    say(f"{count} days to {store.target}, {blocks[0].start} of them there; {max(SPIN_UP - first, 0)} days "
        "from rest come first. Compiling the model takes half a minute.")
    from_rest = [slice(day - SPIN_UP, min(day + BLOCK_DAYS, SPIN_UP) - SPIN_UP)  # places before the first one
                 for day in range(first, SPIN_UP, BLOCK_DAYS)]  # fmt: skip
    for at in [*from_rest, *blocks]:
        dates = BEGIN + model.day + np.arange(at.stop - at.start)
        block = xr.concat([model.advance() for _ in dates], xr.Variable("time", dates.astype("datetime64[ns]")))
        check_finite(block, "the simulation")
        if at.start < 0:
            store.note(save(model.state))
        else:
            store.write(block, at, save(model.state))
        seconds, done = time.monotonic() - begun, model.day - first
        say(f"{dates[0]} to {dates[-1]}: {60 * done / seconds:.3g} days a minute, "
            f"{time_left(seconds, done, SPIN_UP + count - first)}")


def _lazy_days(model: Circulation, years: int) -> xr.Dataset:
    """What the store will hold: dates, grid, static fields, attributes, and days of zeros that nobody computes."""
    first = BEGIN + SPIN_UP
    time = np.arange(first, first.astype("datetime64[Y]") + years, dtype="datetime64[D]")
    shape = (time.size, model.static.sizes["latitude"], model.static.sizes["longitude"])
    import dask.array  # here, as it takes a second to import

    zeros = dask.array.zeros(shape, np.float32, chunks=(BLOCK_DAYS, -1, -1))
    days = model.static.assign_coords(time=time.astype("datetime64[ns]"))
    for name, units in UNITS.items():
        days[name] = (DIMENSIONS, zeros, {"units": units, "long_name": LONG_NAMES[name], "cell_methods": "time: mean"})
    return days.assign_attrs(
        title=f"Simulated daily-mean weather, {LEVEL} hPa and surface", level=LEVEL,
        source=f"simulated by {model.name}, not observed", institution="simulated, not observed",
        comment=f"{SETTINGS}; the first {SPIN_UP} days are left out")
