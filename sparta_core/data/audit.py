"""What one pass over the days finds before anything is trained on them: errors stop, warnings are shown."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from sparta_core.data.days import Days, blocks
from sparta_core.data.moments import Moments
from sparta_core.data.sentinels import Tally
from sparta_core.data.variables import variable
from sparta_core.errors import DataError

NEGATIVE = -1e-5  # kg kg-1: humidity below is no rounding error, and
NEGATIVE_SHARE = 1e-3  # of the values may be so
MEAN_SHIFT = 0.5  # of a training std, between the means of two parts of the record
STD_RATIO = 1.25
PARTS = ("train", "validation", "downstream")


class Finding(NamedTuple):
    """One thing that is wrong (an "error") or odd (a "warning") with the days of a variable, or with their time."""

    level: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.subject} {self.text}"


class Survey(NamedTuple):
    """Of every day and variable: moments, and counts and marks (T, C); days with the same mark are equal."""

    moments: Moments
    missing: np.ndarray  # NaN
    infinite: np.ndarray
    negative: np.ndarray  # by more than rounding
    marks: np.ndarray  # 64 bits of hash, which differ between processes
    codes: tuple[dict[float, np.ndarray], ...]  # of each variable (C): what stands for missing values (`Tally.codes`)


def survey(days: Days) -> Survey:
    """Count and measure the values of every day and variable, in one pass."""
    parts, tallies = [], [Tally() for _ in days.variables]
    for at in blocks(days.values):
        block = days.values[at]
        moments = Moments.of(block)
        for channel, tally in enumerate(tallies):
            tally.add(block[:, channel], at.start, moments.minimum[:, channel].min(), moments.maximum[:, channel].max())
        marks = np.array([[hash(field.tobytes()) for field in day] for day in block])
        counts = (which.sum((2, 3)) for which in (np.isnan(block), np.isinf(block), block < NEGATIVE))
        parts.append((moments, *counts, marks))
    every, *arrays = zip(*parts, strict=True)
    missing, infinite, negative, marks = map(np.concatenate, arrays)
    codes = tuple(tally.codes() for tally in tallies)
    return Survey(Moments.joined(list(every)), missing, infinite, negative, marks, codes)


def audit(days: Days, summary: Survey, gaps: bool = False) -> tuple[Finding, ...]:
    """Find what is wrong or odd with days.

    Errors are days that are absent, NaN, infinity, numbers that stand for missing values, values beyond physical
    bounds, and parts of the record without any value. Warnings are days that repeat another or of which nothing is
    observed, a spread or a sign that the variable does not have, and parts of the record whose mean or spread is far
    from the training days'.

    Args:
        days: What a source holds, in physical units.
        summary: What `survey` found in them.
        gaps: Whether NaN and absent days are meant, as sparsity.
    """
    findings = []
    blank = (summary.moments.number.sum(1) == 0) & ~np.isin(days.time, days.absent)
    if gaps and blank.any():
        findings.append(Finding("warning", "time", f"has nothing but NaN on {_dates(days.time[blank])}, of which "
                                "nothing counts as observed, as of days that are absent"))  # fmt: skip
    if not gaps and days.absent.size:
        findings.append(Finding("error", "time", f"has no {_dates(days.absent)}; fill the gaps, or declare them with "
                                "gaps=True"))  # fmt: skip
    for channel, name in enumerate(days.variables):
        findings += [Finding(level, name, text) for level, checks in CHECKS.items() for check in checks
                     for text in check(days, summary, channel, gaps)]  # fmt: skip
    return tuple(findings)


def check(findings: Sequence[Finding], where: str) -> None:
    """Raise a DataError for the first error among the findings, with the number of the others."""
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        others = f" ({len(errors) - 1} more errors)" if errors[1:] else ""
        raise DataError(f"{errors[0].subject} in {where} {errors[0].text}{others}")


def inventory(days: Days, summary: Survey) -> pd.DataFrame:
    """Make a row per variable: units, range, mean and std of all days, and the share of values that are missing."""
    total = summary.moments.total()
    return pd.DataFrame({
        "units": days.units, "least": total.minimum, "most": total.maximum, "mean": total.mean, "std": total.std,
        "missing": summary.missing.sum(0) / days.values[:, 0].size}, index=list(days.variables))  # fmt: skip


def beyond(name: str, low: np.ndarray, high: np.ndarray, level: float) -> tuple[np.ndarray, str]:
    """Say which days' least and greatest values (T,) exceed the variable's physical bounds, and words for the first.

    Some bounds, such as the geopotential's, are of the `level` (hPa).
    """
    bounds, where, what = variable(name).bounds, "", "its units"
    if callable(bounds):
        bounds, where, what = bounds(level), f" at {level:g} hPa", "its level and units"
    least, most = bounds
    bad = np.flatnonzero((low < least) | (high > most))
    first = bad[0] if bad.size else 0
    return bad, f"reaches from {low[first]:g} to {high[first]:g}, beyond {least:g} to {most:g}{where}; check {what}"


def _holes(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    counts = summary.infinite[:, channel] + (0 if gaps else summary.missing[:, channel])
    bad = (counts > 0) & ~np.isin(days.time, days.absent)
    if bad.any():
        yield (f"is NaN or infinite at {counts[bad][0]} grid points on {_dates(days.time[bad])}; repair them, end the "
               "data before, or declare them with gaps=True")


def _unseen(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    for part in PARTS if gaps else ():
        if not summary.moments.part(days.splits[part]).number[:, channel].any():
            yield f"has no value on any of the {part} days; leave it out of the variables, or use other days"


def _coded(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    for code, index in summary.codes[channel].items():
        count, dates = int((index == index[0]).sum()), days.time[np.unique(index)]
        yield (f"is {code:.7g} at {count} grid points on {_dates(dates)}, which stands for a missing value in many "
               "files; set it to NaN")


def _beyond(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    low, high = summary.moments.minimum[:, channel], summary.moments.maximum[:, channel]
    bad, text = beyond(days.variables[channel], low, high, days.level)
    if bad.size:
        yield f"on {_dates(days.time[bad])} {text} and that day"


def _negative(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    share = summary.negative[:, channel].sum() / max(1, summary.moments.number[:, channel].sum())
    if variable(days.variables[channel]).positive and share > NEGATIVE_SHARE:
        yield f"is negative at {100 * share:.2g} % of the grid points and days"


def _spread(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    std = float(summary.moments.part(days.splits["train"]).total().std[channel])
    least, most = variable(days.variables[channel]).spread
    if not least <= std <= most:
        yield (f"has the std {std:.3g} on the training days, {least:g} to {most:g} being usual; check that it is in "
               f"{days.units[channel]}")


def _repeated(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    marks = pd.Series(summary.marks[:, channel])
    again = np.flatnonzero(marks.duplicated() & (summary.missing[:, channel] == 0))
    if again.size:
        before = marks.tolist().index(marks[again[0]])
        yield (f"on {days.time[again[0]]} is what it was on {days.time[before]}, number for number"
               f"{_and_more(again.size)}")


def _drift(days: Days, summary: Survey, channel: int, gaps: bool) -> Iterator[str]:
    totals = [summary.moments.part(days.splits[part]).total() for part in PARTS]
    (mean, std), *others = [(float(total.mean[channel]), float(total.std[channel])) for total in totals]
    if not std > 0:
        return  # said by whoever standardises
    for part, (later, spread) in zip(PARTS[1:], others, strict=True):
        if abs(later - mean) > MEAN_SHIFT * std:
            yield f"has the mean {later:.5g} on the {part} days, {mean:.5g} on the training days (std {std:.3g})"
        if not 1 / STD_RATIO < spread / std < STD_RATIO:
            yield f"has the std {spread:.3g} on the {part} days, {std:.3g} on the training days"


CHECKS = {"error": (_holes, _unseen, _coded, _beyond), "warning": (_negative, _spread, _repeated, _drift)}


def _dates(dates: np.ndarray) -> str:
    return f"{dates[0]}{_and_more(dates.size)}"


def _and_more(count: int) -> str:
    return "" if count == 1 else f" and {count - 1} more days"
