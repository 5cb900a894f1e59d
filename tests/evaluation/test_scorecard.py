"""The scorecard says which model it was and what it was given: the paper's names only for what is the paper's."""

from pathlib import Path

import pandas as pd
import pytest

from sparta_core.errors import DataError, RunError
from sparta_core.evaluation.comparison import losses_variants, measures
from sparta_core.evaluation.scorecard import OURS, method, scorecard, write
from sparta_core.experiment import Experiment
from sparta_core.files import sealed_json, unsealed_json
from sparta_core.plotting.curves import STYLES
from sparta_core.presets import PAPERS, PRESETS
from sparta_core.tasks.forecast.latent_dynamics import LAGS
from sparta_core.tasks.forecast.scores import baseline_scores, model_scores, setup_of
from tests.linear import GLOBE


@pytest.mark.parametrize("preset", PRESETS)
def test_the_default_model_is_not_called_as_the_papers_baseline(preset):
    one = Experiment.from_preset(preset)
    name = method(one)
    assert name == ("sparta_early_hn_cycle" if preset == PAPERS[preset] else "SPARTA-OI")
    assert method(one.replace(objective="contrastive")).endswith("_early_hn_cycle")
    assert OURS in STYLES and "SPARTA" not in STYLES


@pytest.mark.parametrize(("pieces", "name"), [
    ({}, "autoencoder"),
    ({"backbone": "globe"}, "globe_autoencoder"),
    ({"backbone": "globe", "decoder_backbone": "globe"}, "globe_autoencoder"),
    ({"backbone": "globe", "decoder_backbone": "resnet18"}, "globe_resnet18-decoder_autoencoder"),
    ({"decoder_backbone": "globe"}, "globe-decoder_autoencoder"),
    ({"decoder_backbone": "resnet18"}, "autoencoder"),
    ({"backbone": "globe", "mask_input": True}, "globe_mask-input_autoencoder"),
    ({"mask_input": True, "anomalies": "climatology"}, "mask-input_anomalies_autoencoder"),
    ({"head": "flatten", "norm_groups": 8, "width": 16}, "autoencoder"),  # sizes, which other columns tell
], ids=str)  # fmt: skip
def test_a_model_with_a_piece_of_ours_says_so(pieces, name):
    one = Experiment(**pieces)
    assert method(one, "autoencoder") == name
    papers = method(one, "decoder")
    assert papers == name.replace("autoencoder", "sparta_early_hn_cycle")


def test_the_ablation_of_our_model_does_not_borrow_the_papers_names():
    assert list(losses_variants(Experiment.from_preset("demo"))) == [
        "SPARTA-OI", "SPARTA-OI_early", "SPARTA-OI_early_cycle", "SPARTA-OI_early_hn", "SPARTA-OI_early_hn_cycle"]


def test_a_setup_is_what_the_forecaster_is_given(tiny):
    """An LSTM its look-back; dynamics the days that their convolutions see, from every window."""
    lstm = tiny(look_back=30, stride=10)
    assert setup_of(lstm, 0.7) == "LB30_S10"
    ours = Experiment.from_preset("demo", look_back=30, stride=10)
    assert setup_of(ours, 0.7) == f"LB{LAGS}_S1" == "LB3_S1"
    assert {one.setup for one in measures(ours) if one.task == "forecast"} == {"LB3_S1"}
    assert setup_of(ours, 0.3) == "LB3_S1_mask0.3"


def test_the_card_of_our_model(tiny):
    """Trained and scored, alone in its folder: its rows bear its own name and what its dynamics took."""
    experiment = tiny(**GLOBE, forecast_seeds=(5,), leads=6)
    model_scores(experiment)
    baseline_scores(experiment)
    card = scorecard(experiment.runs)
    ours = card[(card.task == "forecast") & ~card.setup.isin(["whole fields"])]
    assert set(ours.model) == {"SPARTA-OI"} and "LB3_S1" in set(ours.setup)
    assert not card.setup.str.startswith("LB5").any() and "autoencoder" not in set(card.model)


def test_scores_of_a_preset_that_is_no_more_are_left_out_and_named(tiny):
    experiment = tiny(leads=6)
    baseline_scores(experiment)
    path = next(Path(experiment.runs).glob("*/*/experiment.json"))
    record = unsealed_json(path.read_bytes())
    path.write_bytes(sealed_json(record | {"experiment": {"preset": "old"}}))
    with (pytest.warns(UserWarning, match=r"are of the preset 'old', which is no more; they are left out"),
          pytest.raises(DataError, match="holds no scores")):
        scorecard(experiment.runs)


def test_a_run_of_another_version_is_one_sentence(tiny):
    experiment = tiny(leads=6)
    baseline_scores(experiment)
    path = next(Path(experiment.runs).glob("*/*/experiment.json"))
    record = unsealed_json(path.read_bytes())
    path.write_bytes(sealed_json(record | {"format": 1}))
    with pytest.raises(RunError, match=r"was written by another version of this package; move it away to train again"):
        scorecard(experiment.runs)


def test_a_card_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"^the scorecard .*card.csv cannot be written \(.*\); choose another folder$"):
        write(pd.DataFrame({"value": [1.0]}), tmp_path / "file" / "card.csv")
