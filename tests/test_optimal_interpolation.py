"""Optimal interpolation: dense solves and Gaussian conditional means in float64."""

import numpy as np
import pytest
import torch

from sparta_core import optimal_interpolation
from sparta_core.modes import Modes
from sparta_core.optimal_interpolation import OptimalInterpolation
from tests.sparse import some_modes, sparse_days


def dense(modes, values, seen):
    """The normal equations of each day, solved by numpy: (P' diag(m/R) P + diag(1/v)) z = P' diag(m/R) y."""
    patterns, variance, error = (x.double().numpy() for x in modes[:3])
    trust = np.repeat(1 / error, patterns.shape[1] // len(error))
    made = []
    for y, m in zip(values.flatten(1).double().numpy(), seen.flatten(1).double().numpy(), strict=True):
        left = (patterns * m * trust) @ patterns.T + np.diag(1 / variance)
        made.append(np.linalg.solve(left, patterns @ (m * trust * y)))
    return torch.from_numpy(np.stack(made))


def off(made, expected):
    """The largest distance of a day's scores from the expected ones, as a share of these."""
    return float(((made - expected).norm(dim=1) / expected.norm(dim=1).clamp_min(1e-9)).max())


@pytest.fixture(params=["cheapest", "by_factor", "by_observations", "by_modes"])
def way(request, monkeypatch):
    """Each way for all days, and the choice among them."""
    if request.param != "cheapest":
        solve = getattr(optimal_interpolation, request.param)
        monkeypatch.setattr(optimal_interpolation, "cheapest", lambda *_: solve)
    return request.param


def energy(modes, scores, seen):
    """Of scores (T, K) where days are observed, mean over the days, by mode: 1 is a posterior's (float64)."""
    patterns, variance, error = (x.double() for x in modes[:3])
    fields = (scores.double() @ patterns).square() * seen.flatten(1) / error.repeat_interleave(seen[0, 0].numel())
    return float((fields.sum(1) + (scores.double().square() / variance).sum(1)).mean()) / len(variance)


def days_of(modes, days=12, shape=(3, 8, 16)):
    """True scores, and values drawn with them, of which half to nearly all are missing."""
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(days, len(modes.variance), generator=generator) * modes.variance.sqrt()
    error = modes.error[:, None, None].sqrt() * torch.randn(days, *shape, generator=generator)
    missing = torch.linspace(0.5, 0.97, days)[:, None, None, None]
    seen = (torch.rand(days, *shape, generator=generator) >= missing).float()
    return scores, ((scores @ modes.patterns).view(days, *shape) + error) * seen, seen


def test_scores_are_those_of_the_dense_solve(way):
    modes = some_modes(96)
    truth, values, seen = days_of(modes)
    made, expected = OptimalInterpolation(modes)(values, seen), dense(modes, values, seen)
    assert energy(modes, made - expected, seen) < (1e-9 if way == "by_factor" else 3e-3)
    assert energy(modes, truth - expected, seen) == pytest.approx(1, abs=0.1)  # by which 3e-3 is to be judged


@pytest.fixture
def to_the_end(monkeypatch):
    """Iterations that go on until float32 is exhausted."""
    for close in ("CLOSE", "CLOSE_EVERYWHERE"):
        monkeypatch.setattr(optimal_interpolation, close, 1e-12)


def test_iterated_to_the_end_they_are_exact(to_the_end, way):
    modes, (values, seen) = some_modes(96), sparse_days()
    assert off(OptimalInterpolation(modes)(values, seen), dense(modes, values, seen)) < 5e-5  # float32


def test_of_nothing_they_are_the_priors_mean(way):
    modes, (values, seen) = some_modes(), sparse_days()
    blind = seen.flatten(1).sum(1) == 0
    assert int(blind.sum()) == 4 and not OptimalInterpolation(modes)(values, seen)[blind].any()  # and not NaN


def test_a_day_does_not_depend_on_its_neighbours_in_the_batch(way):
    """All go on until the last is close enough, which changes no more than closeness."""
    modes = some_modes(96)
    _, values, seen = days_of(modes)
    together = OptimalInterpolation(modes)(values, seen)
    alone = torch.cat([OptimalInterpolation(modes)(v, m) for v, m in zip(values.split(1), seen.split(1), strict=True)])
    assert energy(modes, alone - together, seen) < 3e-3


@pytest.mark.parametrize(("days", "places", "expected"),
                         [(800, 750, "by_factor"), (1, 100, "by_factor"), (1, 900, "by_observations"),
                          (1, 3000, "by_modes"), (800, 3000, "by_factor")])  # fmt: skip
def test_stations_share_a_factor_and_days_of_their_own_places_iterate(days, places, expected, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    assert optimal_interpolation.cheapest(days, places, torch.empty(10240, 1000)).__name__ == expected


def test_days_at_the_same_places_are_solved_once(monkeypatch):
    solved = []

    def factor(known, basis, solve=optimal_interpolation.by_factor):
        solved.append(len(known))
        return solve(known, basis)

    monkeypatch.setattr(optimal_interpolation, "by_factor", factor)
    modes, (values, seen) = some_modes(), sparse_days()
    there = (torch.rand(seen[0].shape, generator=torch.Generator().manual_seed(3)) < 0.1).float().expand_as(values)
    mixed = torch.where(torch.arange(len(values))[:, None, None, None] % 2 == 0, there, 1 - there)
    made = OptimalInterpolation(modes)(values * mixed, mixed)
    assert sorted(solved) == [12, 13]
    assert off(made, dense(modes, values * mixed, mixed)) < 1e-5


def test_hidden_values_do_not_count(way):
    modes, (values, seen) = some_modes(), sparse_days()
    interpolation = OptimalInterpolation(modes)
    assert torch.equal(interpolation(values + 7 * (1 - seen), seen), interpolation(values, seen))


@pytest.mark.parametrize(("seen", "variables"), [([1, 0], [0.6, 0]), ([0, 1], [0, 0.8]), ([1, 1], [0.6, 0.8])])
def test_one_mode_is_a_conditional_mean_of_gaussians(seen, variables):
    """z ~ N(0, v), y = p z + e, e ~ N(0, R): E[z | y] = v p'y / (v p'p + R), of what is seen of p and y."""
    v, r, y = 3.0, 0.5, [1.7, -0.4]
    modes = Modes(torch.tensor([[0.6, 0.8]]), torch.tensor([v]), torch.tensor([r]))
    made = OptimalInterpolation(modes)(torch.tensor(y).view(1, 1, 1, 2), torch.tensor(seen).view(1, 1, 1, 2))
    product, square = sum(p * x for p, x in zip(variables, y, strict=True)), sum(p * p for p in variables)
    assert made.item() == pytest.approx(v * product / (v * square + r), rel=1e-5)


def test_it_is_the_mean_of_the_joint_gaussian_given_what_is_seen(to_the_end, way):
    """The other way round, in the space of observations: B H' (H B H' + R)^-1 y, B = P' diag(v) P."""
    modes, (values, seen) = some_modes(), sparse_days()
    made = OptimalInterpolation(modes)(values, seen) @ modes.patterns
    patterns, variance, error = (x.double() for x in modes[:3])
    b, trust = patterns.T @ (variance[:, None] * patterns), error.repeat_interleave(128)
    for day in (0, 5, 9, 13, 17, 24):
        mask = seen[day].flatten().bool()
        inner = b[mask][:, mask] + torch.diag(trust[mask])
        expected = b[:, mask] @ torch.linalg.solve(inner, values[day].flatten()[mask].double())
        assert (made[day] - expected).norm() < 1e-4 * expected.norm()


def test_a_mode_without_variance_is_never_seen(way):
    modes = some_modes()
    modes = modes._replace(variance=torch.cat([modes.variance[:-2], torch.tensor([0.0, -1e-9])]))
    made = OptimalInterpolation(modes)(*sparse_days())
    assert torch.isfinite(made).all() and made[:, -2:].abs().max() < 1e-6


def test_in_low_precision_it_is_close(monkeypatch):
    monkeypatch.setattr(optimal_interpolation, "cheapest", lambda *_: optimal_interpolation.by_modes)
    modes, (values, seen) = some_modes(), sparse_days()
    interpolation = OptimalInterpolation(modes)
    with torch.autocast("cpu", torch.bfloat16):
        low = interpolation(values, seen)
    assert low.dtype == torch.float32 and not torch.equal(low, interpolation(values, seen))
    assert off(low, dense(modes, values, seen)) < 0.03
