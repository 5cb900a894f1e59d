"""Preparing a local store from a source as WeatherBench 2 lays it out: peak memory and speed, whatever the length.

The source lies on this machine, so that the network is left out; all its chunks are one file under many names.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from benchmarks.memory import peak
from benchmarks.report import Row, amount, gigabytes
from benchmarks.setting import Setting
from benchmarks.timing import Spread
from sparta_core.data.era5 import prepare

YEARS = (1, 20)
CHUNK, LEVELS = 100, 13  # time steps and levels in a chunk of the store at 5.625 degrees
GRID, PLACES = (64, 32), ("longitude", "latitude")
NAMES = ("2m_temperature", "geopotential")
UNITS = {"2m_temperature": "K", "geopotential": "m**2 s**-2"}


@dataclass(frozen=True)
class Found:
    peak: int  # bytes beside the process's libraries
    read: int  # bytes of the source, decoded
    seconds: float


def preparing(setting: Setting) -> Iterator[Row]:
    """Of the shortest and the longest; a process each, which has held nothing else."""
    found = {years: measured(years) for years in YEARS}
    for short, long in pairwise(found):
        rate = found[long].read / 1e6 / found[long].seconds
        grown = found[long].peak / found[short].peak
        yield Row(f"peak memory of preparing {long} years over {short}; {gigabytes(found[long].read)} at "
                  f"{amount(rate)} MB/s", gigabytes(found[long].peak), gigabytes(found[short].peak),
                  Spread.of([grown]))  # fmt: skip


def measured(years: int) -> Found:
    command = [sys.executable, "-m", "benchmarks.preparing", str(years)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"preparing {years} years failed: {done.stderr.strip()[-2000:]}")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def probe(years: int) -> Found:
    """Prepare `years` in this process."""
    with tempfile.TemporaryDirectory() as folder:
        read = make_source(Path(folder) / "source.zarr", years)
        before, begun = peak("cpu"), time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            prepare(str(Path(folder) / "source.zarr"), Path(folder) / "days.zarr", NAMES)
        return Found(peak("cpu") - before, read, time.perf_counter() - begun)


def make_source(path: Path, years: int) -> int:
    """A store of 6-hourly fields from 2001 on; its size in bytes, decoded."""
    steps = np.datetime64("2001-01-01T00") + np.timedelta64(6, "h") * np.arange(4 * 365 * years)
    shapes = {"2m_temperature": (steps.size, *GRID), "geopotential": (steps.size, LEVELS, *GRID)}
    axes = {"2m_temperature": ("time", *PLACES), "geopotential": ("time", "level", *PLACES)}
    blank = {name: (axes[name], np.broadcast_to(np.float32(0), shapes[name]), {"units": UNITS[name]}) for name in NAMES}
    coords = {"time": steps.astype("datetime64[ns]"), "level": np.arange(850, 850 + LEVELS),
              "longitude": 5.625 * np.arange(GRID[0]), "latitude": 5.625 * np.arange(GRID[1]) - 87.1875}
    encoding = {name: {"chunks": (CHUNK, *shapes[name][1:])} for name in NAMES}
    lazy = xr.Dataset(blank, coords).chunk(time=CHUNK)
    lazy.to_zarr(path, compute=False, zarr_format=2, encoding=encoding)
    for name in NAMES:
        _fill(path / name, -(-steps.size // CHUNK), (CHUNK, *shapes[name][1:]))
    return sum(4 * int(np.prod(shape)) for shape in shapes.values())


def _fill(array: Path, chunks: int, shape: tuple[int, ...]) -> None:
    """One chunk of noise, and its name for every other."""
    stored = zarr.open_array(array, mode="r+")
    stored[:CHUNK] = np.random.default_rng(0).normal(280, 10, shape).astype(np.float32)
    zeros = ".0" * (len(shape) - 1)
    for index in range(1, chunks):
        os.link(array / f"0{zeros}", array / f"{index}{zeros}")


if __name__ == "__main__":
    print(json.dumps(probe(int(sys.argv[1])).__dict__))
