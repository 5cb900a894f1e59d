"""More simulated climate, of the bundled kind: as many years as wanted, in a local Zarr store.

A store is made by one call, which may be stopped at any moment: the same call goes on.
"""

import time
from pathlib import Path

import dask.array
import numpy as np
import xarray as xr
from safetensors.numpy import load, save

from sparta_core.data.bundled import LEVEL
from sparta_core.data.circulation import BEGIN, LONG_NAMES, SETTINGS, Circulation
from sparta_core.data.daystore import DayStore, plain_json
from sparta_core.data.grid import DIMENSIONS, check_finite
from sparta_core.data.variables import UNITS
from sparta_core.errors import DataError
from sparta_core.progress import say, time_left

SPIN_UP = 366  # days from rest that are left out: the leap year 2000
BLOCK_DAYS = 73  # a fifth of a year: about a minute
MOST_YEARS = 261  # the dates, in nanoseconds, end in 2262


def simulate(target: str | Path, years: int) -> Path:
    """Write the daily means of simulated `years`, from 2001-01-01 on, as a Zarr store.

    Returns `target`, which `load_fields` reads. Variables, level, grid and settings are the bundled climate's.
    A finished store of as many years is left as it is; DataError if `target` holds anything else, or without
    jcm, of which every version, and every kind of processor, makes other weather of the same climate.
    """
    if years not in range(1, MOST_YEARS + 1):
        raise DataError(f"{plain_json(years)!r} years cannot be simulated; "
                        f"choose a whole number from 1 to {MOST_YEARS}")
    store = DayStore(Path(target), {"source": f"JCM: {SETTINGS}", "years": int(years)}, BLOCK_DAYS)
    if not store.finished:
        with store.alone():
            _Simulation(Circulation(), store, years).run()
    return Path(target)


class _Simulation:
    """A model on its way from rest through the days of a local store."""

    def __init__(self, model: Circulation, store: DayStore, years: int) -> None:
        self.model, self.store = model, store
        self.days = _lazy_days(model, years)

    def run(self) -> None:
        blocks = self.store.begin(self.days)
        if blocks:
            self._through(blocks)
        self.store.finish()

    def _through(self, blocks: list[slice]) -> None:
        if state := self.store.state:
            self.model.state = load(state)
        self._announce(blocks)
        self._spin_up()
        for at in blocks:
            block = self._advance(at.stop - at.start)
            self.store.write(block, at, save(self.model.state))
            self._say(block)

    def _spin_up(self) -> None:
        while self.model.day < SPIN_UP:
            block = self._advance(min(BLOCK_DAYS, SPIN_UP - self.model.day))
            self.store.note(save(self.model.state))
            self._say(block)

    def _advance(self, count: int) -> xr.Dataset:
        """The next days' means, float32 (time, latitude, longitude), finite."""
        dates = BEGIN + self.model.day + np.arange(count)
        block = xr.concat([self.model.advance() for _ in dates], xr.Variable("time", dates.astype("datetime64[ns]")))
        for name in UNITS:
            check_finite(block[name].values, dates, name, "the simulation")
        return block

    def _announce(self, blocks: list[slice]) -> None:
        self.begun, self.first = time.monotonic(), self.model.day
        count = self.days.sizes["time"]
        left = sum(block.stop - block.start for block in blocks)
        say(f"{count} days to {self.store.target}, {count - left} of them there; {max(SPIN_UP - self.first, 0)} days "
            "from rest come first. Compiling the model takes half a minute.")

    def _say(self, block: xr.Dataset) -> None:
        seconds, done = time.monotonic() - self.begun, self.model.day - self.first
        first, last = block["time"].values[[0, -1]].astype("datetime64[D]")
        say(f"{first} to {last}: {60 * done / seconds:.3g} days a minute, "
            f"{time_left(seconds, done, SPIN_UP + self.days.sizes['time'] - self.first)}")


def _lazy_days(model: Circulation, years: int) -> xr.Dataset:
    """What the store will hold: dates, grid, static fields, attributes, and days of zeros that nobody computes."""
    first = BEGIN + SPIN_UP
    time = np.arange(first, first.astype("datetime64[Y]") + years, dtype="datetime64[D]")
    shape = (time.size, model.static.sizes["latitude"], model.static.sizes["longitude"])
    zeros = dask.array.zeros(shape, np.float32, chunks=(BLOCK_DAYS, -1, -1))
    days = model.static.assign_coords(time=time.astype("datetime64[ns]"))
    for name, units in UNITS.items():
        days[name] = (DIMENSIONS, zeros, {"units": units, "long_name": LONG_NAMES[name], "cell_methods": "time: mean"})
    return days.assign_attrs(
        title=f"Simulated daily-mean weather, {LEVEL} hPa and surface", level=LEVEL,
        source=f"simulated by {model.name}, not observed", institution="simulated, not observed",
        comment=f"{SETTINGS}; the first {SPIN_UP} days are left out")
