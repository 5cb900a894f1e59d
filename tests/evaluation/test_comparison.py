"""Comparisons: every task of every variant and seed, the scorecard on disk, the paper beside, verdicts on claims."""

import numpy as np
import pandas as pd
import pytest

from sparta_core.baselines import ForecastBaseline
from sparta_core.data.published import published
from sparta_core.errors import DataError, ExperimentError
from sparta_core.evaluation.comparison import (
    Claim,
    baseline_values,
    beside_the_paper,
    compare,
    fusion_variants,
    losses_variants,
    measures,
    models,
    trained,
    verdicts,
)
from sparta_core.evaluation.scorecard import COLUMNS, changes, scorecard, training, write
from sparta_core.experiment import Experiment
from sparta_core.objectives.contrastive import at_equal_steps
from sparta_core.presets import PRESETS
from sparta_core.tasks import Measure, tasks
from sparta_core.tasks.forecast.scores import WHOLE_FIELDS, model_scores

SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs", "forecast_epochs",
                          "diffusion_epochs", "classification_epochs"), 1)  # fmt: skip
SETTINGS |= {"diffusion_widths": (8,), "draws": 3, "sampler": "ddim", "quick_steps": 3, "forecast_seeds": (0, 1),
             "classification_widths": (8, 4), "split": (0.5, 0.1), "downstream_split": (0.85, 0.05), "leads": 5}
TASKS = ("reconstruction", "latent", "forecast", "diffusion", "classification")
FORECAST = Measure("forecast", "rrmse_percent_T5", "RRMSE, day 5")
REBUILT = Measure("reconstruction", "mse", "MSE", "native_mask0.7")
SMOOTH = Measure("latent", "temporal_distance_mean", "temporal distance")


@pytest.fixture
def variants(tiny, write_weather):
    base = tiny(**SETTINGS, data=str(write_weather(days=1100)))
    return {"autoencoder": base.replace(objective="autoencoder"), "sparta_early_hn_cycle": base}


def test_every_task_of_every_variant_and_seed(variants, capsys, tmp_path):
    frame = compare(variants, [0, 1])
    counts = frame.groupby(["model", "task", "seed"]).size()
    assert set(counts.index) == {(m, t, s) for m in variants for t in TASKS for s in (0, 1)}
    assert "[2/4] sparta_early_hn_cycle, seed 0: about" in capsys.readouterr().out
    base = variants["sparta_early_hn_cycle"]
    rrmse = model_scores(base.replace(seed=1)).rrmse.sel(lead=5)  # a mean over the forecaster's own seeds
    rows = FORECAST.of(frame[(frame.model == "sparta_early_hn_cycle") & (frame.seed == 1)])
    assert rows.value.item() == pytest.approx(rrmse.mean().item(), rel=1e-6)

    values = baseline_values(base, [FORECAST, REBUILT, SMOOTH])
    assert set(values) == {"RRMSE, day 5", "MSE"} and list(values["MSE"]) == ["climatology"]

    card = scorecard(base.runs)
    assert list(card.columns) == list(COLUMNS) and set(card.task) >= {"forecast", "diffusion", "latent"}
    mine = card[(card.model == "sparta_early_hn_cycle") & (card.metric == "rrmse_percent_T5") & (card.seed == 1)]
    assert mine.value.mean() == pytest.approx(rows.value.item()) and set(mine.training) == {"1/1/1"}
    assert {"climatology", "linear inverse model"} <= set(card[card.task == "forecast"].model)
    again = pd.read_csv(write(card, tmp_path / "deep" / "scorecard.csv"), keep_default_na=False)
    assert again.value.values == pytest.approx(card.value.values, rel=1e-5)


def test_finished_work_is_reused(variants, monkeypatch):
    from sparta_core.training import fit as fitting

    first = compare(variants, [0], ["reconstruction", "forecast"])

    def never(*_):
        raise AssertionError("trained twice")

    monkeypatch.setattr(fitting._Loop, "train", never)
    assert compare(variants, [0], ["reconstruction", "forecast"]).equals(first)


def test_a_task_that_is_none(variants):
    with pytest.raises(ExperimentError, match=r"task is 'forcast'; choose one of: .* \(did you mean forecast\?\)"):
        compare(variants, [0], ["forcast"])


