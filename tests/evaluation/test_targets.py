"""Targets on made-up scores, passed and missed by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sparta_core.commands import targets_command
from sparta_core.errors import ExperimentError
from sparta_core.evaluation.targets import check_targets
from sparta_core.experiment import Experiment
from sparta_core.tasks.forecast import calibration
from sparta_core.tasks.forecast import task as forecast
from sparta_core.tasks.reconstruction import task as reconstruction
from sparta_core.tasks.season import Season

LEADS, VARIABLES = [1, 2, 3, 10], ["t", "z"]
# Where each scorer is looked up by the task that asks it.
PLACES = {
    "model_reconstruction": (reconstruction, "model_reconstruction"),
    "baseline_reconstruction": (reconstruction, "baseline_reconstruction"),
    "model_scores": (forecast, "model_scores"), "baseline_scores": (forecast, "baseline_scores"),
    "forecast_ensemble_scores": (forecast, "forecast_ensemble_scores"),
    "model_classification": (Season, "score"), "baseline_classification": (Season, "score_baselines"),
}  # fmt: skip


def by_lead(values, **models):
    """rmse (model, lead, variable): values by lead, the same for both variables."""
    data = [[[v, v] for v in own] for own in (values, *models.values())]
    coordinates = {"model": ["ours", *models], "lead": LEADS, "variable": VARIABLES}
    made = xr.DataArray(data, coordinates).to_dataset(name="rmse")
    return made if models else made.isel(model=0, drop=True)


@pytest.fixture
def scores(monkeypatch):
    """What the scorers would say; a test changes some of it."""
    made = {
        "model_reconstruction": xr.Dataset({"mse": (("mask_grid", "ratio"), [[0.02, 0.05]])},
                                           {"mask_grid": ["native"], "ratio": [0.7, 0.9]}),
        "baseline_reconstruction": xr.Dataset(
            {"mse": (("model", "mask_grid", "ratio"), [[[0.03, 0.06]], [[0.3, 0.3]]])},
            {"model": ["optimal interpolation", "climatology"], "mask_grid": ["native"], "ratio": [0.7, 0.9]}),
        "model_scores": by_lead([1.0, 2.0, 3.0, 4.0]).expand_dims(seed=[0]),
        "baseline_scores": by_lead([0] * 4, **{
            "damped persistence": [1.5, 2.5, 3.5, 4.5], "linear inverse model": [1.2, 2.3, 3.1, 4.2],
            "climatology": [4.0, 4.0, 4.0, 4.0]}).isel(model=slice(1, None)),
        "forecast_ensemble_scores": xr.Dataset(
            {name: (("seed", "lead", "variable"), [[[v, v]]])
             for name, v in (("crps_skill", 0.3), ("spread_skill", 1.0))}, {"lead": [1], "variable": VARIABLES}),
        "model_classification": xr.Dataset({"accuracy": ("ratio", [0.98, 0.97])}, {"ratio": [0.2, 0.9]}),
        "baseline_classification": xr.Dataset({"accuracy": (("model", "ratio"), [[0.9, 0.8], [0.97, 0.95]])},
                                              {"model": ["means", "logistic"], "ratio": [0.2, 0.9]}),
    }  # fmt: skip
    for name in made:
        monkeypatch.setattr(*PLACES[name], lambda *_, name=name: made[name])
    return made


def test_all_are_passed(scores):
    found = check_targets(Experiment(), [0, 1])
    assert found.passed.all() and len(found) == 2 + 2 * 3 + 2 * 3 + 2
    near = found.loc["forecast from whole days below linear inverse model, leads 1 to 5"]
    # 1.0 of 0.9 x 1.2, 2.0 of 0.9 x 2.3, 3.0 of 3.1: the last is the closest
    assert (near.cases, near.ours, near.closest) == ("6 of 6", 3.0, "lead 3, variable t") and near.limit == 3.1
    far = found.loc["forecast from 30% of the values below damped persistence, leads 1 to 5"]
    assert far.ours / far.limit == pytest.approx(2.0 / (0.9 * 2.5))
    season = found.loc["wrong seasons below logistic"]
    assert (season.ours, season.limit) == pytest.approx((0.02, 0.03)) and season.closest == "ratio 0.2"


@pytest.mark.parametrize(("target", "name", "change"), [
    ("reconstruction below optimal interpolation", "model_reconstruction", {"mse": 1.5}),
    ("forecast from whole days at most 1 % above climatology, leads 10 to 100", "model_scores", {"rmse": 1.02}),
    ("CRPS from whole days below the climatological ensemble's, leads 1 to 10", "forecast_ensemble_scores",
     {"crps_skill": -0.1}),
    ("ensemble spread from whole days at most 1.1 of its error", "forecast_ensemble_scores", {"spread_skill": 1.11}),
    ("ensemble error from whole days at most 1 / 0.9 of its spread", "forecast_ensemble_scores",
     {"spread_skill": 0.89}),
    ("wrong seasons below logistic", "model_classification", {"accuracy": 0.975}),
])  # fmt: skip
def test_one_is_missed(scores, target, name, change):
    variable, factor = next(iter(change.items()))
    scores[name] = scores[name].assign({variable: factor * scores[name][variable]})
    row = check_targets(Experiment(), [0]).loc[target]
    right, cases = map(int, row.cases.split(" of "))
    assert not row.passed and right < cases


def test_means_are_over_seeds_and_every_seed_has_its_own_masks(scores, monkeypatch):
    """Wrong at one seed, right at the other: the mean of 0.02 and 0.06 is above 0.03."""
    asked = []

    def of_a_seed(experiment, *_):
        asked.append((experiment.seed, experiment.forecast_seeds))
        return scores["model_reconstruction"] * (1 if experiment.seed == 3 else 3)

    monkeypatch.setattr(reconstruction, "model_reconstruction", of_a_seed)
    found = check_targets(Experiment(), [3, 4])
    assert set(asked) == {(3, (3,)), (4, (4,))}
    row = found.loc["reconstruction below optimal interpolation"]
    assert not row.passed and row.ours == pytest.approx(0.1) and row.closest == "ratio 0.9"


def test_a_model_is_trained_scored_and_held_to_all_of_them(globe, monkeypatch):
    """On made-up waves, which a linear model knows: what needs no training is passed."""
    monkeypatch.setattr(calibration, "STARTS", 30)
    experiment = globe(leads=12, draws=6, downstream_split=(0.2, 0.2), classifier="date", calibration_horizon=4)
    found = check_targets(experiment, [0])
    assert np.isfinite(found[["ours", "limit"]].to_numpy()).all()
    assert found.loc[["reconstruction below climatology", "reconstruction below nearest"]].passed.all()
    assert found.loc["forecast from whole days below damped persistence, leads 1 to 5"].cases.endswith("of 25")
    assert "wrong seasons below scores + logistic regression" in found.index


def test_the_command_prints_the_table_and_says_by_its_status_if_a_bar_is_missed(monkeypatch, capsys):
    asked, passed = [], [True, False]

    def made(experiment, seeds):
        asked.append((experiment.preset, experiment.data, experiment.runs, seeds))
        return pd.DataFrame({"target": ["one"], "passed": [passed[len(asked) - 1]]}).set_index("target")

    monkeypatch.setattr("sparta_core.commands.models.check_targets", made)
    targets_command(["--data", "mine.nc", "--seeds", "3,4", "--runs", "there"])
    assert asked == [("targets", "mine.nc", "there", [3, 4])] and "one" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        targets_command([])
    assert stop.value.code == 1 and asked[1] == ("targets", "bundled", "runs", [0, 1, 2])
    with pytest.raises(ExperimentError, match=r"^seeds is 'a'; it must be whole numbers with commas between them"):
        targets_command(["--seeds", "a"])
