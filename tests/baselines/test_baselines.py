"""Baselines: the published scores on the bundled climate, and closed forms on made-up weather."""

import numpy as np
import pytest
import torch

from sparta_core.baselines import fit_baselines, target_days
from sparta_core.baselines.climatology import Climatology
from sparta_core.baselines.damped_persistence import DampedPersistence
from sparta_core.baselines.linear_inverse_model import LinearInverseModel
from sparta_core.baselines.persistence import Persistence
from sparta_core.data.days import split_days
from sparta_core.data.domain import Domain
from sparta_core.data.record import Record, load_record
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.metrics.fields import rrmse


def made_up(values):
    """A record of standardised days (T, C, H, W) from 2001 on."""
    count, channels, rows, columns = values.shape
    return Record(
        domain=Domain(np.linspace(-80, 80, rows), np.arange(columns) * 360 / columns),
        variables=tuple("abcde"[:channels]), units=("1",) * channels, level=850, mean=torch.zeros(channels),
        std=torch.ones(channels), source="made up", values=values.float(),
        time=np.datetime64("2001-01-01") + np.arange(count), splits=split_days(count, (0.6, 0.2), (0.6, 0.2)))


@pytest.fixture(scope="module")
def climate():
    return load_record(Experiment.from_preset("paper_demo"))


@pytest.fixture(scope="module")
def scores(climate):
    """RRMSE per lead of each baseline, after look-backs of 30 days: the 33 starts that leave 100 leads."""
    test = climate.splits["downstream_test"]
    last_days = torch.arange(test.start + 29, test.stop - 100)
    assert len(last_days) == 33
    truth = climate.physical(climate.values[target_days(last_days, 25)])
    return {name: rrmse(climate.physical(baseline.forecast(climate, last_days, 25)), truth)
            for name, baseline in fit_baselines(Experiment(), climate, 25).items()}


@pytest.mark.parametrize(("name", "lead", "percent"), [
    ("persistence", 1, 4.2), ("persistence", 25, 11.0),
    ("damped persistence", 1, 4.1), ("damped persistence", 5, 7.2),
    ("linear inverse model", 1, 3.1), ("linear inverse model", 3, 5.7), ("linear inverse model", 5, 6.7),
])
def test_known_scores_on_the_bundled_climate(scores, name, lead, percent):
    assert float(scores[name][lead - 1]) == pytest.approx(percent, abs=0.1)


def test_known_score_of_climatology_over_all_test_days(climate):
    days = climate.splits["downstream_test"]
    assert len(days) == 162
    forecast = Climatology.fit(climate).at_dates(climate.dates(days))
    truth = climate.split("downstream_test").values
    score = rrmse(climate.physical(forecast)[:, None], climate.physical(truth)[:, None])
    assert float(score) == pytest.approx(7.2, abs=0.1)


def test_climatology_is_least_squares_on_mean_and_three_harmonics():
    record = made_up(torch.randn(1000, 2, 3, 4, generator=torch.Generator().manual_seed(0)))
    day = record.time.astype(int)
    columns = [np.ones(1000)] + [f(2 * np.pi * k * day / 365.2425) for f in (np.sin, np.cos) for k in (1, 2, 3)]
    basis = np.stack(columns, 1)
    train = record.values[:600].reshape(600, -1).double().numpy()
    expected = basis @ np.linalg.lstsq(basis[:600], train, rcond=None)[0]
    made = Climatology.fit(record).at_dates(record.time).reshape(1000, -1).numpy()
    assert made == pytest.approx(expected, abs=1e-5)


def test_climatology_recovers_a_season():
    day = made_up(torch.zeros(1200, 1, 2, 2)).time.astype(int)
    season = 2 + np.sin(2 * np.pi * day / 365.2425) - 0.5 * np.cos(6 * np.pi * day / 365.2425)
    record = made_up(torch.from_numpy(season)[:, None, None, None].expand(-1, 1, 2, 2))
    climatology = Climatology.fit(record)
    last = torch.tensor([1000, 1100])
    expected = record.values[target_days(last, 50)]
    assert (climatology.forecast(record, last, 50) - expected).abs().max() < 1e-4
    assert climatology.anomalies(record, range(1200)).abs().max() < 1e-4


def test_persistence_keeps_the_last_day():
    record = made_up(torch.randn(100, 2, 2, 3))
    forecast = Persistence().forecast(record, torch.tensor([7, 50]), 4)
    assert all(torch.equal(forecast[:, lead], record.values[[7, 50]]) for lead in range(4))


def test_damped_persistence_is_the_regression_by_loops():
    record = made_up(torch.randn(300, 2, 2, 3, generator=torch.Generator().manual_seed(1)).cumsum(0) / 5)
    climatology = Climatology.fit(record)
    x = climatology.anomalies(record, range(180)).double().numpy()
    shares = DampedPersistence.fit(record, climatology, 3).shares
    for lead in (1, 2, 3):
        for variable in range(2):
            products = squares = 0.0
            for t in range(180 - lead):
                for a, b in zip(x[t, variable].flat, x[t + lead, variable].flat, strict=True):
                    products += a * b
                    squares += a * a
            assert float(shares[lead - 1, variable]) == pytest.approx(products / squares, abs=1e-5)