def test_measures_are_those_of_the_tasks_that_are_named_in_their_order():
    """What unpacks them by name does not depend on which tasks there are, or on the order of their folders."""
    experiment = Experiment()
    shown = [(one.task, one.metric) for one in measures(experiment, ("latent", "forecast", "reconstruction"))]
    assert [task for task, _ in shown] == ["latent"] * 2 + ["forecast"] * 2 + ["reconstruction"]
    assert [(one.task, one.metric) for one in measures(experiment, ("latent",))] == shown[:2]
    assert {one.task for one in measures(experiment)} == {
        "reconstruction", "forecast", "classification", "diffusion", "latent"}  # fmt: skip
    with pytest.raises(ExperimentError, match="task is 'season'; choose one of: "):
        measures(experiment, ("season",))


def test_tables_begin_with_what_is_simplest():
    """Tasks and baselines of forecasts, whatever else there is and however it is called."""
    experiment = Experiment()
    assert list(tasks(experiment))[:2] == ["reconstruction", "forecast"]
    assert [one.title for one in experiment.all_of(ForecastBaseline)] == [
        "climatology", "persistence", "damped persistence", "linear inverse model"]  # fmt: skip


def test_a_changed_run_is_told_from_its_presets():
    """By what its days and representation depend on, but not by what other columns say, nor by a task's settings."""
    usual = Experiment.from_preset("paper_demo", seed=3, fusion="gnn", forecast_hidden=7).shortened(0.5)
    changed = at_equal_steps(usual.replace(embedding=128, head="pool"))
    for stage, told in (("autoencoder", "embedding=128, head=pool"), ("decoder", "embedding=128, head=pool"),
                        (None, "embedding=128, head=pool"), ("baselines", "embedding=128")):  # fmt: skip
        assert changes(usual, stage) == ""
        assert changes(changed, stage) == told


def test_no_scores(tmp_path):
    with pytest.raises(DataError, match="holds no scores; run notebooks"):
        scorecard(tmp_path)


def rows(**values):
    """A frame of one measure: a list of values over seeds for each model."""
    return pd.DataFrame([
        {"preset": "demo", "task": "forecast", "model": model, "training": "", "setup": "LB30_S1",
         "metric": "rrmse_percent_T5", "seed": seed, "value": value}
        for model, own in values.items() for seed, value in enumerate(own)])  # fmt: skip


@pytest.mark.parametrize(("lower", "higher", "verdict"), [
    ([1.0, 2.0, 3.0], [1.5, 2.6, 3.4], "holds (3 seeds)"),
    ([1.5, 2.6, 3.4], [1.0, 2.0, 3.0], "does not hold (3 seeds)"),
    ([1.0, 2.0, 3.0], [1.5, 1.6, 3.1], "undecided"),
    ([1.0], [1.1], "holds (one seed)"),
])  # fmt: skip
def test_verdicts_pair_the_seeds(lower, higher, verdict):
    """Differences 0.5, 0.6, 0.4 are sure, though either model's own spread is 1; 0.5, -0.4, 0.1 are not."""
    frame = rows(a=lower, b=higher)
    assert Claim("a is better", FORECAST, "a", "b").verdict(frame) == verdict


def test_tables_hold_mean_spread_and_the_papers_number():
    day = Measure("forecast", "rrmse_percent_T25", "day 25", "LB30_S1")
    frame = rows(**{"autoencoder": [18.0, 20.0], "sparta_early_hn_cycle, equal steps": [15.0, 15.0]})
    frame["metric"] = "rrmse_percent_T25"
    table = beside_the_paper(frame, [day], published())
    assert table.loc["autoencoder", "day 25"] == "19 ± 1.4 (19.7)"
    theirs = published().set_index(["model", "setup", "metric"]).value
    theirs = theirs["sparta_early_hn_cycle", "LB30_S1", "rrmse_percent_T25"]
    assert table.iloc[1, 0] == f"15 ± 0 ({theirs:.3g})"
    claim = Claim("better", day, "sparta_early_hn_cycle, equal steps", "autoencoder")
    row = verdicts([claim], frame, published()).loc["better"]
    assert row["here"] == "15 < 19?" and row["verdict"].startswith("holds") and row["paper"].endswith("< 19.7")


