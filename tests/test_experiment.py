"""Experiment: presets to the letter of the paper, clear refusals, and which stages experiments share."""

import json

import pytest

from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.objectives.contrastive import at_equal_steps
from sparta_core.presets import PRESETS

TASKS = ("forecast", "diffusion", "classification")


def test_the_paper_preset_is_the_papers():
    paper = Experiment.from_preset("paper")
    assert paper.replace(data="bundled") == Experiment()
    assert (paper.autoencoder_epochs, paper.pretrain_epochs, paper.blend_epochs, paper.decoder_epochs) == (
        180, 100, 250, 200)
    assert (paper.autoencoder_rate, paper.pretrain_rate, paper.blend_rate, paper.decoder_rate) == (
        1e-3, 1e-4, 1e-4, 1e-4)
    assert (paper.width, paper.embedding, paper.projection, paper.temperature) == (64, 1000, 128, 0.3)
    assert (paper.batch_size, paper.soft_gap, paper.hard_gap) == (128, 1000, (11, 40))
    assert (paper.view_size, paper.crop_from, paper.mask_grid) == ((72, 144), (80, 160), "enlarged")


@pytest.mark.parametrize(("pair", "expected"), [
    ((30, 1), (1e-6, 0.0, (0,))), ((5, 5), (1e-5, 0.3, (0, 42, 123))), ((5, 10), (1e-5, 0.0, (0, 42, 123)))])
@pytest.mark.parametrize("preset", PRESETS)
def test_forecast_setups(preset, pair, expected):
    e = Experiment.from_preset(preset, look_back=pair[0], stride=pair[1])
    assert (e.forecast_weight_decay, e.forecast_dropout, e.forecast_seeds) == expected


def test_what_is_named_wins_over_the_setup():
    assert Experiment.from_preset("demo", look_back=5, stride=5, forecast_dropout=0.1).forecast_dropout == 0.1


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_survive_json(preset):
    e = Experiment.from_preset(preset)
    settings = {name: value for stage in ("autoencoder", "forecast") for name, value in e.settings(stage).items()}
    again = Experiment.from_preset(preset, **json.loads(json.dumps(settings)))
    assert again == e and again.digest("forecast") == e.digest("forecast")


@pytest.mark.parametrize(("changes", "shared", "separate"), [
    ({"blend_epochs": 3}, ["autoencoder", "pretrain"], ["blend", "decoder", "forecast"]),
    ({"hard_negatives": False}, ["autoencoder"], ["pretrain", "blend", "decoder", "forecast"]),
    ({"cycle_weight": 0.0}, ["autoencoder"], ["pretrain"]),
    ({"width": 8}, [], ["autoencoder", "pretrain", "blend", "decoder", "forecast"]),
    ({"look_back": 7}, ["autoencoder", "decoder"], ["forecast"]),
    ({"objective": "autoencoder"}, ["autoencoder", "decoder", "baselines"], ["forecast"]),
    ({"runs": "elsewhere", "device": "cpu", "leads": 3}, ["autoencoder", "decoder", "forecast"], []),
])
def test_experiments_share_the_stages_on_which_they_agree(changes, shared, separate):
    e = Experiment.from_preset("paper_demo")
    other = e.replace(**changes)
    assert all(e.digest(stage) == other.digest(stage) for stage in shared)
    assert all(e.digest(stage) != other.digest(stage) for stage in separate)


def test_names_tell_the_ablations_apart():
    names = {Experiment.from_preset("demo", hard_negatives=h, cycle_weight=c, seed=s).name("blend")
             for h in (True, False) for c in (0.0, 1.0) for s in (0, 1)}
    assert len(names) == 8 and "demo-early-hn-cycle-seed0" in names


