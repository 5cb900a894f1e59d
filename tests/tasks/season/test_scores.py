"""Season scores against numbers worked by hand, and baselines on days whose season is plain to see."""

import json

import numpy as np
import pytest
import torch
import xarray as xr

from sparta_core.data.sample import Sample
from sparta_core.errors import DataError
from sparta_core.files import sealed
from sparta_core.tasks import season as module
from sparta_core.tasks import task_of
from sparta_core.tasks.season import Season, classification_scores, season_probabilities
from sparta_core.tasks.season.baselines import LOGISTIC, MEANS, ON_SCORES, fit_classifiers, fit_means, fit_on_scores
from sparta_core.tasks.season.labels import seasons
from sparta_core.tasks.season.scores import RELIABILITY, reliability, season_scores
from sparta_core.training.cached import load_scores
from sparta_core.training.records import open_record, run_of, views_of

SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)
SETTINGS |= {"classification_widths": (12, 6), "classification_epochs": 1, "split": (0.2, 0.17),
             "downstream_split": (0.85, 0.05)}
TRUTH = np.array([0, 0, 1, 2])
GUESSES = np.array([[0.7, 0.1, 0.1, 0.1], [0.3, 0.4, 0.2, 0.1], [0.1, 0.75, 0.1, 0.05], [0.0, 0.0, 1.0, 0.0]])


def test_scores_worked_by_hand():
    made = season_scores(GUESSES, TRUTH)
    assert made.cross_entropy.item() == pytest.approx(-np.log([0.7, 0.3, 0.75, 1.0]).mean())
    assert made.accuracy.item() == 0.75
    # F1: winter 2/3 (precision 1, recall 1/2), spring 2/3 (1/2, 1), summer 1; no day is autumn.
    assert made.macro_f1.item() == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert made.confusion.values.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert made.confusion.sel(season="DJF", predicted="MAM").item() == 1


def wilson(hits, days):
    """The 95 % interval of a share, as Wilson (1927) has it."""
    z, share = 1.959963984540054, hits / days
    middle, half = share + z**2 / (2 * days), z * np.sqrt(share * (1 - share) / days + z**2 / (4 * days**2))
    return [(middle - half) / (1 + z**2 / days), (middle + half) / (1 + z**2 / days)]


def test_reliability_worked_by_hand():
    """20 days at 0.95, 18 right; 8 at 0.85, 9 at 0.75 and 3 at 0.45, of which 5, 4 and none are right, join."""
    sure = np.repeat([0.45, 0.75, 0.85, 0.95], [3, 9, 8, 20])
    right = np.concatenate([np.arange(n) < k for n, k in ((3, 0), (9, 4), (8, 5), (20, 18))])
    shuffled = np.random.default_rng(0).permutation(len(sure))
    made = reliability(sure[shuffled], right[shuffled])
    assert made["days"][:2].tolist() == [20, 20] and all(np.isnan(values[2:]).all() for values in made.values())
    assert made["confidence"][:2] == pytest.approx([(3 * 0.45 + 9 * 0.75 + 8 * 0.85) / 20, 0.95])
    assert made["hits"][:2] == pytest.approx([9 / 20, 18 / 20])
    found = np.stack([made["hits_low"], made["hits_high"]], 1)[:2]
    assert found == pytest.approx(np.array([wilson(9, 20), wilson(18, 20)]))
    assert found[1] == pytest.approx([0.699, 0.972], abs=5e-4)  # as published for 18 of 20


@pytest.mark.parametrize(("days", "bins"), [(14, []), (15, [15]), (29, [29]), (30, [15, 15])])
def test_no_bin_has_fewer_than_fifteen_days(days, bins):
    """Half of the days at 0.91, half at 0.81; of fewer than fifteen in all nothing is said."""
    made = reliability(np.where(np.arange(days) % 2, 0.81, 0.91), np.ones(days, dtype=bool))
    assert made["days"][np.isfinite(made["days"])].tolist() == bins
    assert np.isfinite(made["hits"]).sum() == len(bins)


