"""Analyses as fields: in physical units, by the names of the CF conventions."""

from collections.abc import Iterator

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from sparta_core.data.labelled import TIME, labelled
from sparta_core.data.normaliser import Normaliser
from sparta_core.data.sample import Sample
from sparta_core.tasks.assimilation.analysis import Analysis, Observed
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.system import System

SIGMA, BEFORE, INNOVATION = "_std", "_background", "_innovation"  # behind a variable's name


def analysed(cycle: Cycle, days: Sample, variance: Tensor) -> Iterator[Analysis]:
    """The analyses of days (T, C, H, W) with the variances of their observations' errors; NaN leaves one out."""
    for day in range(len(days)):
        values, own = days.values[day].flatten(), variance[day].flatten()
        places = ((days.observed[day].flatten() > 0) & ~own.isnan()).nonzero()[:, 0]
        follows = days.follows is not None and bool(days.follows[day])
        yield cycle.analyse(Observed(values[places], places, own[places]), days.dates[day], follows)


def fields_of(analysis: Analysis, system: System, normaliser: Normaliser, date: np.datetime64) -> Tensor:
    """Of a day the analysis, the standard deviation of its errors, the background and innovations: (4, C, H, W)."""
    shape = (2, len(normaliser.variables), *normaliser.grid)
    both = torch.stack([analysis.fields(system), analysis.background @ system.patterns])
    made, before = normaliser.made(both.view(shape), np.array([date, date]))
    std = analysis.variance(system).sqrt()
    innovation = torch.full_like(std, torch.nan)
    innovation[analysis.gain.observed.places] = analysis.departures
    deviations = torch.stack([std, innovation]).view(shape) * normaliser.std.view(-1, 1, 1)
    return torch.stack([made, deviations[0], before, deviations[1]])


def dataset_of(made: Tensor, normaliser: Normaliser, days: Sample) -> xr.Dataset:
    """The fields (T, 4, C, H, W) of days, by their names."""
    coords = {"time": ("time", days.dates, TIME)}
    analysis, *others = (labelled(normaliser, part, coords, "Analyses of sparse days")
                         for part in made.unbind(1))  # fmt: skip
    texts = {SIGMA: ("standard deviation of the error of the analysis of ", "standard_error"),
             BEFORE: ("background of the analysis of ", ""), INNOVATION: ("observed less background of ", "")}
    for (ending, (words, modifier)), dataset in zip(texts.items(), others, strict=True):
        for name in normaliser.variables:
            attributes = {"units": dataset[name].attrs["units"], "long_name": words + dataset[name].attrs["long_name"]}
            if modifier and "standard_name" in dataset[name].attrs:
                attributes["standard_name"] = f"{dataset[name].attrs['standard_name']} {modifier}"
            analysis[f"{name}{ending}"] = dataset[name].drop_attrs().assign_attrs(attributes)
    for name in normaliser.variables:
        analysis[name].attrs["ancillary_variables"] = " ".join(f"{name}{ending}" for ending in texts)
    return analysis
