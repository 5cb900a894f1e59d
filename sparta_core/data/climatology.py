"""The climatology of a day of the year: the mean and three harmonics at every variable and grid point."""

import numpy as np
import torch
from torch import Tensor

from sparta_core.data import domain
from sparta_core.errors import DataError

HARMONICS = 3
YEAR = float(domain.YEAR / domain.DAY)  # days
BLOCK = 365  # days that are worked on at a time: bounds the float64 copies


def days_of_year(dates: np.ndarray) -> np.ndarray:
    """Count dates (...), datetime64, as days of the year (...) from 1 to 366.

    Example:
        >>> days_of_year(np.array(["2001-01-01", "2004-12-31"], "M8[D]")).tolist()
        [1, 366]
    """
    days: np.ndarray = (dates.astype("datetime64[D]") - dates.astype("datetime64[Y]")).astype(np.int64) + 1
    return days


def seasons_of(dates: np.ndarray) -> np.ndarray:
    """Tell the seasons (...) of dates (...), datetime64: 0 DJF, 1 MAM, 2 JJA, 3 SON, by month, for the whole globe."""
    month = dates.astype("datetime64[M]").astype(np.int64) % 12  # 0 is January
    seasons: np.ndarray = (month + 1) // 3 % 4
    return seasons


def fit_climatology(days: Tensor, day_of_year: np.ndarray, where: str) -> Tensor:
    """Fit the climatology of days by least squares, summed in float64.

    Args:
        days: (T, C, H, W), whole.
        day_of_year: (T,) from 1 to 366.
        where: What errors call the source of the days.

    Returns:
        The coefficients (7, C, H, W) of the mean, three sines and three cosines.

    Raises:
        DataError: If a day has gaps.
    """
    basis = harmonics(day_of_year).to(days.device)
    moments = torch.zeros(basis.shape[1], days[0].numel(), dtype=torch.float64, device=days.device)
    for block, part in zip(days.split(BLOCK), basis.split(BLOCK), strict=True):
        moments += part.T @ block.flatten(1).double()
    solution = torch.linalg.solve(basis.T @ basis, moments).float()
    if not solution.isfinite().all():
        raise DataError(f"the training days of {where} have gaps, and no climatology without whole days; set "
                        "anomalies='mean', and score on data without gaps")
    return solution.unflatten(1, days.shape[1:])


def climatology_at(coefficients: Tensor, day_of_year: np.ndarray) -> Tensor:
    """Evaluate the climatology (..., C, H, W) on days of the year (...), from its coefficients (7, C, H, W)."""
    basis = harmonics(day_of_year.reshape(-1)).to(coefficients)
    return (basis @ coefficients.flatten(1)).view(*day_of_year.shape, *coefficients.shape[1:])


def harmonics(day_of_year: np.ndarray) -> Tensor:
    """1 and the sines and cosines of the year's first harmonics, whose coefficients are fitted: (T, 7) float64."""
    phase = 2 * np.pi * np.outer(day_of_year, np.arange(1, HARMONICS + 1)) / YEAR
    return torch.from_numpy(np.hstack([np.ones((len(phase), 1)), np.sin(phase), np.cos(phase)]))