def test_reliability_is_of_the_season_that_was_chosen():
    """Twenty days each at 0.7, 0.75 and 1, which are right, and at 0.4, which are not."""
    made = season_scores(np.tile(GUESSES, (20, 1)), np.tile(TRUTH, 20))
    assert made.days.values[:3].tolist() == [20, 40, 20] and made.hits.values[:3].tolist() == [0, 1, 1]
    assert made.confidence.values[:3] == pytest.approx([0.4, 0.725, 1])


def test_scores_with_other_bins_are_scored_again(tiny):
    """As they were kept before bins had fifteen days: without their intervals."""
    experiment = tiny(**SETTINGS)
    models = {"SPARTA-OI": experiment}
    made = classification_scores(models, (0.3,))
    trained_on = {"trained_on": list(experiment.classification_mask_ratio)}
    for run, extra in ((run_of(experiment, "classification"), {}),
                       (run_of(experiment, "baselines", "-classification"), trained_on)):  # fmt: skip
        old = load_scores(run.path(module.FILE)).drop_vars(RELIABILITY)
        old.attrs["scored_with"] = json.dumps({"ratios": [0.3], **extra}, sort_keys=True)
        run.write(module.FILE, sealed(bytes(old.to_netcdf(engine="h5netcdf"))))
    assert classification_scores(models, (0.3,)).equals(made)


def test_nan_is_refused():
    bad = GUESSES.copy()
    bad[2, 1] = np.nan
    with pytest.raises(DataError, match="NaN"):
        season_scores(bad, TRUTH)


def test_every_model_and_ratio_scored_once(tiny, monkeypatch):
    experiment = tiny(**SETTINGS)
    models = {"SPARTA": experiment, "autoencoder": experiment.replace(objective="autoencoder")}
    made = classification_scores(models, (0.3, 0.9))
    assert list(made.model.values) == ["SPARTA", "autoencoder", LOGISTIC, MEANS]
    record = open_record(experiment)
    test = record.splits["downstream_test"]
    truth = record.season[test.start : test.stop]
    expected = season_scores(season_probabilities(experiment, 0.9), truth)
    assert made.cross_entropy.sel(model="SPARTA", ratio=0.9).item() == pytest.approx(expected.cross_entropy.item())
    assert (made.confusion.sum("predicted").sel(model=MEANS, ratio=0.3) == np.bincount(truth, minlength=4)).all()
    # A distance is no probability: what needs one is left out.
    assert made.cross_entropy.sel(model=MEANS).isnull().all()
    assert not made.accuracy.isnull().any()

    def never(*_):
        raise AssertionError("scored twice")

    monkeypatch.setattr(module, "scores_by_ratio", never)
    assert classification_scores(models, (0.3, 0.9)).equals(made)