@pytest.mark.parametrize(("changes", "message"), [
    ({"preset": "dmo"}, "preset is 'dmo'; choose one of: paper, demo, smoke"),
    ({"fusoin": "early"}, "no field 'fusoin' (did you mean fusion?); valid fields: preset, runs"),
    ({"fusion": "GNN"}, "fusion is 'GNN'; choose one of: early, attention, gnn, hybrid (did you mean gnn?)"),
    ({"runs": ""}, "runs is ''; it must be the path of a folder"),
    ({"runs": " "}, "runs is ' '; it must be the path of a folder"),
    ({"data": ""}, "data is ''; it must be 'bundled', or the path of a store or file"),
    ({"fusion": "late"}, "fusion is 'late'; choose one of: early"),
    ({"mask_grid": "coarse"}, "mask_grid is 'coarse'; choose one of: enlarged, native"),
    ({"device": "tpu"}, "device is 'tpu'; choose one of: auto, cpu, cuda, mps"),
    ({"width": "wide"}, "width is 'wide'; it must be of type int"),
    ({"width": 0}, "width is 0; it must be above 0"),
    ({"seed": 1.5}, "seed is 1.5; it must be of type int"),
    ({"hard_negatives": "yes"}, "hard_negatives is 'yes'; it must be of type bool"),
    ({"view_size": (32,)}, "view_size is (32,); it must be of type tuple[int, int]"),
    ({"autoencoder_rate": float("nan")}, "autoencoder_rate is nan; it must be of type float"),
    ({"split": (0.7, 0.3)}, "split is (0.7, 0.3); it must be two positive fractions with a sum below 1"),
    ({"mask_ratio": (0.9, 0.5)}, "mask_ratio is (0.9, 0.5); it must be 0 <= low <= high < 1"),
    ({"downstream_mask_ratio": 1.0}, "downstream_mask_ratio is 1.0; it must be at least 0 and below 1"),
    ({"hard_gap": (4, 40)}, "hard_gap is (4, 40); it must lie between max_offset"),
    ({"view_size": (32, 64), "crop_from": (10, 10)}, "crop_from (10, 10) is smaller than view_size"),
    ({"smoothing": 4}, "smoothing is 4; a centred mean filter needs an odd width"),
    ({"batch_size": 2}, "batch_size is 2; one anchor with its negatives needs 3"),
    ({"variables": ("geopotential", "geopotential")}, "each may be named once"),
])
def test_refusals(changes, message):
    with pytest.raises(ExperimentError) as error:
        Experiment.from_preset(**{"preset": "demo", **changes})
    assert message in str(error.value) and "\n" not in str(error.value)


def test_it_is_frozen():
    with pytest.raises(AttributeError, match=r"use replace\(seed=...\)"):
        Experiment().seed = 3  # type: ignore[misc]


def test_equal_steps_without_hard_negatives_take_three_times_the_epochs():
    """A third of the batches an epoch, so three times the epochs; alpha falls as far in as many steps."""
    with_negatives = Experiment.from_preset("paper_demo")
    assert at_equal_steps(with_negatives) == with_negatives
    made = at_equal_steps(with_negatives.replace(hard_negatives=False))
    for stage in ("pretrain", "blend", "decoder"):
        assert getattr(made, f"{stage}_epochs") == 3 * getattr(with_negatives, f"{stage}_epochs")
    assert made.blend_decay == pytest.approx(with_negatives.blend_decay / 3)
    assert made.plateau_patience == 3 * with_negatives.plateau_patience
    assert made.autoencoder_epochs == with_negatives.autoencoder_epochs


def test_shortened_training_ends_at_the_same_alpha():
    whole = Experiment.from_preset("paper_demo", pretrain_epochs=20, blend_epochs=11, decoder_epochs=1)
    half = whole.shortened(0.5)
    assert (half.pretrain_epochs, half.blend_epochs, half.decoder_epochs) == (10, 6, 1)
    assert half.blend_decay * (half.blend_epochs - 1) == pytest.approx(whole.blend_decay * (whole.blend_epochs - 1))
    assert whole.shortened(1.0) == whole
    assert [2 * getattr(half, f"{task}_epochs") for task in TASKS] == [
        getattr(whole, f"{task}_epochs") for task in TASKS]
    with pytest.raises(ExperimentError, match="share is 'half'; it must be of type float"):
        whole.shortened("half")
    for share in (0.0, 1.5):
        with pytest.raises(ExperimentError, match="share is"):
            whole.shortened(share)


