"""Fields: standardised days as one tensor, with their coordinates, their split, and the way back."""

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data import bundled, grid
from sparta_core.data.storage import allocate, place
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment

# Days that are read and decoded at a time: bounds the float64 copies of a large grid.
BLOCK = 365


@dataclass(frozen=True, eq=False)
class Fields:
    """Days (T, C, H, W), float32, standardised with one mean and one std per variable.

    Statistics are on the device that computes; `values`, too, or where there is room: in memory, or mapped from a disk.
    The dates are consecutive; latitude and longitude ascend. The splits are chronological: "train",
    "validation", "downstream", and of the last "downstream_train", "_validation" and "_test".
    """

    values: Tensor  # (T, C, H, W)
    time: np.ndarray  # (T,) datetime64[D]
    latitude: np.ndarray  # (H,) degrees north
    longitude: np.ndarray  # (W,) degrees east, 0..360
    variables: tuple[str, ...]
    units: tuple[str, ...]
    mean: Tensor  # (C,) over the training days and the grid, physical units
    std: Tensor  # (C,)
    splits: dict[str, range]
    land_sea_mask: np.ndarray | None  # (H, W), 1 on land
    source: str  # one line for titles and logs
    mapped: bool = False  # whether `values` are read from a disk when they are asked for

    def split(self, name: str) -> Tensor:
        """The days of one part on the device that computes, (days, C, H, W): where they are there, a view."""
        if name not in self.splits:
            raise DataError(f"there is no split {name!r}; choose one of: {', '.join(self.splits)}")
        days = self.splits[name]
        return self.take(slice(days.start, days.stop))

    def take(self, days: Tensor | slice) -> Tensor:
        """Days by their index (N,), on the device that computes: (N, C, H, W)."""
        if isinstance(days, slice) or not self.elsewhere:
            return self.values[days].to(self.device)
        # numpy's take, in one thread: torch's would compete with the training step for all of them.
        return torch.from_numpy(self.values.numpy().take(days.cpu().numpy(), axis=0)).to(self.device)

    def physical(self, standardised: Tensor) -> Tensor:
        """Standardised fields (..., C, H, W) in physical units."""
        return standardised * self.std.view(-1, 1, 1) + self.mean.view(-1, 1, 1)

    def standardise(self, physical: Tensor) -> Tensor:
        """Fields (..., C, H, W) in physical units, standardised: the inverse of `physical`."""
        return (physical - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1)

    def to(self, device: str | torch.device, values: bool = True) -> "Fields":
        """The same days with their tensors on `device`, or only their statistics."""
        names = ("values", "mean", "std") if values else ("mean", "std")
        return dataclasses.replace(self, **{name: getattr(self, name).to(device) for name in names})

    @property
    def device(self) -> torch.device:
        """What computes."""
        return self.mean.device

    @property
    def elsewhere(self) -> bool:
        """Whether `values` have a way to go to the device that computes."""
        return self.mapped or self.values.device != self.device

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W)."""
        return self.latitude.size, self.longitude.size

    @property
    def day_of_year(self) -> np.ndarray:
        """(T,) from 1 to 366."""
        since_january_1: np.ndarray = self.time - self.time.astype("datetime64[Y]")
        return since_january_1.astype(np.int64) + 1

    @property
    def season(self) -> np.ndarray:
        """(T,) 0 DJF, 1 MAM, 2 JJA, 3 SON, by calendar month of the whole globe."""
        month = self.time.astype("datetime64[M]").astype(np.int64) % 12  # 0 is January
        return (month + 1) // 3 % 4

    @property
    def cell_area(self) -> Tensor:
        """Weights (H,) with mean 1 that make a mean over the grid a mean over the globe's area."""
        return torch.from_numpy(grid.cell_area(self.latitude).astype(np.float32)).to(self.device)

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with the days: the same on every machine and device."""
        flat = self.values.reshape(-1)
        stride = flat.numel() // 65536 | 1  # odd, so that it visits every column of an even grid
        arrays = (self.time.astype(np.int64), self.latitude, self.longitude,
                  *(x.cpu().numpy() for x in (self.mean, self.std, flat[::stride])))
        digest = hashlib.sha256(repr((tuple(self.values.shape), self.variables, self.units)).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]


def load_fields(experiment: Experiment, device: str = "cpu") -> Fields:
    """The days that `experiment` names: "bundled", a store of `era5.prepare`, or a NetCDF file.

    DataError for data that is not what the experiment says, or that no model should be trained on.
    """
    where = "the bundled climate" if experiment.data == "bundled" else experiment.data
    with _opened(experiment.data) as dataset:
        chosen = grid.select(dataset, experiment.variables, experiment.level, where)
        chosen = grid.ordered(chosen.assign(dict(grid.static_fields(dataset))), where)
        time = _dates(chosen, experiment.days, where)
        splits = split_days(time.size, experiment.split, experiment.downstream_split, where)
        rows, columns = chosen.sizes["latitude"], chosen.sizes["longitude"]
        shape = (time.size, len(experiment.variables), rows, columns)
        kept = place(experiment.storage, 4 * prod(shape), device)
        values = _read(chosen, experiment.variables, time, where, allocate(shape, kept))
        mask = chosen["land_sea_mask"].values.astype(np.float32) if "land_sea_mask" in chosen else None
        source = str(dataset.attrs.get("source", where))
    mean, std = _standardise(values, splits["train"], experiment.variables, where)
    fields = Fields(
        torch.from_numpy(values), time, chosen["latitude"].values, chosen["longitude"].values,
        experiment.variables, tuple(chosen[name].attrs["units"] for name in experiment.variables),
        torch.from_numpy(mean), torch.from_numpy(std), splits, mask, source, kept == "disk")
    return fields.to(device, values=kept == "device")


def split_days(
    count: int, split: tuple[float, float], downstream_split: tuple[float, float], where: str = "the data"
) -> dict[str, range]:
    """Day indices of each part of `count` days: floor, floor, the rest; the last is split again.

    DataError if a part would be empty.
    """
    names = ("train", "validation", "downstream")
    parts = dict(zip(names, _cut(range(count), split), strict=True))
    inner = _cut(parts["downstream"], downstream_split)
    parts |= dict(zip((f"downstream_{n}" for n in ("train", "validation", "test")), inner, strict=True))
    for name, days in parts.items():
        if not days:
            raise DataError(f"the {count} days of {where}, split {split} and {downstream_split}, leave none "
                            f"for {name}; use more days")
    return parts


def _cut(days: range, split: tuple[float, float]) -> tuple[range, range, range]:
    # Exact fractions: in floating point 0.29 * 100 is 28.999..., and its floor a day short.
    first, second = (int(Fraction(str(part)) * len(days)) for part in split)
    return days[:first], days[first : first + second], days[first + second :]


def _opened(data: str) -> xr.Dataset:
    """`data` without dask: each block is read once, so a task graph would only cost time."""
    if data == "bundled":
        return bundled.open_bundled()
    path = Path(data)
    if not path.exists():
        raise DataError(
            f"there is no data at {data}; make a local store of ERA5 with "
            f"sparta_core.data.era5.prepare(sparta_core.data.era5.URLS['5.625'], {data!r}), or use 'bundled'")
    try:
        if path.is_dir():
            store: xr.Dataset = xr.open_zarr(path, chunks=None, consolidated=False)
            return store
        return xr.open_dataset(path)
    except Exception as error:  # each file format raises its own
        reason = " ".join(str(error).split())
        raise DataError(f"{data} is neither a Zarr store nor a NetCDF file that can be read ({reason}); "
                        "make it again") from error


def _dates(dataset: xr.Dataset, days: int | None, where: str) -> np.ndarray:
    """The first `days` dates (T,), or all; DataError unless they are consecutive days."""
    times = dataset["time"].values if "time" in dataset.coords else np.empty(0)
    if not np.issubdtype(times.dtype, np.datetime64):
        raise DataError(f"{where} has no coordinate time of dates; write it as 'days since ...'")
    if days is not None and not 0 < days <= times.size:
        raise DataError(f"{where} has {times.size} days, not days={days}; set days to one of them or to None")
    time = times[:days].astype("datetime64[D]")
    steps = np.diff(time).astype(np.int64)
    odd = np.flatnonzero(steps != 1)
    if odd.size:
        day, step = time[odd[0]], steps[odd[0]]
        if step == 0:
            raise DataError(f"{where} has {day} more than once; it must hold one daily mean per day")
        if step < 0:
            raise DataError(f"{where} goes back in time after {day}; sort its days")
        raise DataError(f"{where} has no {day + 1} after {day}; fill the gap, days must be consecutive")
    return time


def _read(dataset: xr.Dataset, variables: tuple[str, ...], time: np.ndarray, where: str, values: np.ndarray
          ) -> np.ndarray:  # fmt: skip
    """Days in physical units, into `values` (T, C, H, W)."""
    for channel, name in enumerate(variables):
        for days in _blocks(time.size):
            values[days, channel] = dataset[name].isel(time=days).values
            grid.check_finite(values[days, channel], time[days], name, where)
    return values


def _blocks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def _standardise(
    values: np.ndarray, train: range, variables: tuple[str, ...], where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Standardise `values` in place; returns the mean and std (C,) of the training days, float32.

    In float64, so that all machines get the same bits and a checkpoint's fingerprint can travel.
    """
    mean, std = _moments(values[train.start : train.stop])
    for channel in np.flatnonzero(std <= 1e-7 * np.abs(mean)):
        raise DataError(f"{variables[channel]} in {where} is {mean[channel]:g} on all training days and "
                        "points; leave it out of the variables")
    mean32, std32 = mean.astype(np.float32), std.astype(np.float32)
    for days in _blocks(len(values)):
        block = values[days].astype(np.float64)
        values[days] = (block - mean32[:, None, None]) / std32[:, None, None]
    return mean32, std32


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and std (C,) of `values` (T, C, H, W) over all but the variables, in float64."""
    number = values.size // values.shape[1]
    total = sum(values[days].sum(axis=(0, 2, 3), dtype=np.float64) for days in _blocks(len(values)))
    mean = total / number
    squares = sum(((values[days] - mean[:, None, None]) ** 2).sum(axis=(0, 2, 3))
                  for days in _blocks(len(values)))
    return mean, np.sqrt(squares / number)