def test_baselines_read_seasons_that_are_plain_to_see(tiny, write_weather, tmp_path):
    """Every season 30 K warmer than the last: read off nine tenths masked; of days that are shuffled, guessed."""
    data = xr.load_dataset(write_weather(days=1100))
    season = (data["time.month"] % 12 // 3).astype("float32")
    split = {"split": (0.2, 0.1), "downstream_split": (0.6, 0.1)}
    shuffled = np.random.default_rng(0).permutation(season)
    for name, shift, low, high in (("plain", season.values, 0.9, 1.0), ("none", shuffled, 0.0, 0.6)):
        warmer = data.assign({"2m_temperature": data["2m_temperature"] + xr.DataArray(30 * shift - 45, dims="time")})
        warmer["2m_temperature"].attrs = data["2m_temperature"].attrs
        warmer.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        experiment = tiny(**(SETTINGS | split | {"data": str(tmp_path / f"{name}.nc")}))
        accuracy = task_of(experiment, "classification").score_baselines(experiment, (0.9,)).accuracy
        assert ((accuracy >= low) & (accuracy <= high)).all(), (name, accuracy.values)


def test_the_nearest_mean_is_over_what_is_observed(tiny):
    """A day whose observed values are those of one season's mean is of that season, whatever lies masked."""
    experiment = tiny(**SETTINGS)
    record = open_record(experiment)
    labels, days = seasons(record, "downstream_train"), record.split("downstream_train").values
    there = labels.unique().tolist()
    means = torch.stack([days[labels == season].mean(0) for season in there])
    mask = torch.rand(means.shape, generator=torch.Generator().manual_seed(0)) > 0.9
    observed = Sample(torch.where(mask, means, 1e3), mask.float(), torch.arange(len(there)))
    made = fit_means(experiment, record, views_of(experiment))(observed)
    assert made.argmax(1).tolist() == there


def test_days_of_a_single_season_are_refused(tiny):
    experiment = tiny(**(SETTINGS | {"downstream_split": (0.05, 0.4)}))
    with pytest.raises(DataError, match="all downstream_train days are of season"):
        task_of(experiment, "classification").score_baselines(experiment, (0.3,))


def test_logistic_regression_on_scores_is_a_baseline_of_the_linear_path(globe):
    """It tells the seasons as far as its modes show them: those of anomalies from the mean, autumn being spring."""
    experiment = globe(anomalies="mean", forecaster="lstm")
    fitting = experiment, open_record(experiment), views_of(experiment)
    assert list(fit_classifiers(*fitting)) == [LOGISTIC, MEANS, ON_SCORES]
    (_, record, views), classify, days = fitting, fit_on_scores(*fitting), torch.arange(0, 360, 9)
    for ratio in (0.0, 0.8):
        made = classify(views.observe(record.full(days), torch.Generator().manual_seed(5), ratio))
        assert np.allclose(made.sum(1), 1)
        assert (made.argmax(1) == record.season[days]).mean() > 0.6


def test_rows_are_means_over_the_ratios(tiny):
    """Of distances to means, which say nothing of how sure they are, there is no cross-entropy."""
    experiment = tiny(**SETTINGS)
    task = task_of(experiment, "classification")
    own, baselines = task.score(experiment, (0.3, 0.9)), task.score_baselines(experiment, (0.3, 0.9))
    names = ("cross_entropy", "accuracy", "macro_f1")
    assert json.loads(own.attrs["rows"]) == [
        ["", "mask0.3-0.9", name, pytest.approx(own[name].values.mean())] for name in names]
    assert json.loads(baselines.attrs["rows"]) == [
        [model, "mask0.3-0.9", name, pytest.approx(baselines[name].sel(model=model).values.mean())]
        for model in (LOGISTIC, MEANS) for name in names if (model, name) != (MEANS, "cross_entropy")]  # fmt: skip
    assert own.attrs["task"] == baselines.attrs["task"] == "classification"


def test_the_task_says_what_it_trains_shows_and_should_reach(tiny, monkeypatch):
    """Targets are means over the experiments, of the share of wrong seasons at each ratio."""
    experiments = [tiny(**SETTINGS, seed=seed) for seed in (0, 1)]
    first, task = experiments[0], task_of(experiments[0], "classification")
    ((run, _),) = task.trainings(first)
    assert run == run_of(first, "classification") and task.runs(first) == [run]
    assert task.baselines(first) == run_of(first, "baselines", "-classification") and task.benchmark == LOGISTIC
    assert [(measure.metric, measure.label) for measure in task.measures(experiments[0])] == [
        ("cross_entropy", "season, cross-entropy")]  # fmt: skip
    ratios = {"ratio": [0.2, 0.5, 0.7, 0.9]}
    right = {seed: xr.Dataset({"accuracy": ("ratio", [0.9, 0.8, 0.7, 0.6 - 0.2 * seed])}, ratios) for seed in (0, 1)}
    theirs = xr.Dataset({"accuracy": (("model", "ratio"), [[0.5] * 4, [0.6] * 4])}, {"model": ["a", "b"], **ratios})
    monkeypatch.setattr(Season, "score", lambda _, one, asked: right[one.seed].sel(ratio=list(asked)))
    monkeypatch.setattr(Season, "score_baselines", lambda _, one, asked: theirs.sel(ratio=list(asked)))
    targets = list(task.targets(experiments))
    assert [target.name for target in targets] == ["wrong seasons below a", "wrong seasons below b"]
    for target, limit in zip(targets, (0.5, 0.4), strict=True):
        assert target.error.values == pytest.approx([0.1, 0.2, 0.3, 0.5])
        assert target.limit.values == pytest.approx([limit] * 4)
