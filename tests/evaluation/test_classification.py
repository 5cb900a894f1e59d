"""Season scores against numbers worked by hand, and baselines on days whose season is plain to see."""

import numpy as np
import pytest
import torch
import xarray as xr

from sparta_core.downstream.classification import season_probabilities
from sparta_core.errors import DataError
from sparta_core.evaluation import classification as module
from sparta_core.evaluation.classification import baseline_classification, classification_scores, season_scores
from sparta_core.evaluation.interpolation import ObservationGrid, Observed
from sparta_core.evaluation.seasons import (
    LOGISTIC,
    MEANS,
    ON_SCORES,
    fit_classifiers,
    fit_means,
    fit_on_scores,
    seasons,
)
from sparta_core.training.workbench import Workbench

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


def test_reliability_worked_by_hand():
    """Largest probabilities 0.7, 0.4, 0.75 and 1: bins 7, 4, 7 and the last; hits 1, 0, 1, 1."""
    made = season_scores(GUESSES, TRUTH)
    assert made.share.values.tolist() == [0, 0, 0, 0, 0.25, 0, 0, 0.5, 0, 0.25]
    assert made.confidence.values[[4, 7, 9]] == pytest.approx([0.4, 0.725, 1.0])
    assert made.hits.values[[4, 7, 9]].tolist() == [0, 1, 1] and np.isnan(made.hits.values[0])


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
    fields = Workbench.of(experiment).fields
    test = fields.splits["downstream_test"]
    truth = fields.season[test.start : test.stop]
    expected = season_scores(season_probabilities(experiment, 0.9), truth)
    assert made.cross_entropy.sel(model="SPARTA", ratio=0.9).item() == pytest.approx(expected.cross_entropy.item())
    assert (made.confusion.sum("predicted").sel(model=MEANS, ratio=0.3) == np.bincount(truth, minlength=4)).all()
    # A distance is no probability: what needs one is left out.
    assert made.cross_entropy.sel(model=MEANS).isnull().all()
    assert not made.accuracy.isnull().any()

    def never(*_):
        raise AssertionError("scored twice")

    monkeypatch.setattr(module, "_against_ratio", never)
    assert classification_scores(models, (0.3, 0.9)).equals(made)


def test_baselines_read_seasons_that_are_plain_to_see(tiny, write_weather, tmp_path):
    """Every season 30 K warmer than the last: read off nine tenths hidden; of days that are shuffled, guessed."""
    data = xr.load_dataset(write_weather(days=1100))
    season = (data["time.month"] % 12 // 3).astype("float32")
    split = {"split": (0.2, 0.1), "downstream_split": (0.6, 0.1)}
    shuffled = np.random.default_rng(0).permutation(season)
    for name, shift, low, high in (("plain", season.values, 0.9, 1.0), ("none", shuffled, 0.0, 0.6)):
        warmer = data.assign({"2m_temperature": data["2m_temperature"] + xr.DataArray(30 * shift - 45, dims="time")})
        warmer["2m_temperature"].attrs = data["2m_temperature"].attrs
        warmer.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        experiment = tiny(**(SETTINGS | split | {"data": str(tmp_path / f"{name}.nc")}))
        accuracy = baseline_classification(experiment, (0.9,)).accuracy
        assert ((accuracy >= low) & (accuracy <= high)).all(), (name, accuracy.values)


def test_the_nearest_mean_is_over_what_is_seen(tiny):
    """A day whose seen values are those of one season's mean is of that season, whatever lies hidden."""
    bench = Workbench.of(tiny(**SETTINGS))
    grid = ObservationGrid.of("native", bench.fields, bench.views)
    labels = seasons(bench, "downstream_train")
    days = bench.fields.split("downstream_train")
    there = labels.unique().tolist()
    means = torch.stack([days[labels == season].mean(0) for season in there])
    seen = torch.rand(means.shape, generator=torch.Generator().manual_seed(0)) > 0.9
    values = torch.where(seen, means, 1e3)
    made = fit_means(bench, grid)(Observed(grid, values, seen, torch.arange(len(there))))
    assert made.argmax(1).tolist() == there


def test_days_of_a_single_season_are_refused(tiny):
    experiment = tiny(**(SETTINGS | {"downstream_split": (0.05, 0.4)}))
    with pytest.raises(DataError, match="all downstream_train days are of season"):
        baseline_classification(experiment, (0.3,))


def test_logistic_regression_on_scores_is_a_baseline_of_the_linear_path(globe):
    """It tells the seasons as far as its modes show them: those of departures from the mean, autumn being spring."""
    bench = Workbench.of(globe(departures="mean", forecaster="lstm"))
    grid = ObservationGrid.of("native", bench.fields, bench.views)
    assert list(fit_classifiers(bench, grid)) == [LOGISTIC, MEANS, ON_SCORES]
    classify, days = fit_on_scores(bench, grid), torch.arange(0, 360, 9)
    for ratio in (0.0, 0.8):
        made = classify(Observed.draw(grid, bench.fields, days, ratio, 5, whole=True))
        assert np.allclose(made.sum(1), 1)
        assert (made.argmax(1) == bench.fields.season[days]).mean() > 0.6