def test_damped_persistence_is_refused_beyond_its_fitted_leads():
    record = made_up(torch.randn(100, 1, 2, 2, generator=torch.Generator().manual_seed(7)))
    model = DampedPersistence.fit(record, Climatology.fit(record), 1)
    last = torch.tensor([70])
    with pytest.raises(ExperimentError, match="fitted for 1 leads, not 3"):
        model.forecast(record, last, 3)
    one, normal = model.forecast(record, last, 1), model.climatology.forecast(record, last, 1)
    anomaly = model.climatology.anomalies(record, last)
    assert one[0, 0].numpy() == pytest.approx((normal[0, 0] + model.shares[0, 0] * anomaly[0]).numpy())


def test_damped_persistence_of_an_autoregression_decays_as_its_powers():
    generator = torch.Generator().manual_seed(2)
    x = torch.zeros(4000, 1, 4, 8)
    for t in range(1, 4000):
        x[t] = 0.8 * x[t - 1] + torch.randn(1, 4, 8, generator=generator)
    record = made_up(x)
    shares = DampedPersistence.fit(record, Climatology.fit(record), 4).shares[:, 0]
    assert shares.tolist() == pytest.approx([0.8**lead for lead in (1, 2, 3, 4)], abs=0.03)


def test_linear_inverse_model_recovers_a_linear_system():
    """Rotating, damped modes with a little noise: ten days ahead the forecast is the power of the step."""
    generator = torch.Generator().manual_seed(3)
    angle = torch.tensor(0.3)
    turn = 0.97 * torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
    patterns = torch.linalg.qr(torch.randn(24, 2, generator=generator)).Q.T
    state, states = torch.randn(2, generator=generator), []
    for _ in range(3000):
        state = turn @ state + 0.3 * torch.randn(2, generator=generator)
        states.append(state)
    record = made_up((torch.stack(states) @ patterns).view(-1, 1, 4, 6))
    climatology = Climatology.fit(record)
    model = LinearInverseModel.fit(record, climatology, modes=2)
    operator = model.eofs.T @ model.step.T @ model.eofs  # on days as columns, in grid space
    expected = patterns.T @ turn @ patterns
    # The ridge of a tenth of the mean eigenvalue shrinks the step by about 1 / 1.1.
    assert (operator * 1.1 - expected).abs().max() < 0.03
    last = torch.tensor([2500])
    forecast = model.forecast(record, last, 3) - climatology.forecast(record, last, 3)
    anomaly = climatology.anomalies(record, last)[0].flatten()
    by_power = torch.linalg.matrix_power(operator, 3) @ anomaly
    assert forecast[0, 2].flatten().numpy() == pytest.approx(by_power.numpy(), abs=1e-4)


def test_linear_inverse_model_is_ridge_regression_by_least_squares():
    """A tenth of the mean eigenvalue on the diagonal, as rows sqrt(ridge) I below the days."""
    record = made_up(torch.randn(500, 2, 3, 4, generator=torch.Generator().manual_seed(8)).cumsum(0) / 5)
    climatology = Climatology.fit(record)
    model = LinearInverseModel.fit(record, climatology, modes=6)
    x = climatology.anomalies(record, range(300)).flatten(1).double().numpy()
    scores = x @ model.eofs.double().numpy().T
    today, tomorrow = scores[:-1], scores[1:]
    ridge = 0.1 * np.linalg.eigvalsh(today.T @ today).mean()
    rows = np.vstack([today, np.sqrt(ridge) * np.eye(6)])
    expected = np.linalg.lstsq(rows, np.vstack([tomorrow, np.zeros((6, 6))]), rcond=None)[0]
    assert model.step.numpy() == pytest.approx(expected, abs=1e-4)


def test_eofs_are_the_principal_components_on_either_side():
    generator = torch.Generator().manual_seed(4)
    for count in (50, 400):  # fewer and more days than grid points
        values = torch.randn(count, 1, 8, 12, generator=generator) * torch.linspace(3, 0.1, 96).view(1, 8, 12)
        record = made_up(values)
        climatology = Climatology.fit(record)
        eofs = LinearInverseModel.fit(record, climatology, modes=5).eofs.double().numpy()
        x = climatology.anomalies(record, record.splits["train"]).flatten(1).double().numpy()
        expected = np.linalg.svd(x, full_matrices=False)[2][:5]
        assert np.abs(np.sum(eofs * expected, axis=1)) == pytest.approx(np.ones(5), abs=1e-3)


def test_more_modes_than_the_days_have_are_left_out():
    """360 training days less the mean and three harmonics leave at most 353 directions."""
    record = made_up(torch.randn(600, 1, 20, 24, generator=torch.Generator().manual_seed(6)))
    model = LinearInverseModel.fit(record, Climatology.fit(record))
    assert 340 < len(model.eofs) <= 353
    assert (model.eofs @ model.eofs.T - torch.eye(len(model.eofs))).abs().max() < 1e-3


def test_no_baseline_sees_the_days_after_training():
    values = torch.randn(500, 2, 4, 6, generator=torch.Generator().manual_seed(5))
    changed = values.clone()
    changed[300:] = changed[300:].flip(0) * 3 + 1
    for first, second in zip(fitted(values), fitted(changed), strict=True):
        assert torch.equal(first, second)


def fitted(values):
    record = made_up(values)
    climatology = Climatology.fit(record)
    model = LinearInverseModel.fit(record, climatology, modes=10)
    shares = DampedPersistence.fit(record, climatology, 5).shares
    return climatology.coefficients, shares, model.eofs, model.step
