"""Small stores in the layouts of WeatherBench 2's, and what their daily means must be."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sparta_core.data.daily import daily_means, open_source
from sparta_core.data.days import WEATHERBENCH2_VARIABLES
from sparta_core.data.remote import ReliableStore

LEVELS = np.array([50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000])
LATITUDE = -90 + 45 * (np.arange(4) + 0.5)
LONGITUDE = 45.0 * np.arange(8)
WRITTEN_UNITS = dict(
    zip(WEATHERBENCH2_VARIABLES, ("K", "m s**-1", "m s**-1", "m**2 s**-2", "kg kg**-1"), strict=True))
CF_UNITS = dict(zip(WEATHERBENCH2_VARIABLES, ("K", "m s-1", "m s-1", "m2 s-2", "kg kg-1"), strict=True))

# The order of the dims, and whether latitude descends.
COARSE = (("time", "level", "longitude", "latitude"), False)
FINE = (("time", "level", "latitude", "longitude"), True)


def six_hourly(start: str = "1999-12-29T00", steps: int = 28) -> np.ndarray:
    return np.datetime64(start, "h") + np.timedelta64(6, "h") * np.arange(steps)


def raw(times: np.ndarray) -> dict[str, np.ndarray]:
    """Known values: (time, latitude, longitude) at the surface, (time, level, latitude, longitude) above."""
    rng = np.random.default_rng(3)
    surface, above = (times.size, 4, 8), (times.size, LEVELS.size, 4, 8)
    scale = dict(zip(WEATHERBENCH2_VARIABLES, (280.0, 10.0, 10.0, 14000.0, 0.01), strict=True))
    shapes = {name: surface if name == "2m_temperature" else above for name in WEATHERBENCH2_VARIABLES}
    return {name: (scale[name] * rng.normal(1, 0.02, shape)).astype("f4") for name, shape in shapes.items()}


def remote(times: np.ndarray, layout: tuple[tuple[str, ...], bool] = COARSE) -> xr.Dataset:
    coords = {"time": times.astype("datetime64[s]"), "level": LEVELS,
              "latitude": LATITUDE, "longitude": LONGITUDE}
    surface, above = ("time", "latitude", "longitude"), ("time", "level", "latitude", "longitude")
    data: dict[str, Any] = {
            name: (surface if x.ndim == 3 else above, x, {"units": WRITTEN_UNITS[name], "long_name": name})
            for name, x in raw(times).items()}
    static = np.linspace(0, 1, 32).reshape(4, 8)
    data["land_sea_mask"] = (("latitude", "longitude"), static, {"units": "(0 - 1)"})
    data["geopotential_at_surface"] = (("latitude", "longitude"), 1e4 * static, {"units": "m**2 s**-2"})
    # What the real stores hold besides, and must neither be read nor written.
    data["total_precipitation_6hr"] = (surface, np.zeros((times.size, 4, 8), "f4"), {"units": "m"})
    order, descending = layout
    dataset = xr.Dataset(data, coords).transpose(*order)
    return dataset.isel(latitude=slice(None, None, -1)) if descending else dataset


def write(dataset: xr.Dataset, path: Path, zarr_format: int = 2, consolidated: bool = True) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr's word on consolidated metadata in format 3
        dataset.chunk(time=10).to_zarr(path, zarr_format=zarr_format, consolidated=consolidated)
    return str(path)


def open_days(source: str | Path, variables: Sequence[str], level: int = 850,
              years: tuple[int, int] | None = None) -> xr.Dataset:  # fmt: skip
    """The daily means of a store, lazily, as `prepare` reads them."""
    return daily_means(open_source(ReliableStore.at(str(source))), str(source), variables, level, years)


def means_by_hand(times: np.ndarray, level: int, first: int, days: int) -> dict[str, np.ndarray]:
    """Mean of four successive fields from step `first`, one day and variable after the other."""
    at = int(np.flatnonzero(level == LEVELS)[0])
    result = {}
    for name, x in raw(times).items():
        x = x if x.ndim == 3 else x[:, at]
        result[name] = np.stack([sum(x[first + 4 * day + i].astype("f8") for i in range(4)) / 4
                                 for day in range(days)])
    return result
