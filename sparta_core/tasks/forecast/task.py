"""The task of forecasting: what it trains, its scores, measures and targets."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar

import xarray as xr
from pydantic import Field

from sparta_core.experiment import Experiment
from sparta_core.settings import Count, Seed, Uses, setting
from sparta_core.tasks import Measure, Target, Task, Training, mean_over
from sparta_core.tasks.forecast import Forecaster, run_of, trained_forecaster
from sparta_core.tasks.forecast.ensembles import forecast_ensemble_scores
from sparta_core.tasks.forecast.scores import TASK, WHOLE_FIELDS, baseline_scores, baselines_run, model_scores, setup_of
from sparta_core.training.runs import Run
from sparta_core.training.workbench import Workbench

NEAR, FAR = range(1, 6), range(10, 101)  # leads
AT_ONCE = ("damped persistence", "linear inverse model")  # what forecasts of near leads should beat
MARGIN = {1: 0.9, 2: 0.9}  # by how much at which lead, as a share of their error
SLACK = 1.01  # of climatology's error, at far leads
SPREAD = (0.9, 1.1)  # ensemble spread over error


class Forecast(Task, name=TASK):
    """Forecasts of the days after a look-back."""

    uses: ClassVar[Uses] = (*Task.uses, Forecaster)
    benchmark = "climatology"
    look_back: Count = setting(30, "what a forecast sees", "days")
    forecast_seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = setting(
        (0,), "a forecaster is trained with each", trains=False)
    leads: Count = setting(100, "ahead that are scored", "days", trains=False)
    start_every: Count = setting(1, "between forecasts that are scored", "days", trains=False)

    def learns_from(self, experiment: Experiment) -> str:
        return experiment.of(Forecaster).learns_from

    def trainings(self, bench: Workbench) -> list[Training]:
        forecaster = bench.experiment.of(Forecaster)
        return [forecaster.training(bench, run_of(bench, seed), seed) for seed in self.forecast_seeds]

    def train(self, experiment: Experiment) -> None:
        for seed in self.forecast_seeds:
            trained_forecaster(experiment, seed)

    def score(self, experiment: Experiment) -> xr.Dataset:
        return model_scores(experiment)

    def score_baselines(self, experiment: Experiment) -> xr.Dataset:
        return baseline_scores(experiment)

    def baselines(self, bench: Workbench) -> Run:
        return baselines_run(bench)

    def measures(self, experiment: Experiment) -> tuple[Measure, ...]:
        setup = setup_of(experiment, experiment.downstream_mask_ratio)
        return tuple(Measure(TASK, f"rrmse_percent_T{day}", f"forecast RRMSE, day {day} (%)", setup, WHOLE_FIELDS)
                     for day in (5, 25))  # fmt: skip

    def targets(self, experiments: Sequence[Experiment]) -> Iterator[Target]:
        for ratio in (0.0, experiments[0].downstream_mask_ratio):
            yield from _forecast(experiments, ratio)
        for ratio in (0.0, experiments[0].downstream_mask_ratio):
            yield from _ensemble(experiments, ratio)


def _forecast(experiments: Sequence[Experiment], ratio: float) -> Iterator[Target]:
    seen = _seen(ratio)
    ours = mean_over(f"forecast {seen}", experiments, lambda each: model_scores(each, ratio)).rmse
    seeds = experiments if ratio else experiments[:1]  # from whole days all seeds' baselines are the same
    theirs = mean_over(f"forecast {seen} of the baselines", seeds, lambda each: baseline_scores(each, ratio)).rmse
    near = [lead for lead in NEAR if lead in ours.lead]
    for model in AT_ONCE:
        margin = xr.DataArray([MARGIN.get(lead, 1.0) for lead in near], {"lead": near})
        yield Target(f"forecast {seen} below {model}, leads 1 to 5", ours.sel(lead=near),
                     margin * theirs.sel(model=model, lead=near, drop=True))  # fmt: skip
    far = [lead for lead in FAR if lead in ours.lead]
    yield Target(f"forecast {seen} at most 1 % above climatology, leads 10 to 100", ours.sel(lead=far),
                 SLACK * theirs.sel(model="climatology", lead=far, drop=True))  # fmt: skip


def _ensemble(experiments: Sequence[Experiment], ratio: float) -> Iterator[Target]:
    seen = _seen(ratio)
    scores = mean_over(f"ensemble {seen}", experiments, lambda each: forecast_ensemble_scores(each, ratio))
    unit = xr.ones_like(scores.crps_skill)
    yield Target(f"CRPS {seen} below the climatological ensemble's, leads 1 to 10", 1 - scores.crps_skill, unit)
    yield Target(f"ensemble spread {seen} at most {SPREAD[1]} of its error", scores.spread_skill, SPREAD[1] * unit)
    yield Target(f"ensemble error {seen} at most 1 / {SPREAD[0]} of its spread", 1 / scores.spread_skill,
                 unit / SPREAD[0])  # fmt: skip


def _seen(ratio: float) -> str:
    return f"from {1 - ratio:.0%} of the values" if ratio else "from whole days"
