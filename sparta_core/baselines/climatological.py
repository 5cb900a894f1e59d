"""The ensemble of someone who knows the date and nothing else: the reference of every ensemble's skill.

Its members are training days within a window around the date, either as they were, or as anomalies added to the
climatology of the date. The first keep the season's own movement within the window as spread, the second take the
climatology's fit on trust; of each variable the one with the lower CRPS on the validation days is used.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
import xarray as xr
from pydantic import Field
from torch import Tensor

from sparta_core.baselines.climatology import Climatology
from sparta_core.data.climatology import YEAR, days_of_year
from sparta_core.data.fields import Fields
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.metrics.ensembles import crps
from sparta_core.settings import LARGEST, Section, setting
from sparta_core.training.kept import kept
from sparta_core.training.workbench import Workbench

KINDS = ("training days", "climatology + anomalies")
VALIDATION_DAYS = 256  # evenly spaced, on which the better kind is chosen
DAYS_AT_ONCE = 16  # bounds memory
FILE = "reference.nc"


class Window(Section):
    climatology_window: Annotated[int, Field(ge=0, lt=LARGEST)] = setting(
        10, "around a date, from which a climatological ensemble is drawn", "days", trains=False)


@dataclass(frozen=True, eq=False)
class ClimatologicalEnsemble:
    """Draws members for any days of the record; `anomalies` (C,) says which variables take the second kind."""

    fields: Fields
    climatology: Climatology
    window: int  # days
    anomalies: Tensor

    def members(self, days: Tensor, count: int, seed: int) -> Tensor:
        """`count` members for each day (N,) of the record, in physical units: (N, count, C, H, W)."""
        chosen = days_near(self.fields, days, count, self.window, seed)
        whole, usual = (self.of_kind(kind, days, chosen) for kind in KINDS)
        return torch.where(self.anomalies[:, None, None], usual, whole)

    def of_kind(self, kind: str, days: Tensor, chosen: Tensor) -> Tensor:
        """Training days `chosen` (N, M) as members for days (N,), in physical units: (N, M, C, H, W)."""
        fields = self.fields
        if kind == KINDS[0]:
            return fields.physical(fields.take(chosen.flatten()).unflatten(0, chosen.shape), fields.dates(chosen))
        anomalies = self.climatology.departures(fields, chosen.flatten()).unflatten(0, chosen.shape)
        dates = fields.dates(days)[:, None]
        return fields.physical(self.climatology.at(days_of_year(dates)) + anomalies, dates)


def climatological_ensemble(experiment: Experiment) -> ClimatologicalEnsemble:
    """The reference for the experiment's days; which kind each variable takes is kept beside the baselines."""
    bench = Workbench.of(experiment)
    found = validation_crps(experiment)
    better = torch.from_numpy(found.crps.argmin("kind").values == 1).to(bench.device)
    return ClimatologicalEnsemble(bench.fields, Climatology.fit(bench.fields), experiment.climatology_window, better)


def validation_crps(experiment: Experiment) -> xr.Dataset:
    """`crps` (kind, variable), in the variables' units, of both kinds of members on validation days."""
    bench, window, count = Workbench.of(experiment), experiment.climatology_window, experiment.draws

    def score() -> xr.Dataset:
        fields, days = bench.fields, bench.fields.splits["validation"]
        spaced = torch.linspace(days.start, days.stop - 1, min(VALIDATION_DAYS, len(days)), device=bench.device)
        spaced = spaced.round().long()
        none = torch.zeros(len(fields.variables), dtype=torch.bool, device=bench.device)
        ensemble = ClimatologicalEnsemble(fields, Climatology.fit(fields), window, none)
        chosen = days_near(fields, spaced, count, window, experiment.seed)
        total = np.zeros((len(KINDS), len(fields.variables)))
        for some, drawn in zip(spaced.split(DAYS_AT_ONCE), chosen.split(DAYS_AT_ONCE), strict=True):
            truth = fields.physical(fields.take(some), fields.dates(some))
            for own, kind in zip(total, KINDS, strict=True):
                made = crps(ensemble.of_kind(kind, some, drawn), truth, fields.cell_area)
                own += len(some) / len(spaced) * made.cpu().numpy()
        units = ("variable", list(fields.units))
        coords = {"kind": list(KINDS), "variable": list(fields.variables), "units": units}
        return xr.Dataset({"crps": (("kind", "variable"), total)}, coords)

    run, settings = bench.run("baselines", "-diffusion"), {"draws": count, "window": window, "days": VALIDATION_DAYS}
    return kept(run, FILE, "reference", score, lambda scores: (), **settings)


def days_near(fields: Fields, days: Tensor, count: int, window: int, seed: int) -> Tensor:
    """For each day (N,) of the record, `count` different training days of its date, give or take `window` days.

    Returns their indices (N, count). DataError where a date has too few.
    """
    generator = np.random.default_rng(seed)
    training = fields.day_of_year[: fields.splits["train"].stop]
    chosen = []
    for date in fields.dates(days):
        apart = np.abs(training - days_of_year(date))
        near = np.flatnonzero(np.round(np.minimum(apart, YEAR - apart)) <= window)
        if len(near) < count:
            raise DataError(f"{len(near)} training days lie within {window} days of {str(date)[5:]}, too few for "
                            f"{count} members; use more days, fewer draws, or a larger climatology_window")
        chosen.append(generator.choice(near, count, replace=False))
    return torch.from_numpy(np.stack(chosen)).to(days.device)
