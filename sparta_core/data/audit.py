"""What one pass over the days finds before anything is trained on them: errors stop, warnings are shown."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

from sparta_core.data.days import Days, blocks
from sparta_core.data.moments import Moments
from sparta_core.errors import DataError

# What no field of the lower troposphere leaves, by units as CF spells them: (least, most).
BOUNDS: dict[str, tuple[float, float]] = {
    "2m_temperature": (160.0, 345.0),  # K; observed: 184 to 330
    "temperature": (130.0, 345.0),  # K, any level
    "u_component_of_wind": (-150.0, 150.0),  # m s-1; jets reach 110
    "v_component_of_wind": (-150.0, 150.0),
    "geopotential": (-2e4, 6e5),  # m2 s-2, any level up to 1 hPa
    "specific_humidity": (-1e-3, 0.06),  # kg kg-1; spectral models go a little below 0
}
MEAN_SHIFT = 0.5  # of a training std, between the means of two parts of the record
STD_RATIO = 1.25


class Finding(NamedTuple):
    """One thing that is wrong (an "error") or odd (a "warning") with the days of a variable, or with their time."""

    level: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.subject} {self.text}"


class Survey(NamedTuple):
    """Of every day and variable: moments, and counts and marks (T, C); days with the same mark may be equal."""

    moments: Moments
    missing: np.ndarray  # NaN
    infinite: np.ndarray
    marks: np.ndarray


def survey(days: Days) -> Survey:
    """One pass over the values."""
    parts = []
    for at in blocks(days.values):
        block = days.values[at]
        missing, infinite = (which(block).sum((2, 3)) for which in (np.isnan, np.isinf))
        marks = np.array([[crc32(np.ascontiguousarray(field).data) for field in day] for day in block])
        parts.append((Moments.of(block), missing, infinite, marks))
    moments, *arrays = zip(*parts, strict=True)
    return Survey(Moments.joined(list(moments)), *(np.concatenate(array) for array in arrays))


def audit(days: Days, found: Survey, gaps: bool = False) -> tuple[Finding, ...]:
    """All findings; `gaps`: NaN and absent days are meant, as sparsity.

    Errors are days that are absent, NaN, infinity, and values beyond physical bounds. Warnings are days that
    repeat another, and parts of the record whose mean or spread is far from the training days'.
    """
    findings = [] if gaps else [Finding("error", "time", text) for text in _absent(days)]
    for channel, name in enumerate(days.variables):
        texts = [("error", text) for text in (*_holes(days, found, channel, gaps), *_beyond(days, found, channel))]
        texts += [("warning", text) for text in (*_repeated(days, found, channel), *_drift(days, found, channel))]
        findings += [Finding(level, name, text) for level, text in texts]
    return tuple(findings)


def check(findings: Sequence[Finding], where: str) -> None:
    """DataError for the first error among the findings, with the number of the others."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        others = f" ({len(errors) - 1} more errors)" if errors[1:] else ""
        raise DataError(f"{errors[0].subject} in {where} {errors[0].text}{others}")


def inventory(days: Days, found: Survey) -> pd.DataFrame:
    """A row per variable: units, range, mean and std of all days, and the share of values that are missing."""
    total = found.moments.total()
    return pd.DataFrame({
        "units": days.units, "least": total.minimum, "most": total.maximum, "mean": total.mean, "std": total.std,
        "missing": found.missing.sum(0) / days.values[:, 0].size}, index=list(days.variables))  # fmt: skip


def _absent(days: Days) -> Iterator[str]:
    if days.absent.size:
        yield (f"has no {days.absent[0]}{_and_more(days.absent.size)}; fill the gaps, or declare them with gaps=True")


def _holes(days: Days, found: Survey, channel: int, gaps: bool) -> Iterator[str]:
    counts = found.infinite[:, channel] + (0 if gaps else found.missing[:, channel])
    bad = np.flatnonzero((counts > 0) & ~np.isin(days.time, days.absent))
    if bad.size:
        yield (f"is NaN or infinite at {counts[bad[0]]} grid points on {days.time[bad[0]]}"
               f"{_and_more(bad.size)}; repair them, end the data before, or declare them with gaps=True")


def beyond(name: str, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, str]:
    """Which days' least and greatest values (T,) exceed the variable's physical bounds, and words for the first."""
    least, most = BOUNDS.get(name, (-np.inf, np.inf))
    bad = np.flatnonzero((low < least) | (high > most))
    first = bad[0] if bad.size else 0
    return bad, f"reaches from {low[first]:g} to {high[first]:g}, beyond {least:g} to {most:g}; check its units"


def _beyond(days: Days, found: Survey, channel: int) -> Iterator[str]:
    bad, text = beyond(days.variables[channel], found.moments.minimum[:, channel], found.moments.maximum[:, channel])
    if bad.size:
        yield f"on {days.time[bad[0]]}{_and_more(bad.size)} {text} and that day"


def _repeated(days: Days, found: Survey, channel: int) -> Iterator[str]:
    seen: dict[int, int] = {}
    pairs = []
    for index, mark in enumerate(found.marks[:, channel].tolist()):
        if mark in seen and np.array_equal(days.values[seen[mark], channel], days.values[index, channel]):
            pairs.append((seen[mark], index))
        seen[mark] = index
    if pairs:
        before, after = pairs[0]
        yield (f"on {days.time[after]} is what it was on {days.time[before]}, number for number"
               f"{_and_more(len(pairs))}")


def _drift(days: Days, found: Survey, channel: int) -> Iterator[str]:
    (mean, std), *others = [(float(part.mean[channel]), float(part.std[channel])) for part in (
        found.moments.part(days.splits[name]).total() for name in ("train", "validation", "downstream"))]
    if not std > 0:
        return  # said by whoever standardises
    for part, (later, spread) in zip(("validation", "downstream"), others, strict=True):
        if abs(later - mean) > MEAN_SHIFT * std:
            yield f"has the mean {later:.5g} on the {part} days, {mean:.5g} on the training days (std {std:.3g})"
        if not 1 / STD_RATIO < spread / std < STD_RATIO:
            yield f"has the std {spread:.3g} on the {part} days, {std:.3g} on the training days"


def _and_more(count: int) -> str:
    return "" if count == 1 else f" and {count - 1} more days"
