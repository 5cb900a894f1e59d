"""The bars that a model should clear before anyone uses it: of every task, its error beside the best baseline's.

Means over seeds, each with its own masks, from which the baselines see the same share. A bar is cleared in all of its
cases or not at all; the row shows the closest of them.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.evaluation.classification import baseline_classification, model_classification
from sparta_core.evaluation.forecast_ensembles import forecast_ensemble_scores
from sparta_core.evaluation.reconstruction import RATIOS, baseline_reconstruction, model_reconstruction
from sparta_core.evaluation.scores import baseline_scores, model_scores
from sparta_core.experiment import Experiment

DAYS = 128  # that are rebuilt
HIDDEN = (0.2, 0.5, 0.7, 0.9)  # of days whose season is told
NEAR, FAR = range(1, 6), range(10, 101)  # leads
AT_ONCE = ("damped persistence", "linear inverse model")  # what forecasts of near leads should beat
MARGIN = {1: 0.9, 2: 0.9}  # by how much at which lead, as a share of their error
SLACK = 1.01  # of climatology's error, at far leads
SPREAD = (0.9, 1.1)  # ensemble spread over error
Bar = tuple[str, xr.DataArray, xr.DataArray]  # what, ours and the limit, below which it should stay


def bars(experiment: Experiment, seeds: Sequence[int]) -> pd.DataFrame:
    """A row a bar: in how many `cases` of how many it is `cleared`, and of the `closest` to failing `ours` and `limit`.

    Trains and scores what is missing; a line a seed says what is at work.
    """
    every = by_seed(experiment, seeds)
    found = [*_reconstruction(every), *_forecast(every, 0.0), *_forecast(every, experiment.downstream_mask_ratio),
             *_ensemble(every, 0.0), *_ensemble(every, experiment.downstream_mask_ratio), *_season(every)]  # fmt: skip
    return pd.DataFrame([_row(*bar) for bar in found]).set_index("bar")


def by_seed(experiment: Experiment, seeds: Sequence[int]) -> list[Experiment]:
    """The experiment once a seed: of its representation, its masks, and its forecaster."""
    return [experiment.replace(seed=seed, forecast_seeds=(seed,)) for seed in seeds]


def _row(name: str, ours: xr.DataArray, limit: xr.DataArray) -> dict[str, object]:
    """The closest case: the largest share of its limit."""
    ours, limit = xr.broadcast(ours, limit)
    share = (ours / limit).values
    place = np.unravel_index(np.nanargmax(share), share.shape)
    where = ", ".join(f"{dim} {ours[dim].values[index]}" for dim, index in zip(ours.dims, place, strict=True))
    return {"bar": name, "cleared": bool((share < 1).all()), "cases": f"{int((share < 1).sum())} of {share.size}",
            "ours": float(ours.values[place]), "limit": float(limit.values[place]), "closest": where}  # fmt: skip


def _mean(what: str, every: Sequence[Experiment], score: Callable[[Experiment], xr.Dataset]) -> xr.Dataset:
    """Over the seeds, each scored in its turn."""
    made = []
    for one in every:
        print(f"{what}, seed {one.seed}", flush=True)
        scores = score(one)
        made.append(scores.mean("seed", keep_attrs=True) if "seed" in scores.dims else scores)
    return xr.concat(made, "repetition", coords="minimal", compat="override").mean("repetition", keep_attrs=True)


def _reconstruction(every: Sequence[Experiment]) -> Iterator[Bar]:
    ours = _mean("reconstruction", every, lambda one: model_reconstruction(one, RATIOS, DAYS))
    theirs = _mean("reconstruction of the baselines", every, lambda one: baseline_reconstruction(one, RATIOS, DAYS))
    errors, limits = (scores.mse.sel(mask_grid="native", drop=True) for scores in (ours, theirs))
    for model in limits.model.values:
        yield f"reconstruction below {model}", errors, limits.sel(model=model, drop=True)


def _forecast(every: Sequence[Experiment], ratio: float) -> Iterator[Bar]:
    seen = _seen(ratio)
    ours = _mean(f"forecast {seen}", every, lambda one: model_scores(one, ratio)).rmse
    seeds = every if ratio else every[:1]  # from whole days all seeds' baselines are the same
    theirs = _mean(f"forecast {seen} of the baselines", seeds, lambda one: baseline_scores(one, ratio)).rmse
    near = [lead for lead in NEAR if lead in ours.lead]
    for model in AT_ONCE:
        margin = xr.DataArray([MARGIN.get(lead, 1.0) for lead in near], {"lead": near})
        yield f"forecast {seen} below {model}, leads 1 to 5", ours.sel(lead=near), margin * theirs.sel(
            model=model, lead=near, drop=True)  # fmt: skip
    far = [lead for lead in FAR if lead in ours.lead]
    yield f"forecast {seen} at most 1 % above climatology, leads 10 to 100", ours.sel(lead=far), SLACK * theirs.sel(
        model="climatology", lead=far, drop=True)  # fmt: skip


def _ensemble(every: Sequence[Experiment], ratio: float) -> Iterator[Bar]:
    seen = _seen(ratio)
    scores = _mean(f"ensemble {seen}", every, lambda one: forecast_ensemble_scores(one, ratio))
    one = xr.ones_like(scores.crps_skill)
    yield f"CRPS {seen} below the climatological ensemble's, leads 1 to 10", 1 - scores.crps_skill, one
    yield f"ensemble spread {seen} at most {SPREAD[1]} of its error", scores.spread_skill, SPREAD[1] * one
    yield f"ensemble error {seen} at most 1 / {SPREAD[0]} of its spread", 1 / scores.spread_skill, one / SPREAD[0]


def _season(every: Sequence[Experiment]) -> Iterator[Bar]:
    """Of the share of days taken for another season."""
    ours = 1 - _mean("season", every, lambda one: model_classification(one, HIDDEN)).accuracy
    theirs = 1 - _mean("season of the baselines", every, lambda one: baseline_classification(one, HIDDEN)).accuracy
    for model in (str(name) for name in theirs.model.values):
        yield f"wrong seasons below {model}", ours, theirs.sel(model=model, drop=True)


def _seen(ratio: float) -> str:
    return f"from {1 - ratio:.0%} of the values" if ratio else "from whole days"
