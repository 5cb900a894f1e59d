"""Record: days as one tensor of standardised anomalies, with their dates and how they are split."""

import dataclasses
import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.audit import Finding, audit, check, survey
from sparta_core.data.climatology import days_of_year, fit_climatology, seasons_of
from sparta_core.data.days import Days, blocks, read_days
from sparta_core.data.moments import Moments
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.sample import Sample, seconds
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment

Index = Tensor | slice | range  # days of the record, by their number


@dataclass(frozen=True, eq=False, kw_only=True)
class Record(Normaliser):
    """Days in a row, and the statistics by which they are standardised.

    Args:
        values: (T, C, H, W) float32, standardised by mean and std, NaN in gaps; on the device that computes, or where
            there is room: in memory, or mapped from a disk.
        time: (T,) datetime64, consecutive on the domain's clock.
        splits: Chronological: "train", "validation", "downstream", and of the last "downstream_train",
            "downstream_validation" and "downstream_test".
        gaps: Whether values may be missing.
        mapped: Whether `values` are read from a disk when they are asked for.
        findings: Of the audit: warnings.
    """

    values: Tensor
    time: np.ndarray
    splits: dict[str, range]
    gaps: bool = False
    mapped: bool = False
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    def take(self, days: Index) -> Sample:
        """Take days by their number (N,) as anomalies, on the device that computes."""
        return self._sample(days, self.climatology)

    def full(self, days: Index) -> Sample:
        """Take days by their number (N,) as full fields, which keep the climatology of their dates."""
        return self._sample(days, None)

    def split(self, name: str) -> Sample:
        """Take the days of one part; DataError for a name that no part has."""
        if name not in self.splits:
            raise DataError(f"there is no split {name!r}; choose one of: {', '.join(self.splits)}")
        return self.take(self.splits[name])

    def _sample(self, days: Index, climatology: Tensor | None) -> Sample:
        if isinstance(days, range):
            days = slice(days.start, days.stop, days.step)
        values = self._values(days)
        if climatology is not None:
            values = values - (self._basis[days] @ climatology.flatten(1)).view(values.shape)
        if not self.gaps:
            return Sample.full(values, self._seconds[days])
        return Sample(values.nan_to_num(0), (~values.isnan()).to(values.dtype), self._seconds[days])

    def _values(self, days: Tensor | slice) -> Tensor:
        if isinstance(days, slice) or not self.needs_transfer:
            return self.values[days].to(self.device)
        # numpy's take, in one thread: torch's would compete with the training step for all of them.
        return torch.from_numpy(self.values.numpy().take(days.cpu().numpy(), axis=0)).to(self.device)

    @cached_property
    def _basis(self) -> Tensor:
        return torch.from_numpy(self.clock.basis(self.time)).float().to(self.device)

    @cached_property
    def _seconds(self) -> Tensor:
        return seconds(self.time).to(self.device)

    def dates(self, days: Index | int) -> np.ndarray:
        """The dates of days, by their number."""
        dates: np.ndarray = self.time[days.cpu().numpy() if isinstance(days, Tensor) else days]
        return dates

    @cached_property
    def fitted_climatology(self) -> Tensor:
        """The climatology of the training days, as they are: (K, C, H, W); DataError where they have gaps."""
        days = self.split("train")
        return fit_climatology(days.with_gaps if self.gaps else days.values, self.time[: len(days)], self.clock,
                               self.source)  # fmt: skip

    @cached_property
    def anomalies(self) -> "Record":
        """The same days as anomalies from the climatology of their dates, in the same memory."""
        if self.climatology is not None:
            return self
        return dataclasses.replace(self, climatology=self.fitted_climatology)

    @cached_property
    def normaliser(self) -> Normaliser:
        """What a model keeps of the days: the statistics, with the training days' range, without the days."""
        kept = {each.name: getattr(self, each.name) for each in dataclasses.fields(Normaliser)}
        low, high = (torch.from_numpy(edge).to(self.device) for edge in self._range())
        dates = self.dates(self.splits["train"])
        period = f"{len(dates)} days from {dates[0]} to {dates[-1]}"
        return Normaliser(**kept | {"low": low, "high": high, "period": period})

    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        training = self.values[: self.splits["train"].stop].cpu().numpy()
        low, high = np.full(training.shape[1:], np.nan, np.float32), np.full(training.shape[1:], np.nan, np.float32)
        for block in blocks(training):
            low, high = (edge(known, edge.reduce(training[block]))
                         for edge, known in ((np.fmin, low), (np.fmax, high)))  # fmt: skip
        return low, high

    def to(self, device: str | torch.device, values: bool = True) -> "Record":
        """The same days with their tensors on `device`, or only their statistics."""
        moved = super().to(device)
        return dataclasses.replace(moved, values=moved.values.to(device)) if values else moved

    @property
    def needs_transfer(self) -> bool:
        """Whether `values` have a way to go to the device that computes."""
        return self.mapped or self.values.device != self.device

    @property
    def day_of_year(self) -> np.ndarray:
        """(T,) from 1 to 366."""
        return days_of_year(self.time)

    @property
    def season(self) -> np.ndarray:
        """(T,) 0 DJF, 1 MAM, 2 JJA, 3 SON, by calendar month of the whole globe."""
        return seasons_of(self.clock.months(self.time))

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


def load_record(experiment: Experiment, device: str = "cpu") -> Record:
    """Load the days that `experiment` names (`read_days`), audited and standardised by mean and std.

    Raises:
        DataError: For data that is not what the experiment says, or that no model should be trained on.
    """
    days = read_days(experiment, device)
    found = survey(days)
    findings = audit(days, found, experiment.gaps)
    check(findings, days.where)
    mean, std = _standardise(days, found.moments)
    record = Record(
        domain=days.domain, variables=days.variables, units=days.units,
        level=days.level, mean=torch.from_numpy(mean), std=torch.from_numpy(std), land_sea_mask=days.land_sea_mask,
        source=days.source, license=days.license, values=torch.from_numpy(days.values), time=days.time,
        splits=days.splits, gaps=experiment.gaps, mapped=days.kept == "disk", findings=findings)
    return record.to(device, values=days.kept == "device")


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


def spread_over(days: range, most: int, device: str | torch.device) -> Tensor:
    """At most so many of the days (N,), evenly spaced, the first and the last among them.

    Example:
        >>> spread_over(range(10, 21), 3, "cpu").tolist()
        [10, 15, 20]
    """
    return torch.linspace(days.start, days.stop - 1, min(most, len(days)), device=device).round().long()
