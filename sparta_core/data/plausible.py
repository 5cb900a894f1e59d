"""What a user's values are held against: codes for what is missing, and the training days' range at each point."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sparta_core.data.domain import Domain
from sparta_core.data.sentinels import CODES
from sparta_core.data.units import LIKELY, conversion
from sparta_core.errors import DataError

MAGNITUDES = sorted({abs(code) for code in CODES})  # files write them with either sign
# How far beyond the training days' range at its point a value may lie, in the variable's training stds. Of the bundled
# climate's later days 0.2 % lie beyond, none further than 2.4. Of its geopotential every value is 4.9 or more beyond as
# a height in m, 6.0 or more as 0 or standardised, 26 or more at 500 hPa: ODD is for a storm, FAR for no single value
# of the atmosphere, and MOST for half of a variable's values at once.
ODD, MOST, FAR = 3.0, 4.5, 10.0
LARGE = 1000.0  # from which on a code is hardly ever a measurement
CLOSE = 0.25  # within this of the range, a unit is likelier than another that comes before it


@dataclass(frozen=True, eq=False)
class Known:
    """What the training days tell of a user's values: where they lie, and each variable's units, range and std."""

    domain: Domain
    variables: tuple[str, ...]
    units: tuple[str, ...]
    low: np.ndarray  # (C, H, W), physical units, NaN where nothing was ever there
    high: np.ndarray
    std: np.ndarray  # (C,) over days and grid

    def check(self, name: str, values: np.ndarray, where: str, place: Callable[[int], str],
              points: np.ndarray | slice = slice(None)) -> None:  # fmt: skip
        """Hold values against the training days' range, NaN left out; a warning says which are odd.

        Args:
            name: The variable.
            values: (..., P) in its units.
            where: What errors call their source.
            place: Says where a flat index of the values is.
            points: (P,) their flat indices in the grid.

        Raises:
            DataError: For values that are codes, or far from the training days'.
        """
        channel = self.variables.index(name)
        low, high = (edge[channel].reshape(-1)[points] for edge in (self.low, self.high))
        excess = np.fmax(values - high, low - values) / self.std[channel]
        index = np.flatnonzero(excess > 0)
        if not index.size:
            return
        amount, outliers = excess.reshape(-1)[index], values.reshape(-1)[index]
        _check_codes(name, where, lambda number: place(index[number]), outliers, amount)
        most = int(amount.argmax())
        if amount[most] <= ODD:
            return
        half = 2 * (amount > MOST).sum() >= np.isfinite(excess).sum()
        first = int(np.argmax(amount > MOST)) if half else most
        at = index[first] % low.size
        told = (f"{name} of {where} is {outliers[first]:g} {place(index[first])}, where the training days reach from "
                f"{low[at]:g} to {high[at]:g}{_and_more((amount > ODD).sum())}")  # fmt: skip
        close, odd = self.std[channel] * np.array([CLOSE, ODD])
        units = [] if _within(values, low - odd, high + odd) else [*_likely(self.units[channel])]
        likely = next((words for beside in (close, odd) for words, factor, offset in units
                       if _within(values * factor + offset, low - beside, high + beside)), None)  # fmt: skip
        if half or amount[most] > FAR:
            raise DataError(f"{told}; {likely or 'check its units, level and quantity'}")
        warnings.warn(told + (f"; {likely}" if likely else ""), stacklevel=3)


def _likely(wanted: str) -> Iterator[tuple[str, float, float]]:
    """What values may be in and what to do with them, in words, and the way from there to the units `wanted`."""
    for units, words in LIKELY.get(wanted, {}).items():
        if way := conversion(units, wanted):
            steps = [f"multiply it by {way[0]:g}"] * (way[0] != 1) + [f"add {way[1]:g}"] * (way[1] != 0)
            yield f"it looks like {words}: {' and '.join(steps)}", *way


def _check_codes(name: str, where: str, place: Callable[[int], str], outliers: np.ndarray, amount: np.ndarray) -> None:
    """DataError for values beyond the range that are a code."""
    for code in (sign * code for code in MAGNITUDES for sign in (-1, 1)):
        equal = np.isclose(outliers, code, rtol=1e-6, atol=0)
        if is_code(code, equal, amount > 1):
            count = f"in {equal.sum()} places, first " if equal.sum() > 1 else ""
            raise DataError(f"{name} of {where} is {code:g} {count}{place(int(equal.argmax()))}, which looks like a "
                            "code for 'missing'; set it to NaN")


def is_code(code: float, equal: np.ndarray, far: np.ndarray) -> bool:
    """Say whether values beyond the training days' range stand for missing ones.

    One does that is out of it by more than a training std, or several do. Codes below 1000 are what wind in km/h, or a
    height, may come to: they must be half of all that lies so far out.

    Args:
        code: what they may be.
        equal: (N,) which values beyond the range are the code.
        far: (N,) which values are out of it by more than a training std.
    """
    alone = abs(code) >= LARGE or 2 * equal.sum() >= far.sum()
    return bool(alone and (equal.sum() > 1 or far[equal].any()))


def _within(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    """Whether all but a hundredth of the values (..., P), or less, are."""
    return bool(((values < low) | (values > high)).sum() <= 0.01 * np.isfinite(values).sum())


def _and_more(count: int) -> str:
    return {1: "", 2: ", as is another value"}.get(count, f", as are {count - 1} more values")
