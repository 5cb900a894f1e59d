"""A day's analysis, against two numbers by hand and the dense formulas."""

import numpy as np
import pytest
import torch

from sparta_core.residuals import NOISE
from sparta_core.tasks.assimilation.analysis import Analysis, Gain, Observed
from sparta_core.tasks.assimilation.covariances import centred, localised
from tests.tasks.assimilation.toys import MODES, PLACES, SIZE, system


def observed(places, values=None, variance=0.3):
    places = torch.as_tensor(places, dtype=torch.int64)
    values = torch.zeros(len(places)) if values is None else torch.as_tensor(values)
    return Observed(values.double(), places, torch.full((len(places),), variance).double())


def root(seed=0):
    square = torch.randn(MODES, MODES, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linalg.cholesky(square @ square.T + torch.eye(MODES))


def test_one_mode_and_one_observation_by_hand():
    """Background 0 with variance 4, a pattern of 0.5, an observation of 3 with variance 1: x = 4 * .5 / (1 + 1) * 3."""
    gain = Gain(torch.tensor([[2.0]]).double(), torch.tensor([[0.5]]).double(), observed([0], [3.0], 1.0))
    assert float(gain.increments(torch.tensor([[3.0]]).double())) == pytest.approx(3.0)
    assert float(gain.root_after) ** 2 == pytest.approx(4 - 4 * 0.5 / 2 * 0.5 * 4)


@pytest.mark.parametrize("places", [[1], [0, 5, 7], range(SIZE)])
def test_increments_and_covariance_are_those_of_the_dense_formulas(places):
    world, factor = system(), root()
    seen = observed([*places])
    gain, h, r = Gain(factor, world.patterns, seen), world.patterns[:, seen.places].T, 0.3 * torch.eye(len(seen.places))
    covariance = factor @ factor.T
    dense = covariance @ h.T @ torch.linalg.inv(h @ covariance @ h.T + r.double())
    departures = torch.randn(3, len(seen.places), dtype=torch.float64)
    torch.testing.assert_close(gain.increments(departures), departures @ dense.T)
    after = covariance - dense @ h @ covariance
    torch.testing.assert_close(gain.root_after @ gain.root_after.T, after)


def test_the_order_of_observations_does_not_matter():
    world, seen = system(), observed([0, 3, 8, 11], [1.0, -2.0, 0.5, 3.0])
    shuffled = seen[torch.tensor([2, 0, 3, 1])]
    made = [Gain(root(), world.patterns, each).increments(each.values[None]) for each in (seen, shuffled)]
    torch.testing.assert_close(*made)


def test_nothing_observed_changes_nothing():
    gain = Gain(root(), system().patterns, observed([]))
    assert float(gain.increments(torch.zeros(2, 0).double()).abs().max()) == 0
    torch.testing.assert_close(gain.root_after @ gain.root_after.T, root() @ root().T)
    assert gain.gross_errors(torch.zeros(0).double()) == []


def test_everything_observed_without_error_is_the_truth():
    world, scores = system(), torch.randn(MODES, dtype=torch.float64)
    seen = observed(range(SIZE), scores @ world.patterns, 1e-10)
    torch.testing.assert_close(Gain(root(), world.patterns, seen).increments(seen.values[None])[0], scores, atol=1e-7,
                               rtol=0)  # fmt: skip


def test_the_variance_is_that_of_the_scores_and_of_what_no_mode_holds():
    """Dense, place by place; where there are members as large as theirs, times what was found, in each variable.

    Where an instrument adds half of what the modes leave out, two thirds of an observation's residual are believed.
    """
    left_out = 0.1 + torch.rand(SIZE, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    world = system(left_out=left_out, spread=torch.tensor([0.5, 2.0], dtype=torch.float64))
    places = torch.tensor([0, 5, 7])
    seen = Observed(torch.zeros(3).double(), places, 1.5 * left_out[places])
    gain, none = Gain(root(), world.patterns, seen), torch.zeros(0, MODES, dtype=torch.float64)
    left = torch.ones(SIZE).double()
    left[places] -= 1 / (1.5 + NOISE)
    covariance = world.patterns.T @ gain.root_after @ gain.root_after.T @ world.patterns

    def analysis(apart):
        return Analysis(none.sum(0), none.sum(0), torch.zeros(3), gain, apart, [])

    torch.testing.assert_close(analysis(none).variance(world), covariance.diagonal() * left**2 + left_out * left)
    apart = torch.randn(4, MODES, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    apart -= apart.mean(0)
    members = np.var((apart @ world.patterns).numpy(), axis=0, ddof=1).reshape(2, PLACES).mean(1)
    said = covariance.diagonal().view(2, PLACES)
    larger = torch.tensor([0.25, 4.0]) * torch.from_numpy(members) / said.mean(1)
    scaled = (said * larger[:, None]).flatten()
    torch.testing.assert_close(analysis(apart).variance(world), scaled * left**2 + left_out * left)


def test_the_fields_are_the_modes_and_what_observations_have_left_of_themselves():
    """Residuals that are independent from place to place: only what is observed is moved, nearly to what it is."""
    world, scores, before = system(), *torch.randn(2, MODES, dtype=torch.float64)
    seen = Observed(torch.tensor([3.0, -1.0]).double(), torch.tensor([2, 9]), world.error[[2, 9]])
    departures = seen.values - before @ world.patterns[:, seen.places]
    gain = Gain(root(), world.patterns, seen)
    made = Analysis(scores, before, departures, gain, torch.zeros(0, MODES), []).fields(world)
    expected = scores @ world.patterns
    expected[seen.places] += (seen.values - expected[seen.places]) / (1 + NOISE)
    torch.testing.assert_close(made, expected)


def test_a_gross_error_is_what_all_others_contradict():
    """Its residual is that of the analysis without it."""
    world, factor = system(left_out=1e-3), root()
    scores = torch.tensor([0.4, -0.2, 0.1, 0.3], dtype=torch.float64)
    values = scores @ world.patterns
    values[7] += 30
    seen = observed(range(SIZE), values, 1e-3)
    ((place, residual, deviations),) = Gain(factor, world.patterns, seen).gross_errors(values)
    others = seen[torch.tensor([k for k in range(SIZE) if k != 7])]
    without = Gain(factor, world.patterns, others).increments(others.values[None])[0] @ world.patterns[:, 7]
    assert place == 7 and residual == pytest.approx(float(values[7] - without), rel=1e-6) and deviations > 5


def test_a_localised_covariance_is_the_damped_one():
    """With all factors of a taper, less the part that takes the modes as unrelated."""
    world, generator = system(), torch.Generator().manual_seed(5)
    apart = torch.randn(3, MODES, generator=generator, dtype=torch.float64)
    line = torch.arange(PLACES, dtype=torch.float64)
    taper = torch.exp(-((line[:, None] - line) ** 2) / 8)
    values, vectors = torch.linalg.eigh(taper)
    fields = apart @ world.patterns
    damped = (fields.T @ fields) * taper.repeat(2, 2)
    expected = 0.7 * world.patterns @ damped @ world.patterns.T + 0.3 * torch.diag(apart.square().sum(0))
    factors = (vectors * values.clamp_min(0).sqrt()).T
    torch.testing.assert_close(localised(apart, world.patterns, factors), expected)


def test_draws_have_the_mean_0_and_the_variance_1():
    drawn = centred(12, 4000, torch.zeros(1).double(), torch.Generator().manual_seed(0))
    assert float(drawn.mean(0).abs().max()) < 1e-6 and float(drawn.var(0).mean()) == pytest.approx(1, abs=0.01)
    assert np.isclose(float(drawn.var(0).std()), (2 / 11) ** 0.5, rtol=0.05)
