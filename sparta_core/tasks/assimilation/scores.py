"""Analyses of the test days from a few kinds of networks, beside those of single days and of what is linear.

Errors are area-weighted mean squared errors of standardised anomalies, over the test days. A cycle begins some days
before them, where there are any.
"""

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
import xarray as xr

from sparta_core.data.record import Record
from sparta_core.experiment import Experiment
from sparta_core.tasks.assimilation import Assimilator
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.fitted import TASK, trained_system
from sparta_core.tasks.assimilation.networks import NETWORKS
from sparta_core.tasks.assimilation.observed import analyses, by_variable
from sparta_core.tasks.assimilation.system import System
from sparta_core.training.cached import Rows, cached
from sparta_core.training.records import open_record, run_of
from sparta_core.training.runs import Run

SPIN_UP = 20  # days
EVERY = 5  # days between two whose spread is reckoned, which takes as long as an analysis
BASELINES = {"single-day optimal interpolation": "single_day", "Kalman filter of the linear inverse model": "kalman",
             "constant covariance": "constant"}  # fmt: skip


def assimilation_scores(experiment: Experiment, networks: Sequence[str] = ("points",), seeds: Sequence[int] = (0,)
                        ) -> xr.Dataset:  # fmt: skip
    """Scores of the experiment's assimilator.

    Args:
        experiment: Whose dynamics and assimilator they are of.
        networks: Names of `NETWORKS`.
        seeds: Of the networks' places.

    Returns:
        `mse`, `background_mse` and `spread_skill` (network, variable), means over the seeds; `seconds` a day (network).

    Raises:
        ExperimentError: For a model that has no dynamics in the scores of modes.
    """
    kind = experiment.of(Assimilator)
    return cached(run_of(experiment, TASK), f"{kind.name}.nc", TASK,
                  lambda: _scored(experiment, kind, networks, seeds), partial(_rows, kind.name),
                  networks=list(networks), seeds=list(seeds), **kind.model_dump())  # fmt: skip


def baseline_assimilation(experiment: Experiment, networks: Sequence[str] = ("points",), seeds: Sequence[int] = (0,)
                          ) -> xr.Dataset:  # fmt: skip
    """The same of the methods that are simpler, along a dimension model; the climatology's error is beside them."""

    def score() -> xr.Dataset:
        parts = [_scored(experiment, Assimilator.kind(name)(), networks, seeds).expand_dims(model=[title])
                 for title, name in BASELINES.items()]  # fmt: skip
        usual = xr.full_like(parts[0], np.nan).assign(mse=parts[0].climate).assign_coords(model=["climatology"])
        return xr.concat([usual, *parts], "model")

    return cached(baselines_run(experiment), "scores.nc", TASK, score, partial(_rows, ""),
                  networks=list(networks), seeds=list(seeds))  # fmt: skip


def baselines_run(experiment: Experiment) -> Run:
    """Where the scores of simpler methods lie: they take the dynamics' errors and the same modes."""
    return run_of(experiment, "baselines", f"-{TASK}")


def _scored(experiment: Experiment, kind: Assimilator, networks: Sequence[str], seeds: Sequence[int]) -> xr.Dataset:
    system, record = trained_system(experiment), open_record(experiment)
    rows = [[cycled(record, system, kind, name, seed) for seed in seeds] for name in networks]
    made = xr.concat([xr.concat(row, "seed").mean("seed") for row in rows], "network")
    return made.assign_coords(network=list(networks)).assign_attrs(source=record.source)


@torch.no_grad()
def cycled(record: Record, system: System, kind: Assimilator, network: str, seed: int) -> xr.Dataset:
    """Scores (variable) of one cycle through the test days, and the climate's variance of these."""
    test, count = record.splits["downstream_test"], len(record.variables)
    days = range(max(0, test.start - SPIN_UP), test.stop)
    seen = NETWORKS[network](record.domain, count, len(days), np.random.default_rng(seed))
    cycle = Cycle(system, kind, record.clock, seed, quality_control=False)
    sums, spread, begun = [], [], time.process_time()
    for day, (truth, analysis) in zip(days, analyses(record, cycle, days, seen), strict=True):
        if day < test.start:
            continue
        error = (analysis.fields(system) - truth).square()
        before = (analysis.background @ system.patterns - truth).square()
        sums.append(by_variable(record, torch.stack([error, before, truth.square()])))
        if (day - test.start) % EVERY == 0:
            spread.append(by_variable(record, torch.stack([analysis.variance(system), error])))
    seconds = time.process_time() - begun
    mse, before, usual = torch.stack(sums).mean(0).cpu().numpy()
    said, wrong = torch.stack(spread).mean(0).cpu().numpy()
    coords = {"variable": list(record.variables)}
    units = {"units": "training variance"}
    return xr.Dataset({"mse": ("variable", mse, units), "background_mse": ("variable", before, units),
                       "spread_skill": ("variable", (said / wrong) ** 0.5),
                       "climate": ("variable", usual, units), "seconds": seconds / len(days)}, coords)  # fmt: skip


def _rows(kind: str, scores: xr.Dataset) -> Rows:
    for network in scores.network.values:
        yield f"{kind}, {network}" if kind else str(network), "mse", float(scores.mse.sel(network=network).mean())
