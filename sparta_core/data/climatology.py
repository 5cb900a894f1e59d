"""The climatology of a date: the mean and the cycles of the year and the day at every variable and grid point."""

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.clock import DAY, HARMONICS, Clock
from sparta_core.durations import in_days
from sparta_core.errors import DataError

BLOCK = 365  # fields that are worked on at a time: bounds the float64 copies
SHARE_OF_A_YEAR = 0.9  # that a record must cover for its cycle to be fitted
RANK = 1e-9  # of the largest eigenvalue: below it are combinations of cycles that the times do not tell apart


def days_of_year(dates: np.ndarray) -> np.ndarray:
    """Count dates (...), datetime64, as days of the year (...) from 1 to 366.

    Example:
        >>> days_of_year(np.array(["2001-01-01", "2004-12-31"], "M8[D]")).tolist()
        [1, 366]
    """
    days: np.ndarray = (dates.astype("datetime64[D]") - dates.astype("datetime64[Y]")).astype(np.int64) + 1
    return days


def seasons_of(months: np.ndarray) -> np.ndarray:
    """Tell the seasons (...) of months (...), 0 being January: 0 DJF, 1 MAM, 2 JJA, 3 SON, for the whole globe."""
    seasons: np.ndarray = (months + 1) // 3 % 4
    return seasons


def fit_climatology(fields: Tensor, times: np.ndarray, clock: Clock, where: str) -> Tensor:
    """Fit the climatology of fields by least squares, summed in float64.

    Args:
        fields: (T, C, H, W), whole.
        times: (T,) datetime64.
        clock: Of the fields: the year's cycle is left out where they cover less than a year, the day's where less
            than a day.
        where: What errors call the source of the fields.

    Returns:
        The coefficients (K, C, H, W) of `clock.basis`.

    Raises:
        DataError: If a field has gaps.
    """
    full = torch.from_numpy(clock.basis(times)).to(fields.device)
    used = torch.from_numpy(_covered(times, clock)).to(fields.device)
    basis = full[:, used]
    moments = torch.zeros(basis.shape[1], fields[0].numel(), dtype=torch.float64, device=fields.device)
    for block, part in zip(fields.split(BLOCK), basis.split(BLOCK), strict=True):
        moments += part.T @ block.flatten(1).double()
    solution = (torch.linalg.pinv(basis.T @ basis, rtol=RANK, hermitian=True) @ moments).float()
    if not solution.isfinite().all():
        raise DataError(f"the training days of {where} have gaps, and no climatology without whole days; set "
                        "anomalies='mean', and score on data without gaps")
    coefficients = solution.new_zeros(full.shape[1], solution.shape[1])
    coefficients[used] = solution
    return coefficients.unflatten(1, fields.shape[1:])


def climatology_at(coefficients: Tensor, times: np.ndarray, clock: Clock) -> Tensor:
    """Evaluate the climatology (..., C, H, W) at times (...), from its coefficients (K, C, H, W)."""
    basis = torch.from_numpy(clock.basis(times.reshape(-1))).to(coefficients)
    return (basis @ coefficients.flatten(1)).view(*times.shape, *coefficients.shape[1:])


def covers_a_year(times: np.ndarray, clock: Clock) -> bool:
    """Whether times (T,), rising, tell of a season."""
    return _span(times, clock) >= SHARE_OF_A_YEAR * clock.year


def _span(times: np.ndarray, clock: Clock) -> float:
    """Days from the first to the end of the last."""
    return in_days((times[-1].astype("M8[s]") - times[0].astype("M8[s]")).astype("m8[s]")) + clock.days


def _covered(times: np.ndarray, clock: Clock) -> np.ndarray:
    """Which columns (K,) of the basis the times tell of."""
    year, diurnal = covers_a_year(times, clock), _span(times, clock) >= in_days(DAY)
    columns = np.arange(clock.annual.size)
    return (columns == 0) | (clock.annual & year & ((columns <= 2 * HARMONICS) | diurnal)) | (~clock.annual & diurnal)