@pytest.mark.parametrize(("change", "message"), [
    ({"diffusion_betas": (0.02, 1e-4)}, "must rise and stay below 1"),
    ({"fusion": "attention", "embedding": 30}, "must divide the embedding's size"),
    ({"fusion": "gnn", "edges": (("2m_temperature", "rain"),)}, "may only join the variables"),
    ({"sampler": "euler"}, "choose one of: ddpm, ddim, dpm-solver"),
])  # fmt: skip
def test_settings_of_the_later_parts_are_checked(change, message):
    with pytest.raises(ExperimentError, match=message):
        Experiment(**change)


STAGES = ("autoencoder", "pretrain", "blend", "decoder")
ALL = ("baselines", *STAGES, *TASKS)
OURS = {"linear_path": True, "mask_input": True, "mask_grid": "native", "view_size": (72, 144), "crop_from": (72, 144),
        "smoothing": 1, "backbone": "globe", "anomalies": "climatology"}  # fmt: skip


@pytest.mark.parametrize(("given", "changes", "changed"), [
    ({}, {"seed": 1}, ALL), ({}, {"level": 500}, ALL), ({}, {"embedding": 8}, ALL), ({}, {"noise": 0.1}, ALL),
    ({}, {"downstream_split": (0.5, 0.2)}, ("baselines", *TASKS)),
    ({}, {"mask_ratio": (0.1, 0.2)}, (*STAGES, *TASKS)), ({}, {"batch_size": 6}, (*STAGES, *TASKS)),
    ({}, {"plateau_patience": 3}, (*STAGES, *TASKS)), ({}, {"width": 8}, (*STAGES, *TASKS)),
    ({}, {"head": "flatten"}, (*STAGES, *TASKS)), ({"backbone": "globe"}, {"head": "flatten"}, ()),
    ({}, {"decoder_backbone": "globe"}, ("autoencoder", "blend", "decoder", *TASKS)),
    ({}, {"swaths": 3}, ()), ({"sparsity": "swaths", "mask_grid": "native"}, {"swaths": 3}, ALL),
    ({}, {"block_size": 3}, ()), ({}, {"attention_heads": 4}, ()), ({}, {"localisation": 0.0}, ()),
    ({"fusion": "attention"}, {"attention_heads": 4}, ("pretrain", "blend", "decoder", *TASKS)),
    ({}, {"fusion": "gnn"}, ("pretrain", "blend", "decoder", *TASKS)),
    ({}, {"crop_from": (90, 180)}, ("pretrain", "blend", "decoder", *TASKS)),
    ({}, {"temperature": 0.1}, ("pretrain", "blend", "decoder", *TASKS)),
    ({}, {"blend_decay": 0.1}, ("blend", "decoder", *TASKS)), ({}, {"autoencoder_rate": 0.1}, ("autoencoder",)),
    ({"objective": "autoencoder"}, {"temperature": 0.1}, ("pretrain", "blend", "decoder")),
    ({}, {"stride": 3}, ("forecast",)), ({}, {"forecast_steps": 3}, ()),
    (OURS | {"forecaster": "dynamics"}, {"forecast_steps": 3}, ("forecast",)),
    (OURS | {"forecaster": "dynamics"}, {"stride": 3}, ()),
    (OURS | {"forecaster": "dynamics", "diffusion_of": "forecast"}, {"forecast_steps": 3}, ("forecast", "diffusion")),
    (OURS, {"localisation": 0.0}, ALL), ({}, {"diffusion_steps": 5}, ("diffusion",)),
    ({}, {"classification_epochs": 5}, ("classification",)),
    (OURS | {"classifier": "date"}, {"classification_epochs": 5}, ()),
    ({}, {"leads": 5, "draws": 3, "start_every": 2, "climatology_window": 4, "forecast_seeds": (1,)}, ()),
    ({}, {"device": "cpu", "precision": "32-true", "storage": "memory", "checkpoint_every": 1.0, "runs": "x"}, ()),
], ids=str)
def test_a_digest_holds_what_a_stage_uses(given, changes, changed):
    before = Experiment(**given)
    after = before.replace(**changes)
    assert tuple(stage for stage in ALL if before.digest(stage) != after.digest(stage)) == changed


def test_asking_for_the_digest_touches_no_data(monkeypatch):
    """Nothing is loaded or fitted to name a folder."""
    monkeypatch.setattr("sparta_core.data.days.opened", lambda data: pytest.fail("the data was opened"))
    assert len(Experiment.from_preset("demo").digest("diffusion")) == 8
