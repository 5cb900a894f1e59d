"""Fields from sparse observations: closed forms, dense float64 references, and both mask grids."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.interpolate import griddata

from sparta_core.baselines.climatology import Climatology
from sparta_core.baselines.interpolation import BASELINES, fit_methods, linear, nearest
from sparta_core.data.domain import Domain
from sparta_core.data.record import load_record
from sparta_core.data.sample import Sample
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.modes import eofs
from sparta_core.training.records import open_record
from sparta_core.views.augment import Views


@pytest.fixture
def experiment(tiny):
    return tiny(view_size=(20, 40), crop_from=(22, 44), mask_grid="native")


@pytest.fixture
def record(experiment):
    return open_record(experiment)


@pytest.fixture
def native(experiment, record):
    return Views(experiment, record.domain)


@pytest.fixture(params=["native", "enlarged"])
def views(request, experiment, record):
    return Views(experiment.replace(mask_grid=request.param), record.domain)


@pytest.fixture
def observed(views, record):
    return draw(views, record, [550, 590], 0.6, seed=3)


def draw(views, record, days, ratio, seed):
    """What is observed of days of the record."""
    return views.observe(record.take(torch.tensor(days)), torch.Generator().manual_seed(seed), ratio)


def test_baselines_see_what_the_encoder_sees(record, views, observed):
    """Zero where masked, the enlarged day elsewhere: the sparse view of the same seed."""
    days = record.values[[550, 590]]
    sparse = views.sparse(record.take(torch.tensor([550, 590])), torch.Generator().manual_seed(3), 0.6)
    shown = views.enlarged(days * observed.observed) if views.native else views.enlarged(days) * observed.observed
    torch.testing.assert_close(sparse, shown)
    torch.testing.assert_close(observed.shown, observed.observed * (days if views.native else views.enlarged(days)))
    assert 0.35 < observed.observed.mean() < 0.45 and set(observed.observed.unique().tolist()) == {0.0, 1.0}
    assert observed.dates.tolist() == record.dates(torch.tensor([550, 590])).astype("M8[s]").tolist()


def test_the_enlarged_grids_points_are_where_torch_puts_them(record):
    """torch's linear resizing of the coordinate itself, away from the ends, which it clamps."""
    axis = np.linspace(-87.5, 87.5, 36)
    line = torch.nn.functional.interpolate(torch.from_numpy(axis)[None, None], 80, mode="linear")[0, 0].numpy()
    fine = Domain(axis, record.longitude).resized((80, 32)).latitude
    np.testing.assert_allclose(fine[1:-1], line[1:-1])
    np.testing.assert_allclose(np.diff(fine), 175 / 35 * 36 / 80)
    same = Domain(axis, record.longitude).resized((36, 32))
    np.testing.assert_allclose(same.latitude, axis)
    np.testing.assert_allclose(same.longitude, record.longitude)


def test_nearest_is_the_brute_force_nearest(record, views, observed):
    made = nearest(observed, views, record)
    sources, targets = (domain.positions().reshape(-1, 3).numpy() for domain in (views.observed_on, record.domain))
    distance = 1 - targets @ sources.T
    for day, variable in np.ndindex(2, 5):
        mask = observed.observed[day, variable].flatten().numpy() > 0
        values = observed.values[day, variable].flatten().numpy()
        field = made[day, variable].flatten().numpy()
        shortest = distance[:, mask].min(1)
        for k in range(0, len(field), 7):  # any of those at the shortest distance
            ties = mask & (distance[k] < shortest[k] + 1e-9)
            assert field[k] in values[ties]


def test_linear_interpolation_of_a_plane_is_exact_and_crosses_the_date_line(record, views, observed):
    latitude = torch.from_numpy(views.observed_on.latitude).float()
    plane = (2 * latitude[:, None] + 1).expand(observed.values.shape).contiguous()
    mask = observed.observed.clone()
    mask[..., [0, -1], :] = 1  # so that every point lies between observed ones
    made = linear(Sample(plane, mask, observed.time), views, record)
    inside = np.abs(record.latitude) <= float(latitude.abs().max())
    expected = torch.from_numpy(2 * record.latitude + 1).float()[:, None].expand(made.shape)
    torch.testing.assert_close(made[:, :, inside], expected[:, :, inside], atol=1e-3, rtol=0)


def test_linear_interpolation_joins_the_first_and_last_longitude(record, native):
    values = torch.zeros(1, 1, 16, 32)
    values[..., [0, 30]] = 1.0
    values[..., 31] = torch.nan  # between columns 30 and 0
    made = linear(Sample.of(values), native, record)
    torch.testing.assert_close(made[..., 31], torch.ones(1, 1, 16), atol=1e-5, rtol=0)


