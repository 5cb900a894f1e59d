"""The targets that a model should reach before anyone uses it: of every task, its error beside the best baseline's.

Means over seeds, each with its own masks, from which the baselines see the same share. A target is passed in all of its
cases or not at all; the row shows the closest of them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.experiment import Experiment
from sparta_core.tasks import Target, tasks


def check_targets(experiment: Experiment, seeds: Sequence[int]) -> pd.DataFrame:
    """A row a target: if it is `passed`, in how many `cases` of how many, and the `closest`, `ours` beside its `limit`.

    Trains and scores what is missing; a line a seed says what is at work.
    """
    experiments = by_seed(experiment, seeds)
    found = [target for task in tasks(experiment).values() for target in task.targets(experiments)]
    return pd.DataFrame([_row(target) for target in found]).set_index("target")


def by_seed(experiment: Experiment, seeds: Sequence[int]) -> list[Experiment]:
    """The experiment once a seed: of its representation, its masks, and its forecaster."""
    return [experiment.replace(seed=seed, forecast_seeds=(seed,)) for seed in seeds]


def _row(target: Target) -> dict[str, object]:
    """The closest case: the largest share of its limit."""
    ours, limit = xr.broadcast(target.error, target.limit)
    share = (ours / limit).values
    place = np.unravel_index(np.nanargmax(share), share.shape)
    where = ", ".join(f"{dim} {ours[dim].values[index]}" for dim, index in zip(ours.dims, place, strict=True))
    return {"target": target.name, "passed": bool((share < 1).all()),
            "cases": f"{int((share < 1).sum())} of {share.size}", "ours": float(ours.values[place]),
            "limit": float(limit.values[place]), "closest": where}  # fmt: skip
