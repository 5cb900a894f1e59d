"""How wrong the dynamics are, against sums over days by hand."""

import numpy as np
import pytest
import torch

from sparta_core import open_record
from sparta_core.tasks.assimilation.fitted import trained_system
from sparta_core.tasks.assimilation.model_errors import covariance_of, step_errors, taper_of
from sparta_core.tasks.forecast import trained_forecaster


@pytest.fixture(scope="module")
def experiment(globe):
    return globe(backbone="none", autoencoder_epochs=0, assimilation_members=6)


@pytest.fixture(scope="module")
def forecaster(experiment):
    return trained_forecaster(experiment, 0)


def one_by_one(record, forecaster, part):
    """Errors (T, K) of a step from whole days, a day at a time, of the dynamics and of the linear inverse model."""
    patterns, network = forecaster.network.patterns, forecaster.network
    scores = record.split(part).values.flatten(1) @ patterns.T
    learned, linear = [], []
    for day in range(3, len(scores)):
        coming = record.climatology_ahead(record.dates(torch.tensor([record.splits[part].start + day - 1])), 1)
        learned.append(scores[day] - network(scores[None, day - 3 : day], coming)[0, 0])
        linear.append(scores[day] - scores[day - 1] @ network.step)
    return torch.stack(learned), torch.stack(linear)


@torch.no_grad()
def test_errors_are_those_of_training_days_as_large_as_on_validation_days(experiment, forecaster):
    record, patterns = open_record(experiment), forecaster.network.patterns
    made = step_errors(record, forecaster.network)
    train, validation = (one_by_one(record, forecaster, part) for part in ("train", "validation"))
    for deviations, trained, held_out in zip(made, train, validation, strict=True):
        assert len(deviations) <= len(patterns)
        fields, there = ((errors @ patterns).unflatten(1, (5, -1)) for errors in (trained, held_out))
        larger = (there.square().mean((0, 2)) / fields.square().mean((0, 2))).sqrt()
        errors = (fields * larger[:, None]).flatten(1) @ patterns.T
        expected = errors.T @ errors / len(errors)
        torch.testing.assert_close(deviations.T @ deviations, expected, rtol=1e-3, atol=1e-5 * float(expected.max()))


def test_a_taper_over_the_whole_globe_leaves_the_covariance_and_a_short_one_the_variance(experiment, forecaster):
    record, patterns = open_record(experiment), forecaster.network.patterns
    errors = torch.randn(200, len(patterns), generator=torch.Generator().manual_seed(0))
    whole = covariance_of(errors, patterns, taper_of(record, 1e6))
    plain = errors.T @ errors
    torch.testing.assert_close(whole, 0.7 * plain + 0.3 * torch.diag(plain.diagonal()), rtol=1e-3, atol=0.05)
    short = covariance_of(errors, patterns, taper_of(record, 3000.0))
    places = taper_of(record, 3000.0)
    np.testing.assert_allclose(places.square().sum(0), 1, rtol=1e-5)
    assert float(short.trace() / whole.trace()) < 1.01


def test_what_is_kept_makes_the_system(experiment, forecaster):
    """A covariance that can be rooted, as large as inflation says, and the climate as the modes have it."""
    system = trained_system(experiment)
    root = system.model_error_root
    torch.testing.assert_close(root @ root.T, system.model_error, rtol=1e-4, atol=1e-6)
    errors, _ = step_errors(open_record(experiment), forecaster.network)
    assert 0.3 < float(system.model_error.trace() / errors.square().sum()) < 10
    torch.testing.assert_close((system.climate_root @ system.climate_root.T).diagonal(), system.variance)
    assert system.lags == 3 and torch.equal(system.linear, forecaster.network.step)
