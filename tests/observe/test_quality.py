"""Gross errors that the other observations of a day tell, against leave-one-out by hand, and on days without any."""

import json
import warnings

import numpy as np
import pytest
import torch
import xarray as xr

from sparta_core.data.record import load_record
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.model import Model
from sparta_core.modes import Modes
from sparta_core.observe.quality import COUNT, LIMIT, Background, gross_errors
from sparta_core.training.modes import fit_modes
from tests.linear import GLOBE

SHAPE = (2, 4, 5)
SIZE = 40


def drawn(generator, *shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def made_up(generator, count=7):
    patterns = torch.linalg.qr(drawn(generator, SIZE, count)).Q.T
    return Modes(patterns, torch.linspace(20, 1, count).double(), torch.tensor([0.1, 0.3]).double())


def by_hand(values, places, covariance, limit):
    """Leave each of the observed out and predict it from the others; set the least likely aside, and again."""
    left, found = list(places), []
    for _ in range((len(places) + 1) // 2):
        judged = []
        for place in left:
            others = [other for other in left if other != place]
            gain = torch.linalg.solve(covariance[others][:, others], covariance[others, place])
            residual = values[place] - gain @ values[others]
            variance = covariance[place, place] - gain @ covariance[others, place]
            if abs(residual) > limit * covariance[place, place].sqrt():
                judged.append((place, float(residual), float(residual / variance.sqrt())))
        if not judged:
            break
        worst = max(judged, key=lambda one: abs(one[2]))
        found.append(worst)
        left.remove(worst[0])
    return found


@pytest.mark.parametrize("seed", range(4))
def test_what_is_set_aside_is_what_leave_one_out_by_hand_finds(seed):
    generator = torch.Generator().manual_seed(seed)
    modes = made_up(generator)
    error = modes.error.repeat_interleave(SIZE // 2)
    covariance = modes.patterns.T * modes.variance @ modes.patterns + error.diag()
    days = drawn(generator, 6, 7) * modes.variance.sqrt() @ modes.patterns + drawn(generator, 6, SIZE) * error.sqrt()
    days[0, 3] += 12
    days[1, ::6] += 14
    days[2, 5] -= 19
    seen = torch.rand(6, SIZE, generator=generator) < 0.6
    seen[0, 3] = seen[1, ::6] = seen[2, 5] = True
    seen[3:5] = seen[0]  # several days of the same places
    seen[5] = False
    found = gross_errors(days.view(6, *SHAPE), seen.view(6, *SHAPE).float(), Background.of(modes), 3.0)
    count = 0
    for day in range(6):
        expected = by_hand(days[day], seen[day].nonzero()[:, 0].tolist(), covariance, 3.0)
        ours = [(one.place, one.residual, one.deviations) for one in found if one.day == day]
        assert [one[0] for one in ours] == [one[0] for one in expected]
        np.testing.assert_allclose(np.array(ours), np.array(expected).reshape(np.shape(ours)), atol=1e-8)
        count += len(ours)
    assert count > 2


def test_one_mode_and_two_observations_are_as_in_closed_form():
    """Of a mode with the variance v at each of two places with the error e the one predicts the other times v/(v+e)."""
    v, e, first, second = 2.0, 0.1, 1.0, 9.0  # more than 5 standard deviations of v + e apart
    modes = Modes(torch.full((1, 2), 0.5**0.5), torch.tensor([2 * v]), torch.tensor([e]))
    (one,) = gross_errors(torch.tensor([[[[first, second]]]]), torch.ones(1, 1, 1, 2), Background.of(modes))
    residual, variance = second - first * v / (v + e), v + e - v**2 / (v + e)
    assert (one.day, one.place) == (0, 1)
    assert one.residual == pytest.approx(residual, rel=1e-6)
    assert one.deviations == pytest.approx(residual / variance**0.5, rel=1e-6)


@pytest.mark.parametrize("times, count", [(0.99, 0), (1.01, 1), (-0.99, 0), (-1.01, 1)])
def test_a_lonely_observation_is_held_against_the_background(times, count):
    modes = made_up(torch.Generator().manual_seed(0))
    std = float(modes.patterns[:, 7].square() @ modes.variance + modes.error[0]) ** 0.5
    days, seen = torch.zeros(1, SIZE), torch.zeros(1, SIZE)
    days[0, 7], seen[0, 7] = times * LIMIT * std, 1
    assert len(gross_errors(days.view(1, *SHAPE), seen.view(1, *SHAPE), Background.of(modes))) == count


def test_modes_that_are_left_out_are_errors():
    modes = made_up(torch.Generator().manual_seed(0))
    few, all_of_them = Background.of(modes, 3), Background.of(modes)
    torch.testing.assert_close(few.std, all_of_them.std, rtol=1e-12, atol=0)
    assert few.spread.shape == (SIZE, 3) and all_of_them.spread.shape == (SIZE, 7) and COUNT >= 7


@pytest.fixture(scope="module")
def climate(tmp_path_factory):
    """Validation days of a small sample of the bundled climate, what is expected of them, and stds in units."""
    experiment = Experiment.from_preset("smoke", runs=str(tmp_path_factory.mktemp("runs")))
    record = load_record(experiment).anomalies
    return record.split("validation"), Background.of(fit_modes(record, 48, 0, 0)), record.std


@pytest.mark.parametrize("share", [1.0, 0.3, 0.02])
def test_clean_days_of_the_bundled_climate_raise_hardly_a_false_alarm(climate, share):
    days, background, _ = climate
    seen = torch.rand(days.values.shape, generator=torch.Generator().manual_seed(0)) < share
    some = slice(None, None, 8)
    assert len(gross_errors(days.values[some], seen[some].float(), background)) < 1e-4 * int(seen[some].sum())


def test_an_error_of_60_kelvin_is_found_wherever_it_is(climate):
    days, background, std = climate
    generator = torch.Generator().manual_seed(0)
    seen = (torch.rand(days.values.shape, generator=generator) < 0.05).float()
    places = torch.randint(days.values[0, 0].numel(), (40,), generator=generator)
    values = days.values[:40].clone()
    values.flatten(1)[range(40), places] += 60 / float(std[0])  # of the 2 m temperature
    seen.flatten(1)[range(40), places] = 1
    found = gross_errors(values, seen[:40], background)
    assert {(day, int(place)) for day, place in enumerate(places)} <= {(one.day, one.place) for one in found}
    assert len(found) <= 41


def test_a_fifth_of_gross_errors_is_found(climate):
    days, background, _ = climate
    generator = torch.Generator().manual_seed(0)
    values, shape = days.values[:10].flatten(1).clone(), days.values[:10].shape
    seen = torch.rand(values.shape, generator=generator) < 0.05
    wrong = seen & (torch.rand(values.shape, generator=generator) < 0.2)
    sign = torch.randn(values.shape, generator=generator).sign()
    values += wrong * sign * 8 * background.std.float()
    found = gross_errors(values.view(shape), seen.view(shape).float(), background)
    hits = sum(bool(wrong[one.day, one.place]) for one in found)
    assert hits > 0.95 * int(wrong.sum()) and len(found) - hits < 0.01 * int(wrong.sum())


@pytest.fixture
def model(tiny):
    return Model.of(tiny(**GLOBE), [])


@pytest.fixture
def days(model, weather):
    return xr.load_dataset(weather).isel(time=slice(10, 14))


def spoiled(days):
    wrong = days.copy(deep=True)
    wrong["2m_temperature"][2, 5, 7] += 60
    return wrong


def test_a_model_sets_a_gross_error_aside_and_says_so_unless_it_is_told_not_to(model, days):
    with pytest.warns(UserWarning, match=r"^1 observed value is set aside .* 2m_temperature on 2001-01-13 at "):
        made = model.reconstruct(spoiled(days))
    ((name, date, latitude, longitude, value, others),) = json.loads(made.attrs["set_aside"])
    assert (name, date) == ("2m_temperature", "2001-01-13")
    assert latitude == pytest.approx(float(days.latitude[5]), rel=1e-5)
    assert longitude == pytest.approx(float(days.longitude[7]), rel=1e-5)
    truth = float(days["2m_temperature"][2, 5, 7])
    assert value == pytest.approx(truth + 60, rel=1e-4) and abs(others - truth) < 30
    unobserved = days.copy(deep=True)
    unobserved["2m_temperature"][2, 5, 7] = np.nan
    assert made.drop_attrs().equals(model.reconstruct(unobserved).drop_attrs())
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "1 observed value")
        unchecked = model.reconstruct(spoiled(days), quality_control=False)
    assert "set_aside" not in unchecked.attrs and not unchecked.equals(model.reconstruct(days))
    assert model.embed(days).identical(model.embed(days, quality_control=False))


def test_a_model_without_modes_checks_nothing(tiny, days):
    plain = Model.of(tiny(objective="autoencoder", autoencoder_epochs=1), [])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "1 observed value")
        assert "set_aside" not in plain.reconstruct(spoiled(days)).attrs
    with pytest.raises(ExperimentError, match="this model has no modes, which errors are held against"):
        plain.reconstruct(days, errors={"2m_temperature": 0.5})