def interpolated(experiment, record, domain, field, target=None, masked=0.6):
    """What linear interpolation makes, on a target, of a field (H, W) that is partly masked at random, and its mask."""
    mask = np.random.default_rng(5).uniform(size=field.shape) > masked
    mask[[0, 0, -1, -1], [0, -1, 0, -1]] = True  # the corners, so that nothing lies beyond
    sample = Sample.of(torch.from_numpy(np.where(mask, field, np.nan).astype(np.float32))[None, None])
    record = dataclasses.replace(record, domain=target or domain)
    return linear(sample, Views(experiment, domain), record)[0, 0].numpy(), mask


def test_linear_interpolation_of_a_region_is_scipys_on_its_own_coordinates(experiment, record):
    latitude, longitude = np.linspace(40, 69, 16), np.linspace(10, 39, 30)
    y, x = np.meshgrid(latitude, longitude, indexing="ij")
    made, _ = interpolated(experiment, record, Domain(latitude, longitude), 2 * x - 3 * y + 1)
    np.testing.assert_allclose(made, 2 * x - 3 * y + 1, atol=1e-4)
    rough = np.random.default_rng(6).normal(size=y.shape).astype(np.float32)
    made, mask = interpolated(experiment, record, Domain(latitude, longitude), rough)
    expected = griddata(np.stack([y[mask], x[mask]], -1), rough[mask], (y, x))
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("first", [0.0, 3.7, -171.0])
def test_linear_interpolation_wraps_a_globe_wherever_it_begins(experiment, record, first):
    """The field is linear in longitude between its columns and joins the last one to the first."""
    latitude, longitude = np.linspace(-84, 84, 15), first + 10.0 * np.arange(36)
    field = np.broadcast_to(np.abs(np.arange(36) - 18.0), (15, 36)).copy()
    globe, shifted = Domain(latitude, longitude), Domain(latitude[1:-1], longitude + 5)
    made, _ = interpolated(experiment, record, globe, field, masked=0.0)
    np.testing.assert_allclose(made, field, atol=1e-4)
    between, _ = interpolated(experiment, record, globe, field, target=shifted, masked=0.0)
    expected = (field + np.roll(field, -1, axis=1))[1:-1] / 2
    np.testing.assert_allclose(between, expected, atol=1e-4)


def test_optimal_interpolation_is_the_dense_one(record, views, observed):
    """B H' (H B H' + R)^-1 y with B = E V E' and H the way to the observed points, in float64."""
    method = fit_methods(record, 20)["optimal interpolation"]
    patterns, variance = method.patterns.double(), method.variance.double()
    climatology = method.climatology.at_dates(record.dates(torch.tensor([550, 590])))
    made = method(observed, views).flatten(1)
    for k in range(2):
        mask = observed.observed[k].flatten() > 0
        identity = torch.eye(5 * 16 * 32).unflatten(1, (5, 16, 32))
        h = (identity if views.native else views.enlarged(identity)).flatten(1).double().T[mask]
        b = patterns.T @ torch.diag(variance) @ patterns
        inner = h @ b @ h.T + float(method.unexplained) * torch.eye(len(h)).double()
        normal = climatology[k].flatten().double()
        anomaly = observed.values[k].flatten()[mask].double() - h @ normal
        expected = normal + b @ h.T @ torch.linalg.solve(inner, anomaly)
        assert made[k].numpy() == pytest.approx(expected.numpy(), abs=2e-3)


def test_truncation_errors_of_the_bundled_climate():
    """Test days on 50, 250 and 1,000 EOFs of anomalies from the training mean, and climatology itself."""
    record = load_record(Experiment())
    days, train = (record.split(name).values for name in ("downstream_test", "train"))
    climatology = Climatology.fit(record).at_dates(record.dates(record.splits["downstream_test"]))
    assert float((days - climatology).square().mean()) == pytest.approx(0.284, abs=0.002)
    train = train.flatten(1)
    patterns = eofs(train - train.mean(0), 1000)
    x = days.flatten(1) - train.mean(0)
    for modes, expected in ((50, 0.124), (250, 0.028), (1000, 0.0043)):
        rest = x - x @ patterns[:modes].T @ patterns[:modes]
        assert float(rest.square().mean()) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", BASELINES)
def test_more_observations_never_make_it_much_worse(record, native, name):
    method, days = fit_methods(record, 30)[name], [520, 550, 590]
    errors = [float((method(draw(native, record, days, ratio, 0), native) - record.values[days]).square().mean())
              for ratio in (0.95, 0.5, 0.0)]  # fmt: skip
    if name == "climatology":
        assert errors[0] == errors[1] == errors[2]
    else:
        assert errors[0] > errors[1] > errors[2]
    if name in ("nearest", "linear interpolation"):
        assert errors[2] < 1e-9


def test_a_day_of_which_nearly_nothing_is_observed_is_refused(record, native):
    blind = draw(native, record, [550], 1.0, 0)
    with pytest.raises(DataError, match=r"^2002-07-05 shows 0 values of 2m_temperature, too few to interpolate; mask"):
        nearest(blind, native, record)
