"""Numbers that stand for missing values though no attribute says so, told from measurements by how often they occur."""

from collections import Counter, defaultdict

import numpy as np

# Of each code how often it must occur: what may be a measurement, such as 99999 Pa, more often than once.
CODES: dict[float, int] = {
    **dict.fromkeys((-99.0, -99.9, -99.99, -999.0, -999.9, -999.99, -8888.0, -9999.0, -9999.9, -32767.0, -32768.0,
                     -99999.0, -9.99e8, -2147483648.0, -1e20, -1e30, -1e34, 1e15, 1e20, 9.999e20, 1e30, 1e36,
                     9.969209968386869e36), 1),
    **dict.fromkeys((9999.0, 9999.9, 32767.0, 99999.0, 999999.0), 3),
}  # fmt: skip
NEAR = 5.0  # a measurement has others as near as this, and
OFTEN = 4  # is not this many times as frequent as each of them


class Tally:
    """Counts how often each code occurs in a variable, and how often the values around it, over blocks of days."""

    def __init__(self) -> None:
        self.days: defaultdict[float, list[np.ndarray]] = defaultdict(list)  # indices of days, one for each value
        self.others: defaultdict[float, Counter[float]] = defaultdict(Counter)

    def add(self, block: np.ndarray, first: int, least: float, most: float) -> None:
        """Count in days (D, H, W), of which the `first` has this index; their range saves most comparisons."""
        for code in CODES:
            if least <= np.float32(code) <= most and (hits := block == np.float32(code)).any():
                self.days[code].append(first + np.nonzero(hits)[0])
                near = block[(np.abs(block - np.float32(code)) <= NEAR) & ~hits]
                self.others[code].update(near.tolist())

    def codes(self) -> dict[float, np.ndarray]:
        """Find the codes that cannot be measurements, and the indices (N,) of the days of each of their values."""
        days = {code: np.concatenate(parts) for code, parts in self.days.items()}
        return {code: index for code, index in days.items()
                if index.size >= CODES[code] and index.size > OFTEN * max(self.others[code].values(), default=0)}
