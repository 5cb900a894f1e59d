"""What is usual on a day of the year: the mean and three harmonics at every variable and grid point."""

import numpy as np
import torch
from torch import Tensor

from sparta_core.errors import DataError

HARMONICS = 3
YEAR = 365.25
BLOCK = 365  # days that are worked on at a time: bounds the float64 copies


def days_of_year(dates: np.ndarray) -> np.ndarray:
    """Dates (...), datetime64, as days of the year (...) from 1 to 366."""
    days: np.ndarray = (dates.astype("datetime64[D]") - dates.astype("datetime64[Y]")).astype(np.int64) + 1
    return days


def seasons_of(dates: np.ndarray) -> np.ndarray:
    """Dates (...), datetime64, as seasons (...): 0 DJF, 1 MAM, 2 JJA, 3 SON, by month, for the whole globe."""
    month = dates.astype("datetime64[M]").astype(np.int64) % 12  # 0 is January
    seasons: np.ndarray = (month + 1) // 3 % 4
    return seasons


def fit_climatology(days: Tensor, day_of_year: np.ndarray, where: str) -> Tensor:
    """Coefficients (7, C, H, W) that fit days (T, C, H, W) by least squares; summed in float64.

    DataError where a day has gaps.
    """
    basis = harmonics(day_of_year).to(days.device)
    moments = torch.zeros(basis.shape[1], days[0].numel(), dtype=torch.float64, device=days.device)
    for block, part in zip(days.split(BLOCK), basis.split(BLOCK), strict=True):
        moments += part.T @ block.flatten(1).double()
    solution = torch.linalg.solve(basis.T @ basis, moments).float()
    if not solution.isfinite().all():
        raise DataError(f"the training days of {where} have gaps, and no climatology without whole days; set "
                        "departures='mean', and score on data without gaps")
    return solution.unflatten(1, days.shape[1:])


def climatology_at(coefficients: Tensor, day_of_year: np.ndarray) -> Tensor:
    """The climatology (..., C, H, W) of days of the year (...), from its coefficients (7, C, H, W)."""
    basis = harmonics(day_of_year.reshape(-1)).to(coefficients)
    made = (basis @ coefficients.flatten(1)).unflatten(1, coefficients.shape[1:])
    return made.view(*day_of_year.shape, *made.shape[1:])


def harmonics(day_of_year: np.ndarray) -> Tensor:
    """1 and the sines and cosines of the year's first harmonics, whose coefficients are fitted: (T, 7) float64."""
    phase = 2 * np.pi * np.outer(day_of_year, np.arange(1, HARMONICS + 1)) / YEAR
    return torch.from_numpy(np.hstack([np.ones((len(phase), 1)), np.sin(phase), np.cos(phase)]))
