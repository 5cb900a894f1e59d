"""The task of forecasting: what it trains, its scores, measures and targets."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
import xarray as xr
from pydantic import Field

from sparta_core.data.labelled import labelled
from sparta_core.data.sample import Sample
from sparta_core.durations import Length
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.settings import Seed, Uses, setting
from sparta_core.tasks import Measure, Option, Target, Task, Training, mean_over
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.forecast import Forecaster, forecaster_run, restored, trained_forecaster
from sparta_core.tasks.forecast.ensembles import forecast_ensemble_scores
from sparta_core.tasks.forecast.scores import TASK, WHOLE_FIELDS, baseline_scores, baselines_run, model_scores, setup_of
from sparta_core.tasks.forecast.windows import starts
from sparta_core.tasks.network import PART
from sparta_core.tensors import Tensors, named
from sparta_core.training.runs import Run

NEAR, FAR = range(1, 6), range(10, 101)  # leads
AT_ONCE = ("damped persistence", "linear inverse model")  # what forecasts of near leads should beat
MARGIN = {1: 0.9, 2: 0.9}  # by how much at which lead, as a share of their error
SLACK = 1.01  # of climatology's error, at far leads
SPREAD = (0.9, 1.1)  # ensemble spread over error


class Forecast(Task, name=TASK):
    """Forecasts of the days after a look-back."""

    uses: ClassVar[Uses] = (*Task.uses, Forecaster)
    benchmark = "climatology"
    options: ClassVar[tuple[Option, ...]] = (
        Option("leads", 10, "how many steps ahead; 10"),
        Option("members", None, "of an ensemble; if left out, one forecast"),
        Option("every", None, "forecast from every so many fields; if left out, from the last"),
        Option("seed", 0, "of the ensemble's draws; 0"))
    look_back: Length = setting(30, "what a forecast sees", "days")
    forecast_seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = setting(
        (0,), "a forecaster is trained with each", trains=False)
    leads: Length = setting(100, "ahead that are scored", "days", trains=False)
    start_every: Length = setting(1, "between forecasts that are scored", "days", trains=False)

    def learns_from(self, experiment: Experiment) -> str:
        return experiment.of(Forecaster).learns_from

    def trainings(self, experiment: Experiment) -> list[Training]:
        kind = experiment.of(Forecaster)
        return [kind.training(experiment, forecaster_run(experiment, seed), seed) for seed in self.forecast_seeds]

    def train(self, experiment: Experiment) -> None:
        for seed in self.forecast_seeds:
            trained_forecaster(experiment, seed)

    def score(self, experiment: Experiment) -> xr.Dataset:
        return model_scores(experiment)

    def score_baselines(self, experiment: Experiment) -> xr.Dataset:
        return baseline_scores(experiment)

    def baselines(self, experiment: Experiment) -> Run:
        return baselines_run(experiment)

    def state(self, model: Sparta) -> Tensors:
        """The first seed's network, and its calibrations of whole days and of days as sparse as tasks see them."""
        forecaster = trained_forecaster(model.experiment, self.forecast_seeds[0])
        state = named(PART, forecaster.network.state_dict())
        for ratio in dict.fromkeys((0.0, model.experiment.downstream_mask_ratio)):
            state |= named(f"calibration.{ratio!r}", forecaster.calibration(ratio))
        return state

    @torch.no_grad()
    def predict(self, model: Sparta, state: Tensors, days: Sample, leads: int = 10, members: int | None = None,
                every: int | None = None, seed: int = 0, **options: Any) -> xr.Dataset:  # fmt: skip
        """Forecast the days after those given.

        Args:
            model: The representation.
            state: The forecaster.
            days: (T, C, H, W), the last days of a look-back in a row; any that come before are not needed.
            leads: How many days ahead.
            members: Of an ensemble; None: one forecast, its mean.
            every: Forecast from every so many of the days that have a look-back behind them; None: from the last day.
            seed: Of the ensemble's draws.
            **options: None.

        Returns:
            Fields (init_time, lead_time, latitude, longitude), with members (init_time, lead_time, number, ...).

        Raises:
            DataError: Where days are missing.
            ExperimentError: For an ensemble of a forecaster that has none.
        """
        for name, number in (("leads", leads), ("members", members), ("every", every)):
            if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 1):
                raise ExperimentError(f"{name} is {number!r}; it must be a whole number above 0")
        kind, normaliser = model.experiment.of(Forecaster), model.normaliser
        clock = normaliser.clock
        look_back = kind.look_back_of(model.experiment, clock)
        last = starts(days, look_back, clock, every)
        forecaster = restored(model, self.forecast_seeds[0], state)
        before = torch.arange(1 - look_back, 1, device=model.device)
        rows = torch.from_numpy(last).to(model.device)[:, None] + before
        needed, place = rows.unique(return_inverse=True)
        ratio = 1 - float(days[needed].observed.mean())
        dates = days.dates[last]
        forecasts = forecaster.forecasts(embed(model, days[needed])[place], dates, leads, ratio)
        coords: dict[str, Any] = {
            "init_time": ("init_time", clock.dates(dates), {"standard_name": "forecast_reference_time"}),
            "lead_time": ("lead_time", clock.lead_times(leads),
                          {"standard_name": "forecast_period"})}  # fmt: skip
        valid = normaliser.dates_ahead(dates, leads)
        if members is not None:
            generator = torch.Generator(model.device).manual_seed(seed)
            forecasts = forecaster.members(forecasts, ratio, members, generator).transpose(1, 2)
            coords["number"] = ("number", np.arange(members), {"standard_name": "realization"})
            valid = valid[..., None]
        fields = normaliser.made(decode(model, forecasts), valid)
        return labelled(normaliser, fields, coords, f"Forecasts by the forecaster {kind.name}")

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
    observed = _observed(ratio)
    ours = mean_over(f"forecast {observed}", experiments, lambda each: model_scores(each, ratio)).rmse
    seeds = experiments if ratio else experiments[:1]  # from whole days all seeds' baselines are the same
    theirs = mean_over(f"forecast {observed} of the baselines", seeds, lambda each: baseline_scores(each, ratio)).rmse
    near = [lead for lead in NEAR if lead in ours.lead]
    for model in AT_ONCE:
        margin = xr.DataArray([MARGIN.get(lead, 1.0) for lead in near], {"lead": near})
        yield Target(f"forecast {observed} below {model}, leads 1 to 5", ours.sel(lead=near),
                     margin * theirs.sel(model=model, lead=near, drop=True))  # fmt: skip
    far = [lead for lead in FAR if lead in ours.lead]
    yield Target(f"forecast {observed} at most 1 % above climatology, leads 10 to 100", ours.sel(lead=far),
                 SLACK * theirs.sel(model="climatology", lead=far, drop=True))  # fmt: skip


def _ensemble(experiments: Sequence[Experiment], ratio: float) -> Iterator[Target]:
    observed = _observed(ratio)
    scores = mean_over(f"ensemble {observed}", experiments, lambda each: forecast_ensemble_scores(each, ratio))
    unit = xr.ones_like(scores.crps_skill)
    yield Target(f"CRPS {observed} below the climatological ensemble's, leads 1 to 10", 1 - scores.crps_skill, unit)
    yield Target(f"ensemble spread {observed} at most {SPREAD[1]} of its error", scores.spread_skill, SPREAD[1] * unit)
    yield Target(f"ensemble error {observed} at most 1 / {SPREAD[0]} of its spread", 1 / scores.spread_skill,
                 unit / SPREAD[0])  # fmt: skip


def _observed(ratio: float) -> str:
    return f"from {1 - ratio:.0%} of the values" if ratio else "from whole days"
