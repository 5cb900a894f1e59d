"""Observations' errors as users say them, a number or a field by variable, in units of the training days' spread."""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data import grid
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.sample import Sample
from sparta_core.errors import ExperimentError
from sparta_core.typed import nearest

Errors = Mapping[str, float | xr.DataArray]


def errors_of(errors: Errors, normaliser: Normaliser) -> Tensor | None:
    """Standardise standard deviations of observations' errors; variables that are not named have none.

    Args:
        errors: By variable, in the model's units: a number, or a DataArray (latitude, longitude), with or without time,
            on the model's grid; NaN where none is known, which leaves the observation out.
        normaliser: Of the fields.

    Returns:
        (T or 1, C, H, W), on the normaliser's device; None where no errors are given.

    Raises:
        ExperimentError: For another variable or grid, and for errors below 0.
    """
    if not errors:
        return None
    fields = {name: _field(name, given, normaliser) for name, given in errors.items()}
    count = max(len(field) for field in fields.values())
    made = np.zeros((count, len(normaliser.variables), *normaliser.grid), np.float32)
    for name, field in fields.items():
        made[:, normaliser.variables.index(name)] = field
    return torch.from_numpy(made).to(normaliser.device) / normaliser.std.view(-1, 1, 1)


def check_errors(errors: Tensor, days: Sample) -> None:
    """ExperimentError for errors (T, C, H, W) of another number of days, more than 1."""
    if len(errors) not in (1, len(days)):
        raise ExperimentError(f"the errors are of {len(errors)} times and the days {len(days)}; give as many")


def _field(name: str, given: float | xr.DataArray, normaliser: Normaliser) -> np.ndarray:
    """The errors (T or 1, H, W) of one variable; a number's are (1, 1, 1)."""
    if name not in normaliser.variables:
        raise ExperimentError(f"errors has the variable {name!r}{nearest(name, normaliser.variables)}; the model's are "
                              f"{', '.join(normaliser.variables)}")
    if isinstance(given, xr.DataArray):
        field = grid.ordered(grid.named(given.to_dataset(name=name)), f"the errors of {name}")[name]
        values = field.values.astype(np.float64).reshape(-1, *field.shape[-2:])
        if values.shape[1:] != normaliser.grid:
            raise ExperimentError(f"the errors of {name} are on {values.shape[1]} x {values.shape[2]} points, the "
                                  f"model on {normaliser.grid[0]} x {normaliser.grid[1]}; give a number, or its grid")
    else:
        values = np.full((1, 1, 1), given, np.float64)
    if (values < 0).any() or np.isinf(values).any():
        raise ExperimentError(f"the errors of {name} are {np.nanmin(values):g} to {np.nanmax(values):g}; a standard "
                              "deviation is at least 0 and finite")
    return values
