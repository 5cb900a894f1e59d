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
from sparta_core.data.climatology import covers_a_year
from sparta_core.data.record import Record, spread_over
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.metrics.ensembles import crps
from sparta_core.settings import LARGEST, Section, setting
from sparta_core.training.cached import cached
from sparta_core.training.records import open_record, run_of

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

    record: Record
    climatology: Climatology
    window: int  # days
    anomalies: Tensor

    def members(self, days: Tensor, count: int, seed: int) -> Tensor:
        """`count` members for each day (N,) of the record, in physical units: (N, count, C, H, W)."""
        chosen = days_near(self.record, days, count, self.window, seed)
        as_they_were, moved = (self.of_kind(kind, days, chosen) for kind in KINDS)
        return torch.where(self.anomalies[:, None, None], moved, as_they_were)

    def of_kind(self, kind: str, days: Tensor, chosen: Tensor) -> Tensor:
        """Training days `chosen` (N, M) as members for days (N,), in physical units: (N, M, C, H, W)."""
        record = self.record
        if kind == KINDS[0]:
            members = record.take(chosen.flatten()).values.unflatten(0, chosen.shape)
            return record.physical(members, record.dates(chosen))
        anomalies = self.climatology.anomalies(record, chosen.flatten()).unflatten(0, chosen.shape)
        dates = record.dates(days)[:, None]
        return record.physical(self.climatology.at_dates(dates) + anomalies, dates)


def climatological_ensemble(experiment: Experiment) -> ClimatologicalEnsemble:
    """The reference for the experiment's days; which kind each variable takes is kept beside the baselines."""
    record, found = open_record(experiment), validation_crps(experiment)
    better = torch.from_numpy(found.crps.argmin("kind").values == 1).to(record.device)
    return ClimatologicalEnsemble(record, Climatology.fit(record), experiment.climatology_window, better)


def validation_crps(experiment: Experiment) -> xr.Dataset:
    """`crps` (kind, variable), in the variables' units, of both kinds of members on validation days."""
    window, count = experiment.climatology_window, experiment.draws

    def score() -> xr.Dataset:
        record = open_record(experiment)
        days = record.splits["validation"]
        spaced = spread_over(days, VALIDATION_DAYS, record.device)
        none = torch.zeros(len(record.variables), dtype=torch.bool, device=record.device)
        ensemble = ClimatologicalEnsemble(record, Climatology.fit(record), window, none)
        chosen = days_near(record, spaced, count, window, experiment.seed)
        total = np.zeros((len(KINDS), len(record.variables)))
        for some, drawn in zip(spaced.split(DAYS_AT_ONCE), chosen.split(DAYS_AT_ONCE), strict=True):
            truth = record.physical(record.take(some).values, record.dates(some))
            for own, kind in zip(total, KINDS, strict=True):
                made = crps(ensemble.of_kind(kind, some, drawn), truth, record.cell_area)
                own += len(some) / len(spaced) * made.cpu().numpy()
        units = ("variable", list(record.units))
        coords = {"kind": list(KINDS), "variable": list(record.variables), "units": units}
        return xr.Dataset({"crps": (("kind", "variable"), total)}, coords)

    run = run_of(experiment, "baselines", "-diffusion")
    return cached(run, FILE, "reference", score, lambda scores: (), draws=count, window=window, days=VALIDATION_DAYS)


def days_near(record: Record, days: Tensor, count: int, window: int, seed: int) -> Tensor:
    """For each day (N,) of the record, `count` different training days of its date, give or take `window` days.

    Returns their indices (N, count). DataError where a date has too few.
    """
    generator = np.random.default_rng(seed)
    clock, training = record.clock, record.time[: record.splits["train"].stop]
    season, hour = clock.phase(training), clock.time_of_day(training)
    reach = max(window, clock.days / 2) if covers_a_year(training, clock) else np.inf  # else they are of one season
    chosen = []
    for date in record.dates(days):
        apart = np.abs(season - clock.phase(date)) % 1 * clock.year
        near = np.flatnonzero((np.round(np.minimum(apart, clock.year - apart)) <= reach)
                              & (hour == clock.time_of_day(date)))  # fmt: skip
        if len(near) < count:
            raise DataError(f"{len(near)} training days lie within {window} days of {str(date)[5:]}, too few for "
                            f"{count} members; use more days, fewer draws, or a larger climatology_window")
        chosen.append(generator.choice(near, count, replace=False))
    return torch.from_numpy(np.stack(chosen)).to(days.device)
