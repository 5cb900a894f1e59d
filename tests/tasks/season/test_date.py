"""Seasons by the date: normal densities in float64, days whose date is certain, and a temperature that is the best."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from sparta_core import optimal_interpolation
from sparta_core.data.climatology import climatology_at, days_of_year
from sparta_core.data.sample import Sample
from sparta_core.errors import ExperimentError
from sparta_core.evaluation.plan import costs, train
from sparta_core.experiment import Experiment
from sparta_core.tasks import task_of
from sparta_core.tasks.season import date, season_probabilities
from sparta_core.tasks.season.date import YEAR, Date, date_likelihoods
from sparta_core.tasks.season.labels import seasons
from sparta_core.training.modes import modes_of
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation


@pytest.fixture
def experiment(globe):
    return globe(classifier="date")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_likelihoods_are_those_of_the_normal_density(experiment, monkeypatch):
    """scipy's, of what is observed, with the covariance written out and the anomaly from every date's climatology."""
    for close in ("CLOSE", "CLOSE_EVERYWHERE"):
        monkeypatch.setattr(optimal_interpolation, close, 1e-12)
    record, model = open_record(experiment), representation(experiment)
    days = record.full(slice(40, 42))
    made = date_likelihoods(model, days, 0.95, generator())
    values, observed = model.views.sparse(days, generator(), 0.95).chunk(2, dim=1)
    patterns, variance, error = (x.double() for x in modes_of(experiment, record)[:3])
    covariance = patterns.T * variance @ patterns + torch.diag(error.repeat_interleave(16 * 32))
    some = np.array([0, 40, 180, 364])
    climatology = climatology_at(record.climatology, YEAR[some], record.clock).double().flatten(1)
    for day in range(2):
        mask = observed[day].flatten().bool()
        inner = covariance[mask][:, mask].numpy()
        x = (values[day].double().flatten() - climatology)[:, mask].numpy()
        expected = multivariate_normal(cov=inner).logpdf(x)
        mine = made[day, some].numpy()
        np.testing.assert_allclose(mine - mine[0], expected - expected[0], atol=0.02, rtol=1e-4)


def test_a_day_that_is_its_dates_climatology_is_of_that_date_and_season(experiment):
    model = representation(experiment)
    days = np.array(["2003-01-20", "2003-04-20", "2003-07-20", "2003-10-20"], dtype="datetime64[D]")
    usual = Sample.of(open_record(experiment).climatology_of(days), days)
    dates = date_likelihoods(model, usual, 0.5, generator()).argmax(1)
    assert np.abs(dates.numpy() + 1 - days_of_year(days)).max() <= 1  # a year has not whole days
    logits = Date().logits(model, Date().state(model), usual, 0.5, generator())
    assert logits.argmax(1).tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(4, dtype=torch.float64))


def test_a_day_of_which_nothing_is_observed_may_be_any(experiment):
    """Then seasons are as likely as they are long."""
    model, masked = representation(experiment), Sample.of(torch.full((1, 5, 16, 32), torch.nan))
    made = Date().logits(model, Date().state(model), masked).exp()
    torch.testing.assert_close(made, torch.tensor([[90, 92, 92, 91]]).double() / 365)


@pytest.mark.parametrize("most", [200, 60])
def test_the_temperature_is_the_best_of_the_validation_days(experiment, monkeypatch, most):
    """Of 120 of them, and of 60 where no more are taken, from the first to the last."""
    monkeypatch.setattr(date, "MOST", most)
    record, model = open_record(experiment), representation(experiment)
    best, which = float(date.best_temperature(record, model)), np.linspace(0, 119, min(most, 120)).round().astype(int)
    ratios = date.draw_ratios(len(which), experiment.classification_mask_ratio, draws := generator(experiment.seed))
    logs = date_likelihoods(model, record.full(record.splits["validation"])[which], ratios, draws)
    truth = seasons(record, "validation")[which]

    def cross_entropy(divisor):
        dates = (logs / divisor).softmax(1).numpy()
        labels = (YEAR.astype("datetime64[M]").astype(int) % 12 + 1) // 3 % 4
        chosen = [dates[day][labels == season].sum() for day, season in enumerate(truth.tolist())]
        return -np.log(chosen).mean()

    assert 1 <= best <= date.HOTTEST
    around = [cross_entropy(best * factor) for factor in (1, 0.8, 1.25)]
    assert around[0] <= min(around[1:])


def test_it_is_planned_kept_and_scored_as_any_classifier(experiment, monkeypatch):
    task = task_of(experiment, "classification")
    assert task.trainings(experiment) == [] and task.runs(experiment) == [run_of(experiment, "classification")]
    assert task.baselines(experiment) == run_of(experiment, "baselines", "-classification-train")
    train(experiment, "classification")
    assert not list(costs(experiment, ["classification"]))
    monkeypatch.setattr(date, "best_temperature", lambda *_: pytest.fail("calibrated again"))
    scores, made = task.score(experiment, (0.5,)), season_probabilities(experiment, 0.5)
    right = (made.argmax(1) == seasons(open_record(experiment), "downstream_test")).double().mean()
    assert float(scores.accuracy[0]) == pytest.approx(float(right))


def test_without_a_climatology_it_is_refused():
    with pytest.raises(ExperimentError, match=r"classifier is 'date'.*anomalies='climatology'"):
        Experiment(classifier="date")
