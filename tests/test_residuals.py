"""What modes leave out, rebuilt near observations: beside dense regression in float64, by hand, and by invariants."""

import numpy as np
import pytest
import torch

from sparta_core.data.domain import Domain
from sparta_core.modes import EARTH_RADIUS, Modes
from sparta_core.residuals import NOISE, Residuals, compact_taper, pairs, residual_moments

REACH = 6000.0
WHOLE = 2e4  # beyond which there is no place


def globe(rows, columns):
    latitude = (np.arange(rows) + 0.5) * 180 / rows - 90
    return Domain(latitude, np.arange(columns) * 360.0 / columns)


def days(domain, channels=2, count=400, seed=0):
    """Residuals (T, C, H, W) that are correlated in space, larger towards the north."""
    draws = np.random.default_rng(seed)
    places = domain.positions().flatten(0, 1).double().numpy()
    smooth = np.exp(-((places[:, None] - places) ** 2).sum(-1) / 0.3)
    size = np.linspace(0.5, 2, len(places))
    x = draws.standard_normal((count, channels, len(places))) @ smooth * size
    return torch.from_numpy(x).float().unflatten(2, domain.shape)


def made(domain, rest, reach=REACH):
    moments = residual_moments(rest, domain.positions().flatten(0, 1), reach)
    modes = Modes(torch.zeros(1, rest[0].numel()), torch.ones(1), torch.ones(rest.shape[1]), *moments)
    return Residuals(modes, domain.positions(), reach)


def dense(rest, domain, channel, reach=REACH):
    """The damped covariance (N, N) of a variable, in float64, from all pairs of places."""
    x = rest[:, channel].flatten(1).double().numpy()
    places = domain.positions().flatten(0, 1).double().numpy()
    apart = EARTH_RADIUS * np.linalg.norm(places[:, None] - places, axis=-1)
    return x.T @ x / len(x) * compact_taper(apart, reach)


def regression(covariance, seen, errors):
    """The weights (N, p) of values at places `seen`, and the share of the variance that is known (N,)."""
    inner = covariance[np.ix_(seen, seen)] + np.diag(NOISE * covariance.diagonal()[seen] + errors)
    weights = np.linalg.solve(inner, covariance[seen]).T
    return weights, (weights * covariance[:, seen]).sum(1) / covariance.diagonal()


def drawn(count, size, seed=1):
    return np.sort(np.random.default_rng(seed).choice(size, count, replace=False))


