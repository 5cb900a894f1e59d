"""Fields: standardised departures of days as one tensor, with their coordinates, their split, and the way back."""

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.audit import Finding, audit, check, survey
from sparta_core.data.climatology import climatology_at, days_of_year, seasons_of
from sparta_core.data.days import Days, blocks, read_days
from sparta_core.data.departures import Departures
from sparta_core.data.domain import Domain
from sparta_core.data.moments import Moments
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment


@dataclass(frozen=True, eq=False)
class Fields:
    """Days (T, C, H, W), float32, standardised with one mean and one std per variable.

    With a climatology they are departures from it: what is left when the usual of the day of the year is taken off.
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
    findings: tuple[Finding, ...] = ()  # of the audit: warnings
    climatology: Tensor | None = None  # (7, C, H, W) of the training days, standardised; None: departures from the mean

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

    def usual(self, dates: np.ndarray | None) -> Tensor:
        """What the days of these dates (...) depart from, standardised: (..., C, H, W), or 0 where it is the mean."""
        if self.climatology is None:
            return self.mean.new_zeros(())
        if dates is None:
            raise DataError("these fields are departures from the climatology of their dates; say the dates, too")
        return climatology_at(self.climatology, days_of_year(dates))

    def physical(self, departures: Tensor, dates: np.ndarray | None = None) -> Tensor:
        """Standardised departures (..., C, H, W) in physical units; of dates that broadcast to (...), if they count."""
        return (departures + self.usual(dates)) * self.std.view(-1, 1, 1) + self.mean.view(-1, 1, 1)

    def standardise(self, physical: Tensor, dates: np.ndarray | None = None) -> Tensor:
        """Fields (..., C, H, W) in physical units as standardised departures: the inverse of `physical`."""
        return (physical - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1) - self.usual(dates)

    def whole(self, days: Tensor | slice) -> Tensor:
        """Days by their index (N,), standardised, with what is usual on their dates: (N, C, H, W)."""
        return self.take(days) + self.usual(self.dates(days))

    def dates(self, days: Tensor | slice | int) -> np.ndarray:
        """The dates of days of the record, by their index."""
        dates: np.ndarray = self.time[days.cpu().numpy() if isinstance(days, Tensor) else days]
        return dates

    def dates_after(self, last_days: Tensor, leads: int) -> np.ndarray:
        """The dates (N, leads) after days (N,) of the record; they may lie behind its end."""
        dates: np.ndarray = self.dates(last_days)[:, None] + np.arange(1, leads + 1)
        return dates

    def same_days(self, other: "Fields") -> bool:
        """Whether both hold the same days of the same variables and grid, whatever these are departures from."""
        alike = all(np.array_equal(mine, theirs) for mine, theirs in (
            (self.time, other.time), (self.latitude, other.latitude), (self.longitude, other.longitude)))  # fmt: skip
        return (alike and self.variables == other.variables and self.splits == other.splits
                and torch.equal(self.mean, other.mean) and torch.equal(self.std, other.std))  # fmt: skip

    def to(self, device: str | torch.device, values: bool = True) -> "Fields":
        """The same days with their tensors on `device`, or only their statistics."""
        names = ["mean", "std", *["values"] * values, *["climatology"] * (self.climatology is not None)]
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
    def domain(self) -> Domain:
        """The grid and the time step."""
        return Domain.of(self.latitude, self.longitude, self.time)

    @property
    def grid(self) -> tuple[int, int]:
        """(H, W)."""
        return self.latitude.size, self.longitude.size

    @property
    def day_of_year(self) -> np.ndarray:
        """(T,) from 1 to 366."""
        return days_of_year(self.time)

    @property
    def season(self) -> np.ndarray:
        """(T,) 0 DJF, 1 MAM, 2 JJA, 3 SON, by calendar month of the whole globe."""
        return seasons_of(self.time)

    @property
    def cell_area(self) -> Tensor:
        """Weights (H,) with mean 1 that make a mean over the grid a mean over the globe's area."""
        return self.domain.area()[:, 0].float().to(self.device)

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
    """The days that `experiment` names (`read_days`), audited and standardised.

    DataError for data that is not what the experiment says, or that no model should be trained on.
    """
    days = read_days(experiment, device)
    found = survey(days)
    findings = audit(days, found, experiment.gaps)
    check(findings, days.where)
    mean, std = _standardise(days, found.moments)
    climatology = experiment.of(Departures).take_off(days)
    fields = Fields(
        torch.from_numpy(days.values), days.time, days.latitude, days.longitude, days.variables, days.units,
        torch.from_numpy(mean), torch.from_numpy(std), days.splits, days.land_sea_mask, days.source,
        days.kept == "disk", findings, climatology)
    return fields.to(device, values=days.kept == "device")


def _standardise(days: Days, moments: Moments) -> tuple[np.ndarray, np.ndarray]:
    """Standardise the days' values in place; returns the mean and std (C,) of the training days, float32.

    In float64, so that all machines get the same bits and a checkpoint's fingerprint can travel.
    """
    training = moments.part(days.splits["train"]).total()
    for channel in np.flatnonzero(training.std <= 1e-7 * np.abs(training.mean)):
        raise DataError(f"{days.variables[channel]} in {days.where} is {training.mean[channel]:g} on all training days "
                        "and points; leave it out of the variables")
    mean, std = training.mean.astype(np.float32), training.std.astype(np.float32)
    for block in blocks(days.values):
        exact = days.values[block].astype(np.float64)
        days.values[block] = (exact - mean[:, None, None]) / std[:, None, None]
    return mean, std
