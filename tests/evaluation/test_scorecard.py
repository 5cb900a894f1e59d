"""The scorecard says which model it was and what it was given: the paper's names only for what is the paper's."""

import pandas as pd
import pytest
import xarray as xr

from sparta_core.errors import RunError
from sparta_core.evaluation.comparison import losses_variants, measures
from sparta_core.evaluation.scorecard import (
    OURS,
    diffusion_rows,
    ensemble_rows,
    forecast_setup,
    method,
    scorecard,
    write,
)
from sparta_core.experiment import Experiment
from sparta_core.plotting.curves import STYLES
from sparta_core.presets import PAPERS, PRESETS
from sparta_core.tasks.forecast.latent_dynamics import LAGS
from sparta_core.tasks.forecast.scores import baseline_scores, model_scores
from tests.linear import GLOBE


@pytest.mark.parametrize("preset", PRESETS)
def test_the_default_model_is_not_called_as_the_papers_baseline(preset):
    one = Experiment.from_preset(preset)
    name = method(one.settings(one.representation))
    assert name == ("sparta_early_hn_cycle" if preset == PAPERS[preset] else "SPARTA-OI")
    assert method(one.replace(objective="contrastive").settings("forecast")).endswith("_early_hn_cycle")
    assert OURS in STYLES and "SPARTA" not in STYLES


@pytest.mark.parametrize(("pieces", "name"), [
    ({}, "autoencoder"),
    ({"backbone": "globe"}, "globe_autoencoder"),
    ({"backbone": "globe", "decoder_backbone": "globe"}, "globe_autoencoder"),
    ({"backbone": "globe", "decoder_backbone": "resnet18"}, "globe_resnet18-decoder_autoencoder"),
    ({"decoder_backbone": "globe"}, "globe-decoder_autoencoder"),
    ({"decoder_backbone": "resnet18"}, "autoencoder"),
    ({"backbone": "globe", "mask_input": True}, "globe_mask-input_autoencoder"),
    ({"mask_input": True, "departures": "climatology"}, "mask-input_departures_autoencoder"),
    ({"head": "flatten", "norm_groups": 8, "width": 16}, "autoencoder"),  # sizes, which other columns tell
], ids=str)  # fmt: skip
def test_a_model_with_a_piece_of_ours_says_so(pieces, name):
    one = Experiment(**pieces)
    assert method(one.settings("autoencoder")) == name
    papers = method(one.settings("decoder"))
    assert papers == name.replace("autoencoder", "sparta_early_hn_cycle")


def test_the_ablation_of_our_model_does_not_borrow_the_papers_names():
    assert list(losses_variants(Experiment.from_preset("demo"))) == [
        "SPARTA-OI", "SPARTA-OI_early", "SPARTA-OI_early_cycle", "SPARTA-OI_early_hn", "SPARTA-OI_early_hn_cycle"]


def test_a_setup_is_what_the_forecaster_is_given(tiny):
    """An LSTM its look-back; dynamics the days that their convolutions see, from every window."""
    lstm = tiny(look_back=30, stride=10)
    assert forecast_setup(lstm.settings("forecast")) == "LB30_S10"
    ours = Experiment.from_preset("demo", look_back=30, stride=10)
    assert forecast_setup(ours.settings("forecast")) == f"LB{LAGS}_S1" == "LB3_S1"
    assert {one.setup for one in measures(ours) if one.task == "forecast"} == {"LB3_S1"}
    kept_before = lstm.settings("forecast")
    del kept_before["forecaster"]  # by a version that knew the LSTM alone
    assert forecast_setup(kept_before) == "LB30_S10"


def test_the_card_of_our_model(tiny):
    """Trained and scored, alone in its folder: its rows bear its own name and what its dynamics took."""
    experiment = tiny(**GLOBE, forecast_seeds=(5,), leads=6)
    model_scores(experiment)
    baseline_scores(experiment)
    card = scorecard(experiment.runs)
    ours = card[(card.task == "forecast") & ~card.setup.isin(["whole fields"])]
    assert set(ours.model) == {"SPARTA-OI"} and "LB3_S1" in set(ours.setup)
    assert not card.setup.str.startswith("LB5").any() and "autoencoder" not in set(card.model)


def test_skill_over_days_of_the_season_is_left_out(tmp_path):
    """It was kept before the reference had a window, and would stand beside skill over a better one."""
    scores = xr.Dataset({"crps_skill": ("lead", [0.5]), "spread_skill": ("lead", [1.0])}, {"lead": [1]},
                        {"mask_ratio": 0.7, "scored_with": '{"draws": 20}'})  # fmt: skip
    settings = {"look_back": 30, "stride": 1}
    assert [metric for _, metric, _ in ensemble_rows(scores, settings)] == ["spread_skill_T1"]
    windowed = scores.assign_attrs(scored_with='{"draws": 20, "window": 10}')
    assert [metric for _, metric, _ in ensemble_rows(windowed, settings)] == ["crps_skill_T1", "spread_skill_T1"]
    whole, settings = scores.isel(lead=0, drop=True), {"downstream_mask_ratio": 0.7}
    assert [metric for _, metric, _ in diffusion_rows(whole, settings)] == ["spread_skill"]
    assert len([*diffusion_rows(whole.assign_attrs(windowed.attrs), settings)]) == 2


def test_a_card_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"^the scorecard .*card.csv cannot be written \(.*\); choose another folder$"):
        write(pd.DataFrame({"value": [1.0]}), tmp_path / "file" / "card.csv")