@pytest.mark.parametrize("errors", [0.0, 0.3])
def test_they_are_the_regression_on_all_observations(errors):
    """On a grid of which every part sees all places."""
    domain = globe(6, 12)
    rest, today = days(domain), days(domain, count=1, seed=5)[0]
    residuals, places, size = made(domain, rest, WHOLE), torch.from_numpy(drawn(40, 2 * 72)), 72
    weights = residuals.weights(places, torch.full((40,), errors))
    found = weights.increments(today.flatten()[None, places])[0].numpy()
    for channel in range(2):
        own = places.numpy()[(places.numpy() // size) == channel] - channel * size
        wanted, known = regression(dense(rest, domain, channel, WHOLE), own, np.full(len(own), errors))
        here = slice(channel * size, (channel + 1) * size)
        np.testing.assert_allclose(found[here], wanted @ today[channel].flatten().numpy()[own], rtol=1e-3, atol=2e-3)
        np.testing.assert_allclose(weights.known[here], known, atol=2e-3)


def test_parts_of_a_larger_grid_are_nearly_the_whole():
    domain = globe(32, 64)
    rest, today = days(domain, 1, 800), days(domain, 1, 20, seed=5)
    residuals, seen = made(domain, rest, 3000.0), drawn(600, 32 * 64)
    found = residuals.weights(torch.from_numpy(seen), torch.zeros(600)).increments(today.flatten(1)[:, seen])
    wanted, _ = regression(dense(rest, domain, 0, 3000.0), seen, np.zeros(600))
    exact = today.flatten(1).double().numpy()[:, seen] @ wanted.T
    assert np.square(found.numpy() - exact).mean() < 1e-3 * np.square(exact).mean()


def test_every_place_is_corrected_once():
    domain = globe(10, 20)
    inside = torch.cat([part.inside for part in made(domain, days(domain)).parts])
    assert torch.equal(inside.sort().values, torch.arange(400))


def test_known_is_how_much_smaller_errors_become():
    """Of days that are drawn from the correlations that are believed."""
    domain = globe(6, 12)
    residuals, seen = made(domain, days(domain, 1), WHOLE), torch.from_numpy(drawn(12, 72))
    block = residuals.parts[0]
    order = block.around.argsort()
    values, vectors = torch.linalg.eigh(block.correlation[order][:, order].double())
    root = vectors * values.clamp_min(0).sqrt()  # rounded to half precision, the least are a little below 0
    draws = torch.randn(20000, 72, generator=torch.Generator().manual_seed(3), dtype=torch.float64) @ root.T
    fields = (draws * residuals.variance.double().sqrt()).float()
    noise = (NOISE * residuals.variance[seen]).sqrt() * torch.randn(
        20000, 12, generator=torch.Generator().manual_seed(4)
    )
    weights = residuals.weights(seen, torch.zeros(12))
    error = fields - weights.increments(fields[:, seen] + noise)
    left = error.square().mean(0) / residuals.variance
    torch.testing.assert_close(left, 1 - weights.known, rtol=0.06, atol=2e-3)


def test_one_observation_by_hand():
    """Two places half of whose residuals are common: the other one is corrected by half."""
    domain = Domain(np.array([0.0]), np.array([0.0, 10.0]))
    rest = torch.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0], [1.0, 1.0]]).view(4, 1, 1, 2)
    residuals = made(domain, rest, 1e6)
    weights = residuals.weights(torch.tensor([0]), torch.tensor([1.0]))
    wanted = torch.tensor([1.0, 0.5]) / (2 + NOISE)
    torch.testing.assert_close(weights.increments(torch.tensor([[3.0]]))[0], 3 * wanted, rtol=1e-3, atol=0)
    torch.testing.assert_close(weights.known, wanted * torch.tensor([1.0, 0.5]), rtol=1e-3, atol=0)


def test_what_is_observed_is_nearly_returned_and_what_is_not_stays():
    domain = globe(8, 16)
    residuals, observed = made(domain, days(domain)), torch.zeros(3, 2, 8, 16)
    observed[0, 0, ::2, ::3], observed[1, 1] = 1, 1
    fields, values = torch.zeros(3, 2, 8, 16), days(domain, count=3, seed=9)
    found = residuals.corrected(fields, values, observed)
    near = found[observed > 0] - values[observed > 0]
    assert near.square().mean() < NOISE * values[observed > 0].square().mean()
    assert not found[0, 1].any() and not found[1, 0].any() and not found[2].any()
    assert not fields.any()


def test_instruments_errors_hold_corrections_back():
    """One field of errors for all days, or a field a day: each day's are the weights' with its own."""
    domain = globe(8, 16)
    residuals, observed = made(domain, days(domain)), torch.zeros(2, 2, 8, 16)
    observed[:, :, ::2, ::3] = 1
    fields, values = torch.zeros(2, 2, 8, 16), days(domain, count=2, seed=9)
    each = torch.stack([torch.full((2, 8, 16), 0.5), torch.full((2, 8, 16), 2.0)])
    found = residuals.corrected(fields, values, observed, each)
    places = observed[0].flatten().nonzero()[:, 0]
    for day in range(2):
        alone = residuals.weights(places, each[day].flatten()[places]).increments(values[day].flatten()[None, places])
        torch.testing.assert_close(found[day].flatten(), alone[0])
        torch.testing.assert_close(residuals.corrected(fields, values, observed, each[day : day + 1])[day], found[day])
    exact = residuals.corrected(fields, values, observed)[1][observed[1] > 0].square().mean()
    assert found[1][observed[1] > 0].square().mean() < 0.9 * exact


