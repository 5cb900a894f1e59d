"""The leading patterns of days: numpy's, in float64, of the covariance as it is and damped with distance."""

import numpy as np
import pytest
import torch

from sparta_core.data.domain import Domain
from sparta_core.localised import localised_eofs
from sparta_core.modes import eofs
from tests.globe import axes

GRID = (6, 12)
PLACES = Domain(*axes(*GRID)).positions().flatten(0, 1)
VALUES = 2 * len(PLACES)


def squared_chord():
    """By haversines, on the unit sphere."""
    latitude, longitude = (np.deg2rad(axis).ravel() for axis in np.meshgrid(*axes(*GRID), indexing="ij"))
    return 4 * (np.sin((latitude[:, None] - latitude) / 2) ** 2
                + np.cos(latitude[:, None]) * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2)


def weather(days):
    """Days (T, 2 x 72), float32, of two smooth variables; the second is larger and follows the first eastwards."""
    generator = np.random.default_rng(0)
    root = np.linalg.cholesky(np.exp(-squared_chord() / 2 / 0.6**2) + 1e-6 * np.eye(len(PLACES)))
    first, own = (generator.normal(size=(days, len(PLACES))) @ root.T for _ in range(2))
    moved = np.roll(first.reshape(days, *GRID), 2, axis=2).reshape(days, -1)
    return torch.from_numpy(np.concatenate([first, moved + 2 * own], axis=1)).float()


def damped(x, length):
    """The sample's covariance, block by block of variables, in float64, its eigenvalues and -vectors, leading first."""
    variables = x.double().numpy().reshape(len(x), 2, -1)
    blocks = [[sum(np.outer(day[a], day[b]) for day in variables) / len(x) * np.exp(-squared_chord() / 2 / length**2)
               for b in range(2)] for a in range(2)]  # fmt: skip
    covariance = np.block(blocks)
    values, vectors = np.linalg.eigh(covariance)
    return covariance, values[::-1], vectors[:, ::-1].T


def explained(patterns, covariance):
    p = patterns.double().numpy()
    return p @ covariance @ p.T


def assert_orthonormal(patterns):
    torch.testing.assert_close(patterns @ patterns.T, torch.eye(len(patterns)), atol=2e-5, rtol=0)


@pytest.mark.parametrize("shape", [(200, 30), (30, 200), (40, 40)])
def test_eofs_are_numpys_right_singular_vectors(shape):
    x = torch.from_numpy(np.random.default_rng(1).normal(size=shape) * np.logspace(0, -1, shape[1])).float()
    made = eofs(x, 12)
    expected = np.linalg.svd(x.double().numpy(), full_matrices=False)[2][:12]
    overlap = (made.double().numpy() * expected).sum(1)
    np.testing.assert_allclose(np.abs(overlap), 1, atol=1e-4)
    assert_orthonormal(made)


def test_there_are_no_more_eofs_than_days_vary_in():
    low = torch.randn(50, 3, generator=torch.Generator().manual_seed(0)) @ torch.randn(3, 20)
    assert len(eofs(low, 10)) == len(eofs(low.T.contiguous(), 10)) == 3
    assert len(eofs(low, 2)) == 2
    assert eofs(torch.zeros(50, 20), 10).shape == (0, 20)
    assert eofs(torch.zeros(20, 50), 10).shape == (0, 50)


def test_believed_at_any_distance_the_covariance_is_the_samples():
    x = weather(300)
    patterns, values = localised_eofs(x, 20, PLACES, 1e6)
    _, singular, expected = np.linalg.svd(x.double().numpy(), full_matrices=False)
    np.testing.assert_allclose(values, singular[:20] ** 2 / 300, rtol=1e-4)
    np.testing.assert_allclose(np.abs((patterns.double().numpy() * expected[:20]).sum(1)), 1, atol=1e-3)
    assert_orthonormal(patterns)


@pytest.mark.parametrize(("days", "count"), [(300, 20), (300, 60), (30, 20), (30, 60)])
def test_localised_eofs_are_the_damped_covariances_eigenvectors(days, count):
    """Also where there are fewer days than modes: damped, the covariance has a higher rank than there are days."""
    x = weather(days)
    patterns, values = localised_eofs(x, count, PLACES, 1.26)
    covariance, expected, vectors = damped(x, 1.26)
    np.testing.assert_allclose(values, expected[:count], rtol=0.02)
    np.testing.assert_allclose(values[:10], expected[:10], rtol=1e-3)
    overlap = np.abs((patterns.double().numpy()[:10] * vectors[:10]).sum(1))
    assert overlap.min() > 0.998
    made = explained(patterns, covariance)
    assert np.trace(made) > 0.9995 * expected[:count].sum()
    assert_orthonormal(patterns)
    assert not np.allclose(expected[:count], damped(x, 1e6)[1][:count], rtol=0.1)  # damping matters


@pytest.mark.parametrize("days", [300, 30])
def test_eigenvalues_are_the_variances_of_uncorrelated_scores(days):
    x = weather(days)
    patterns, values = localised_eofs(x, 60, PLACES, 0.5)
    made = explained(patterns, damped(x, 0.5)[0])
    np.testing.assert_allclose(made, np.diag(values), atol=1e-5 * float(values[0]))
    assert (values.diff() <= 0).all() and values[-1] > 0


@pytest.mark.parametrize("days", [300, 30])
def test_little_variance_is_lost_where_eigenvalues_fall_slowly(days):
    """Three sweeps from the EOFs do not separate neighbours, and need not: what counts is what all explain."""
    x = weather(days)
    patterns, _ = localised_eofs(x, 40, PLACES, 0.5)
    covariance, expected, _ = damped(x, 0.5)
    assert np.trace(explained(patterns, covariance)) > 0.995 * expected[:40].sum()


def test_all_modes_are_the_whole_covariance():
    x = weather(100)
    patterns, values = localised_eofs(x, VALUES, PLACES, 1.26)
    covariance, expected, _ = damped(x, 1.26)
    assert len(patterns) == len(localised_eofs(x, VALUES + 50, PLACES, 1.26)[0]) == VALUES
    p = patterns.double().numpy()
    np.testing.assert_allclose(p.T @ np.diag(values) @ p, covariance, atol=1e-5 * expected[0])
