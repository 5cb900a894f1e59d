"""Ensembles by lead: the scores of each lead's members alone, kept, in the scorecard; analyses for the baselines."""

import pytest
import torch

from sparta_core.baselines import fit_baselines, target_days
from sparta_core.baselines.climatological import climatological_ensemble
from sparta_core.evaluation.scorecard import rows_of
from sparta_core.experiment import Experiment
from sparta_core.metrics import ensembles
from sparta_core.metrics.fields import rmse
from sparta_core.tasks.embeddings import decode
from sparta_core.tasks.forecast import calibration, forecaster_run
from sparta_core.tasks.forecast import ensembles as forecast_ensembles
from sparta_core.tasks.forecast.ensembles import ensemble_by_lead, forecast_ensemble_scores
from sparta_core.tasks.forecast.scores import analyses, baseline_scores, model_scores
from sparta_core.tasks.forecast.windows import last_observed
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation


@pytest.fixture
def experiment(globe, monkeypatch):
    monkeypatch.setattr(calibration, "STARTS", 30)
    monkeypatch.setattr(forecast_ensembles, "LEADS", 3)
    return globe(calibration_horizon=4, leads=3, draws=6, downstream_split=(0.2, 0.2))


def test_each_lead_is_scored_against_its_own_days(experiment):
    """One lead's members, physical, against that lead's truth, beside the climatological ensemble of its dates."""
    record, reference = open_record(experiment), climatological_ensemble(experiment)
    last = last_observed(experiment, record)
    drawn = torch.randn(len(last), 4, 2, 24, generator=torch.Generator().manual_seed(0))
    made = ensemble_by_lead(experiment, drawn)
    for lead in (1, 2):
        dates = record.dates(last + lead)
        truth = record.physical(record.take(last + lead).values, dates)
        ensemble = torch.stack([record.physical(decode(representation(experiment), drawn[:, k, lead - 1]), dates)
                                for k in range(4)], 1)  # fmt: skip
        climate = reference.members(last + lead, 4, experiment.seed)
        crps, theirs = (ensembles.crps(one, truth, record.cell_area).numpy() for one in (ensemble, climate))
        mine = made.sel(lead=lead)
        assert mine.crps.values == pytest.approx(crps, rel=1e-4)
        assert mine.crps_reference.values == pytest.approx(theirs, rel=1e-4)
        assert mine.crps_skill.values == pytest.approx(1 - crps / theirs, rel=1e-3, abs=1e-4)
        spread = ensembles.spread_skill(ensemble, truth, record.cell_area).numpy()
        assert mine.spread_skill.values == pytest.approx(spread, rel=1e-4)


def test_scores_are_kept_for_every_sparsity_and_shown_in_the_scorecard(experiment, monkeypatch):
    made = {ratio: forecast_ensemble_scores(experiment, ratio) for ratio in (0.0, 0.7)}
    assert dict(made[0.0].sizes) == {"seed": 1, "lead": 3, "variable": 5}
    monkeypatch.setattr(forecast_ensembles, "ensemble_by_lead", lambda *_: pytest.fail("scored twice"))
    assert forecast_ensemble_scores(experiment).equals(made[0.7])  # the experiment's own ratio
    rows = rows_of(forecaster_run(experiment, 0), "ensemble forecast")
    chosen = rows[(rows.setup == "LB3_S1_mask0") & (rows.metric == "crps_skill_T1")]
    assert chosen.value.item() == pytest.approx(float(made[0.0].crps_skill.sel(lead=1).mean()))
    assert set(rows.setup) == {"LB3_S1_mask0", "LB3_S1_mask0.7"}


def test_baselines_forecast_from_analyses_of_what_is_seen(experiment):
    """Written out for one of them; the whole days are better, and told apart in the scorecard."""
    record = open_record(experiment)
    last = last_observed(experiment, record)
    whole, sparse = baseline_scores(experiment), baseline_scores(experiment, 0.9)
    start = analyses(experiment, last, 0.9)
    model = fit_baselines(Experiment(), record, 3)["linear inverse model"]
    days = target_days(last, 3)
    dates, came = record.dates(days), record.take(days.flatten()).values.unflatten(0, days.shape)
    made = record.physical(model.forecast(record, last, 3, start), dates)
    error = rmse(made, record.physical(came, dates), record.cell_area)
    assert sparse.rmse.sel(model="linear inverse model").values == pytest.approx(error.numpy(), rel=1e-4)
    one = {"model": "persistence", "lead": 1}
    assert (sparse.rmse.sel(one) != whole.rmse.sel(one)).all()
    assert sparse.rmse.sel(model="climatology").equals(whole.rmse.sel(model="climatology"))
    rows = rows_of(run_of(experiment, "baselines", "-lookback5"), "forecast")
    assert {"whole fields", "analyses_mask0.9"} <= set(rows.setup)


def test_an_analysis_is_the_day_where_all_of_it_is_seen_and_modes_hold_it(experiment):
    record = open_record(experiment)
    last = last_observed(experiment, record)[:4]
    truth = record.take(last).values
    made = analyses(experiment, last, 0.0)
    assert (made - truth).square().mean() < 0.2 * truth.square().mean()  # 24 modes, beneath white noise


def test_forecasts_from_whole_and_sparse_days_are_scored_apart(experiment):
    whole, own = model_scores(experiment, 0.0), model_scores(experiment)
    assert own.attrs["mask_ratio"] == 0.7 and whole.attrs["mask_ratio"] == 0.0
    assert not whole.rmse.equals(own.rmse)
    rows = rows_of(forecaster_run(experiment, 0), "forecast")
    assert set(rows.setup) == {"LB3_S1", "LB3_S1_mask0"}