def test_another_threads_places_do_not_come_between(monkeypatch):
    """While one day's weights are reckoned, another thread asks for other places."""
    domain = globe(8, 16)
    residuals, own, none = made(domain, days(domain)), Residuals._weights, torch.zeros(3)
    mine, theirs = torch.tensor([3, 40, 200]), torch.tensor([7, 90, 150])
    expected = own(residuals, mine, none)

    def interrupted(self, places, error):
        if torch.equal(places, mine):
            self.weights(theirs, error)
        return own(self, places, error)

    monkeypatch.setattr(Residuals, "_weights", interrupted)
    assert torch.equal(residuals.weights(mine, none).known, expected.known)
    assert torch.equal(residuals.weights(theirs, none).known, own(residuals, theirs, none).known)


def test_the_order_of_observations_does_not_matter():
    domain = globe(8, 16)
    residuals, places = made(domain, days(domain)), torch.from_numpy(drawn(50, 256))
    values, turned = torch.randn(1, 50, generator=torch.Generator().manual_seed(0)), torch.arange(49, -1, -1)
    first = residuals.weights(places, torch.zeros(50)).increments(values)
    again = residuals.weights(places[turned], torch.zeros(50)).increments(values[:, turned])
    torch.testing.assert_close(first, again, rtol=1e-3, atol=1e-4)


def test_more_observations_know_more():
    domain = globe(8, 16)
    residuals, places = made(domain, days(domain)), torch.from_numpy(drawn(60, 256))
    few, many = (residuals.weights(some, torch.zeros(len(some))).known for some in (places[:20], places))
    assert (many - few > -1e-3).all() and (many - few > 0.1).any()
    assert (few >= 0).all() and (many <= 1).all()


def test_the_date_line_is_no_edge():
    domain = globe(4, 36)
    residuals = made(domain, days(domain, 1), 3000.0)
    west = residuals.weights(torch.tensor([36]), torch.zeros(1)).known.view(4, 36)
    assert west[1, 1] > 0.05 and west[1, -1] > 0.05 and west[1, 18] == 0


def test_the_taper_is_a_correlation():
    """Gaspari and Cohn's (4.10): the self-convolution of a cone, here by sums over a fine grid in three dimensions."""
    step = 0.04
    axis = np.arange(-1, 1, step) + step / 2
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    cone = np.clip(1 - 2 * np.sqrt(x**2 + y**2 + z**2), 0, None)
    far = np.array([0, 5, 10, 20, 25])
    sums = np.array([(cone[k:] * cone[: len(cone) - k]).sum() for k in far])
    np.testing.assert_allclose(compact_taper(far * step, 1.0), sums / sums[0], atol=3e-3)


def test_residuals_without_a_neighbour_within_reach():
    domain = globe(4, 8)
    residuals = made(domain, days(domain), 0.0)
    known = residuals.weights(torch.tensor([3]), torch.zeros(1)).known
    assert known[3] == pytest.approx(1 / (1 + NOISE)) and known.count_nonzero() == 1
    assert not len(pairs(domain.positions().flatten(0, 1), 0.0))


def test_where_nothing_ever_happens_an_observation_is_not_beyond_doubt():
    domain = globe(4, 8)
    rest = days(domain)
    rest[:, 0, 0, 0], rest[:, 1] = 0, 0
    variance = made(domain, rest).variance
    assert variance[0] == pytest.approx(1e-3 * float(rest[:, 0].square().mean()), rel=1e-4)
    assert (variance[32:] == 1e-9).all()


def test_correlations_of_other_places():
    domain = globe(4, 8)
    moments = residual_moments(days(domain), domain.positions().flatten(0, 1), REACH)
    modes = Modes(torch.zeros(1, 64), torch.ones(1), torch.ones(2), *moments)
    with pytest.raises(ValueError, match="pairs of places, the grid has"):
        Residuals(modes, domain.positions(), 2 * REACH)
