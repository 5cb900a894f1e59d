"""Scores of forecasts: joined by name, equal to the metrics of the whole forecast, and kept."""

import pytest
import xarray as xr

from sparta_core.baselines import fit_baselines, target_days
from sparta_core.experiment import Experiment
from sparta_core.metrics import fields as metrics
from sparta_core.tasks.embeddings import decode
from sparta_core.tasks.forecast import scores
from sparta_core.tasks.forecast.scores import forecast_scores, table
from sparta_core.tasks.forecast.windows import forecast_embeddings, forecast_starts
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation

SETTINGS = dict.fromkeys(
    ("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs", "forecast_epochs"), 1)
SETTINGS |= {"leads": 13, "forecast_seeds": (0, 42)}  # 13 leads: more than one chunk


def models(experiment):
    return {"autoencoder": experiment.replace(objective="autoencoder"), "SPARTA": experiment}


@pytest.fixture
def scored(tiny):
    experiment = tiny(**SETTINGS)
    return experiment, forecast_scores(models(experiment))


def test_every_model_lead_variable_and_seed(scored):
    experiment, made = scored
    assert list(made.model.values) == ["climatology", "persistence", "damped persistence", "linear inverse model",
                                       "autoencoder", "SPARTA"]  # fmt: skip
    assert list(made.lead.values) == list(range(1, 14)) and list(made.seed.values) == [0, 42]
    assert list(made["variable"].values) == list(experiment.variables)
    assert all(int(made[name].isnull().sum()) == 0 for name in made)


def test_scores_are_those_of_the_whole_forecast(scored):
    experiment, made = scored
    record = open_record(experiment)
    last = forecast_starts(experiment, record.splits["downstream_test"], record.clock) + experiment.look_back - 1
    truth = record.physical(record.values[target_days(last, 13)])
    sparta = record.physical(decode(representation(experiment), forecast_embeddings(experiment, 42)))
    persistence = record.physical(fit_baselines(Experiment(), record, 13)["persistence"].forecast(record, last, 13))
    for name, forecast in (("SPARTA", sparta), ("persistence", persistence)):
        mine = made.sel(model=name, seed=42)
        assert mine.rrmse.values == pytest.approx(metrics.rrmse(forecast, truth).numpy(), rel=1e-4)
        assert mine.rmse.values == pytest.approx(metrics.rmse(forecast, truth, record.cell_area).numpy(), rel=1e-4)
        assert mine.bias.values == pytest.approx(
            metrics.bias(forecast, truth, record.cell_area).numpy(), rel=1e-3, abs=1e-4)


def test_climatology_has_no_skill_over_itself(scored):
    _, made = scored
    climatology = made.sel(model="climatology")
    assert abs(climatology.skill).max() < 1e-6 and abs(climatology.acc).max() < 1e-3


def test_scores_are_kept_beside_the_run_and_made_again_for_other_leads(scored, monkeypatch):
    experiment, made = scored
    def never(*_):
        raise AssertionError("scored twice")

    with monkeypatch.context() as patch:
        patch.setattr(scores, "_scores", never)
        xr.testing.assert_identical(forecast_scores(models(experiment)), made)
    fewer = forecast_scores(models(experiment.replace(leads=4)))
    assert list(fewer.lead.values) == [1, 2, 3, 4]


def test_the_table_shows_the_mean_over_seeds(scored):
    _, made = scored
    text = table(made, (1, 10, 100)).splitlines()
    assert text[0].split() == ["RRMSE", "(%)", "at", "lead", "1", "d", "10", "d"]
    assert len(text) == 7 and text[-1].startswith("SPARTA")
    mean = made.rrmse.sel(model="SPARTA", lead=10).mean("seed")
    assert float(text[-1].split()[-1]) == pytest.approx(float(mean), abs=0.005)