def test_a_measure_that_the_paper_does_not_have():
    frame, skill = rows(a=[1.0, 3.0], b=[2.0, 4.0]).assign(metric="skill_T5"), Measure("forecast", "skill_T5", "skill")
    assert verdicts([Claim("a is lower", skill, "a", "b")], frame, published()).paper.item() == ""
    assert verdicts([], frame, published()).empty
    table = beside_the_paper(frame, [skill], published())
    assert table.loc["a", "skill"] == f"2 ± {np.sqrt(2):.2g}"


def test_baselines_that_see_whole_fields_count_for_every_setup():
    frame = rows(a=[1.0], b=[2.0], climatology=[3.0])
    frame["setup"] = ["LB30_S1", "LB5_S5", "whole fields"]
    day = Measure("forecast", "rrmse_percent_T5", "day 5", "LB30_S1", WHOLE_FIELDS)
    assert list(day.of(frame).model) == ["a", "climatology"]


def test_another_setup_that_begins_alike_is_another():
    """Windows every day and every ten, the usual share masked and none."""
    frame = rows(a=[1.0], b=[2.0], c=[3.0], climatology=[4.0])
    frame["setup"] = ["LB5_S1", "LB5_S10", "LB5_S1_mask0", "whole fields"]
    measure = Measure("forecast", "rrmse_percent_T5", "day 5", "LB5_S1", WHOLE_FIELDS)
    assert list(measure.of(frame).model) == ["a", "climatology"]
    assert list(Measure("forecast", "rrmse_percent_T5", "day 5").of(frame).model) == ["a", "b", "c", "climatology"]


def test_training_is_told_by_its_epochs(tiny):
    e = tiny(pretrain_epochs=4, blend_epochs=5, decoder_epochs=6, autoencoder_epochs=7)
    assert training(e) == "4/5/6"
    assert training(e.replace(objective="autoencoder")) == "7"


def test_the_papers_variants_by_name(tiny):
    base = tiny(blend_epochs=7)
    assert list(losses_variants(base)) == [
        "autoencoder", "sparta_early", "sparta_early_cycle", "sparta_early_hn", "sparta_early_hn_cycle"]
    fused = fusion_variants(base)
    assert list(fused) == ["autoencoder", *(f"sparta_{f}_hn_cycle" for f in ("early", "attention", "gnn"))]
    assert all(one.blend_epochs == 7 for one in fused.values())
    plain = losses_variants(base)["sparta_early"]
    assert not plain.hard_negatives and not plain.cycle_weight


def test_the_papers_models_stand_beside_another_on_the_same_days(tiny):
    ours = Experiment.from_preset("demo", seed=3, fusion="gnn", look_back=5, stride=5, data="mine.nc")
    found = models(ours)
    paper = Experiment.from_preset("paper_demo", seed=3, fusion="gnn", look_back=5, stride=5, data="mine.nc")
    assert found == {"SPARTA-OI": ours, "paper's SPARTA": paper,
                     "paper's autoencoder": paper.replace(objective="autoencoder")}  # fmt: skip
    assert next(iter(models(ours.replace(objective="contrastive")))) == "SPARTA-OI_gnn_hn_cycle"
    assert list(models(paper)) == ["paper's SPARTA", "paper's autoencoder"] and models(paper)["paper's SPARTA"] == paper
    for preset in PRESETS:
        one = models(Experiment.from_preset(preset))
        assert len({(two.days, two.split, two.downstream_split, two.leads) for two in one.values()}) == 1


@pytest.mark.parametrize("changes", [
    {"gaps": True}, {"sparsity": "swaths", "swaths": 9}, {"sparsity": "stations", "stations": "mine.csv"},
    {"noise": 0.1, "noise_length": 500.0}, {"noise": 0.2, "variable_dropout": 0.1},
], ids=str)
def test_the_papers_models_see_what_the_other_sees(changes):
    """Also what has places on the globe, which the paper's own mask grid has not; without it that stays the paper's."""
    ours, *theirs = models(Experiment.from_preset("demo", **changes)).values()
    for one in theirs:
        assert {name: getattr(one, name) for name in changes} == changes
        assert one.mask_grid == ("enlarged" if "variable_dropout" in changes else ours.mask_grid)


def test_only_trained_variants_are_found(tiny):
    from sparta_core.training.stages import autoencoder

    variants = losses_variants(tiny(autoencoder_epochs=1))
    assert trained(variants) == {}
    autoencoder(variants["autoencoder"])
    assert list(trained(variants)) == ["autoencoder"]
