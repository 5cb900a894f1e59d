"""Cycles in a linear Gaussian world, in which what is best is known."""

from dataclasses import replace

import numpy as np
import pytest
import scipy
import torch

from sparta_core.data.clock import Clock
from sparta_core.errors import DataError
from sparta_core.tasks.assimilation.analysis import Observed
from sparta_core.tasks.assimilation.constant import Constant
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.ensemble import Ensemble
from sparta_core.tasks.assimilation.kalman import Kalman
from sparta_core.tasks.assimilation.single_day import SingleDay
from tests.tasks.assimilation.toys import BEGIN, MODES, cycled, observations, system, truth

FEW = [0, 4, 9]
KINDS = {kind.name: kind for kind in (SingleDay(), Kalman(), Constant(), Ensemble(assimilation_members=40))}


def kalman_filter(world, days):
    """Means and covariances of analyses, as textbooks write them."""
    mean, covariance, made = np.zeros(MODES), np.diag(world.variance.numpy()), []
    m, q = world.linear.numpy().T, world.linear_error.numpy()
    for number, day in enumerate(days):
        if number:
            mean, covariance = m @ mean, m @ covariance @ m.T + q
        h, r = world.patterns[:, day.places].numpy().T, np.diag(day.variance.numpy())
        gain = covariance @ h.T @ np.linalg.inv(h @ covariance @ h.T + r)
        mean, covariance = mean + gain @ (day.values.numpy() - h @ mean), (np.eye(MODES) - gain @ h) @ covariance
        made.append((mean, covariance))
    return made


def mean_square(analyses, scores, skip=20):
    return float((torch.stack([one.mean for one in analyses]) - scores)[skip:].square().mean())


def test_fifty_steps_are_those_of_the_textbook():
    world = system()
    days = observations(world, truth(world, 50), FEW)
    analyses, cycle = cycled(world, Kalman(), days, quality_control=False)
    for analysis, (mean, covariance) in zip(analyses, kalman_filter(world, days), strict=True):
        np.testing.assert_allclose(analysis.mean, mean, atol=1e-6)
        after = analysis.gain.root_after
        np.testing.assert_allclose(after @ after.T, covariance, atol=1e-6)
    assert str(cycle.date)[:10] == "2001-02-19"


def test_the_constant_covariance_is_the_steady_state_of_riccati():
    world = system()
    days = observations(world, truth(world, 2), FEW)
    _, cycle = cycled(world, Constant(), days, quality_control=False)
    h, m = world.patterns[:, FEW].numpy(), world.linear.numpy()
    exact = scipy.linalg.solve_discrete_are(m, h, world.model_error.numpy(), np.diag(days[0].variance.numpy()))
    made = (cycle.state.errors @ cycle.state.errors.T).numpy()
    assert abs(made - exact).max() < 0.02 * exact.max()


def test_the_more_a_filter_knows_the_better_it_is():
    """The ensemble is nearly as good as the exact filter, and as wrong as it says."""
    world = system()
    scores = truth(world, 1000)
    days = observations(world, scores, FEW)
    error = {name: mean_square(cycled(world, kind, days, quality_control=False)[0], scores)
             for name, kind in KINDS.items()}  # fmt: skip
    assert error["kalman"] < error["constant"] * 1.02 < 1.05 * error["kalman"] < 0.9 * error["single_day"]
    assert error["ensemble"] < 1.1 * error["kalman"]
    analyses, _ = cycled(world, KINDS["ensemble"], days, quality_control=False)
    said = np.mean([float(one.gain.root_after.square().sum()) / MODES for one in analyses[20:]])
    assert 0.9 < (said / error["ensemble"]) ** 0.5 < 1.1


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_an_analysis_is_not_worse_than_its_background(kind):
    world = system()
    scores = truth(world, 400)
    analyses, _ = cycled(world, kind, observations(world, scores, FEW), quality_control=False)
    before = float((torch.stack([one.background for one in analyses]) - scores).square().mean())
    assert mean_square(analyses, scores, 0) < before


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_without_observations_the_analysis_is_the_forecast(kind):
    world = system()
    days = observations(world, truth(world, 5), FEW)
    (*_, last), _ = cycled(world, kind, [*days, days[0][:0]], quality_control=False)
    torch.testing.assert_close(last.mean, last.background)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_cycle_that_is_taken_up_again_goes_on_with_the_same_bits(kind):
    world = system()
    days = observations(world, truth(world, 9), FEW)
    whole, _ = cycled(world, kind, days)
    _, cycle = cycled(world, kind, days[:5])
    again = Cycle(world, kind, Clock(), seed=99)
    again.resume(*cycle.kept())
    for number in range(5, 9):
        made = again.analyse(days[number], BEGIN + np.timedelta64(number, "D"))
        assert torch.equal(made.mean, whole[number].mean)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_days_that_are_left_out_are_days_without_observations(kind):
    world = system()
    days = observations(world, truth(world, 8), FEW)
    empty = [day[:0] if number in (4, 5) else day for number, day in enumerate(days)]
    whole, _ = cycled(world, kind, empty)
    gap = Cycle(world, kind, Clock())
    made = [gap.analyse(day, BEGIN + np.timedelta64(number, "D"))
            for number, day in enumerate(empty) if number not in (4, 5)]  # fmt: skip
    assert torch.equal(made[-1].mean, whole[-1].mean)


def test_a_day_that_is_not_after_the_last_is_refused():
    world = system()
    days = observations(world, truth(world, 3), FEW)
    _, cycle = cycled(world, Ensemble(), days)
    with pytest.raises(DataError, match="the cycle has come to 2001-01-03, and the next day is 2001-01-03; give"):
        cycle.analyse(days[0], BEGIN + np.timedelta64(2, "D"))
    made = cycle.analyse(days[0], BEGIN + np.timedelta64(2, "D"), follows=True)  # by a calendar of its own
    assert made.mean.isfinite().all()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_two_thousand_days_with_sixty_in_the_dark_stay_below_the_climate(kind):
    """The dynamics are not those of the world: they decay more slowly, and turn the other way."""
    world = system()
    scores = truth(world, 2000)
    days = observations(world, scores, FEW)
    wrong = 0.97 * world.linear.T / world.linear.norm(2)
    error = world.model_error + (world.linear - wrong).T @ torch.diag(world.variance) @ (world.linear - wrong)
    filters = replace(world, step=lambda past, date: past[:, -1] @ wrong, model_error=error, linear_error=error,
                      linear=wrong)  # fmt: skip
    dark = [day[:0] if 1000 <= number < 1060 else day for number, day in enumerate(days)]
    analyses, _ = cycled(filters, kind, dark)
    errors = (torch.stack([one.mean for one in analyses]) - scores).square().mean(1)
    climate = scores.square().mean()
    assert float(errors[20:].mean()) < 0.8 * climate and float(errors[1000:1060].mean()) < 1.3 * climate
    assert float(errors[1100:].mean()) < 0.8 * climate


def test_gross_errors_in_two_percent_of_the_observations_cost_little():
    world = system(left_out=0.05)
    scores = truth(world, 600)
    days = observations(world, scores, range(12))
    draws, spoiled = np.random.default_rng(0), []
    for day in days:
        wrong = torch.from_numpy(draws.random(12) < 0.02)
        spoiled.append(Observed(torch.where(wrong, day.values + 40, day.values), day.places, day.variance))
    clean, checked, left = (mean_square(cycled(world, KINDS["ensemble"], each, quality_control=control)[0], scores)
                            for each, control in ((days, True), (spoiled, True), (spoiled, False)))  # fmt: skip
    assert checked < 1.1 * clean and left > 3 * clean
