"""Fields from sparse observations: closed forms, dense float64 references, and both mask grids."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.interpolate import griddata

from sparta_core.baselines.climatology import Climatology
from sparta_core.baselines.interpolation import (
    BASELINES,
    ObservationGrid,
    Observed,
    fit_methods,
    linear,
    nearest,
    resized,
)
from sparta_core.data.domain import Domain
from sparta_core.data.fields import load_fields
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.modes import eofs
from sparta_core.training.workbench import Workbench
from sparta_core.views.augment import Views


@pytest.fixture
def bench(tiny):
    return Workbench.of(tiny(view_size=(20, 40), crop_from=(22, 44)))


@pytest.fixture(params=["native", "enlarged"])
def observed(request, bench):
    grid = ObservationGrid.of(request.param, bench.fields, bench.views)
    return Observed.draw(grid, bench.fields, torch.tensor([550, 590]), 0.6, seed=3)


def with_values(observed, values):
    return dataclasses.replace(observed, values=values)


def test_baselines_see_what_the_encoder_sees(bench, observed):
    """Zero where hidden, the enlarged day elsewhere: the sparse view of the same seed."""
    enlarged = observed.values.shape[-1] == 40
    experiment = bench.experiment.replace(mask_grid="enlarged" if enlarged else "native")
    views = Views(experiment, bench.fields.latitude, bench.fields.longitude)
    sparse = views.sparse(bench.fields.values[observed.days], torch.Generator().manual_seed(3), 0.6)
    shown = observed.values * observed.seen
    torch.testing.assert_close(sparse, shown if enlarged else views.full(shown))
    assert 0.35 < observed.seen.float().mean() < 0.45


def test_the_enlarged_grids_points_are_where_torch_puts_them():
    """torch's linear resizing of the coordinate itself, away from the ends, which it clamps."""
    axis = np.linspace(-87.5, 87.5, 36)
    line = torch.nn.functional.interpolate(torch.from_numpy(axis)[None, None], 80, mode="linear")[0, 0].numpy()
    fine = resized(axis, 80)
    np.testing.assert_allclose(fine[1:-1], line[1:-1])
    np.testing.assert_allclose(np.diff(fine), 175 / 35 * 36 / 80)
    np.testing.assert_allclose(resized(axis, 36), axis)


def test_nearest_is_the_brute_force_nearest(bench, observed):
    made = nearest(observed, bench.fields)
    sources, targets = (domain.positions().reshape(-1, 3).numpy()
                        for domain in (observed.grid.domain, bench.fields.domain))  # fmt: skip
    distance = 1 - targets @ sources.T
    for day, variable in np.ndindex(2, 5):
        mask = observed.seen[day, variable].flatten().numpy()
        values = observed.values[day, variable].flatten().numpy()
        field = made[day, variable].flatten().numpy()
        shortest = distance[:, mask].min(1)
        for k in range(0, len(field), 7):  # any of those at the shortest distance
            ties = mask & (distance[k] < shortest[k] + 1e-9)
            assert field[k] in values[ties]


def test_linear_interpolation_of_a_plane_is_exact_and_crosses_the_date_line(bench, observed):
    latitude = torch.from_numpy(observed.grid.domain.latitude).float()
    plane = (2 * latitude[:, None] + 1).expand(observed.values.shape).contiguous()
    seen = observed.seen.clone()
    seen[..., [0, -1], :] = True  # so that every point lies between seen ones
    made = linear(dataclasses.replace(observed, values=plane, seen=seen), bench.fields)
    inside = np.abs(bench.fields.latitude) <= float(latitude.abs().max())
    expected = torch.from_numpy(2 * bench.fields.latitude + 1).float()[:, None].expand(made.shape)
    torch.testing.assert_close(made[:, :, inside], expected[:, :, inside], atol=1e-3, rtol=0)


def test_linear_interpolation_joins_the_first_and_last_longitude(bench):
    grid = ObservationGrid.of("native", bench.fields, bench.views)
    values = torch.zeros(1, 1, 16, 32)
    values[..., [0, 30]] = 1.0
    seen = torch.ones(1, 1, 16, 32, dtype=torch.bool)
    seen[..., 31] = False  # between columns 30 and 0
    made = linear(Observed(grid, values, seen, torch.tensor([550])), bench.fields)
    torch.testing.assert_close(made[..., 31], torch.ones(1, 1, 16), atol=1e-5, rtol=0)


def on_axes(bench, latitude, longitude, field, hidden=0.6):
    """What linear interpolation makes of a field (H, W) of which a random part is hidden, and what it was shown."""
    fields = dataclasses.replace(bench.fields, latitude=latitude, longitude=longitude)
    seen = torch.from_numpy(np.random.default_rng(5).uniform(size=(1, 1, *field.shape)) > hidden)
    seen[..., [0, 0, -1, -1], [0, -1, 0, -1]] = True  # the corners, so that nothing lies beyond
    grid = ObservationGrid.of("native", fields, bench.views)
    values = torch.from_numpy(field.astype(np.float32))[None, None] * seen
    return linear(Observed(grid, values, seen, torch.tensor([550])), fields)[0, 0].numpy(), seen[0, 0].numpy()


def test_linear_interpolation_of_a_region_is_scipys_on_its_own_coordinates(bench):
    latitude, longitude = np.linspace(40, 69, 16), np.linspace(10, 39, 30)
    y, x = np.meshgrid(latitude, longitude, indexing="ij")
    made, _ = on_axes(bench, latitude, longitude, 2 * x - 3 * y + 1)
    np.testing.assert_allclose(made, 2 * x - 3 * y + 1, atol=1e-4)
    rough = np.random.default_rng(6).normal(size=y.shape).astype(np.float32)
    made, seen = on_axes(bench, latitude, longitude, rough)
    expected = griddata(np.stack([y[seen], x[seen]], -1), rough[seen], (y, x))
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("first", [0.0, 3.7, -171.0])
def test_linear_interpolation_wraps_a_globe_wherever_it_begins(bench, first):
    """The field is linear in longitude between its columns and joins the last one to the first."""
    latitude, longitude = np.linspace(-84, 84, 15), first + 10.0 * np.arange(36)
    field = np.broadcast_to(np.abs(np.arange(36) - 18.0), (15, 36)).copy()
    made, _ = on_axes(bench, latitude, longitude, field, hidden=0.0)
    np.testing.assert_allclose(made, field, atol=1e-4)
    shifted = dataclasses.replace(bench.fields, latitude=latitude[1:-1], longitude=longitude + 5)
    seen = torch.ones(1, 1, 15, 36, dtype=torch.bool)
    grid = ObservationGrid(Domain(latitude, longitude), lambda days: days, bench.views.sparsity)
    between = linear(Observed(grid, torch.from_numpy(field)[None, None].float(), seen, torch.tensor([0])), shifted)
    expected = (field + np.roll(field, -1, axis=1))[1:-1] / 2
    np.testing.assert_allclose(between[0, 0], expected, atol=1e-4)


def test_optimal_interpolation_is_the_dense_one(bench, observed):
    """B H' (H B H' + R)^-1 y with B = E V E' and H the way to the observed points, in float64."""
    method = fit_methods(bench.fields, 20)["optimal interpolation"]
    patterns, variance = method.patterns.double(), method.variance.double()
    usual = method.climatology.at(bench.fields.day_of_year[observed.days.numpy()])
    made = method(observed).flatten(1)
    for k in range(2):
        mask = observed.seen[k].flatten()
        identity = torch.eye(5 * 16 * 32).unflatten(1, (5, 16, 32))
        h = observed.grid.project(identity).flatten(1).double().T[mask]
        b = patterns.T @ torch.diag(variance) @ patterns
        inner = h @ b @ h.T + float(method.unexplained) * torch.eye(len(h)).double()
        departure = observed.values[k].flatten()[mask].double() - h @ usual[k].flatten().double()
        expected = usual[k].flatten().double() + b @ h.T @ torch.linalg.solve(inner, departure)
        assert made[k].numpy() == pytest.approx(expected.numpy(), abs=2e-3)


def test_truncation_errors_of_the_bundled_climate():
    """Test days on 50, 250 and 1,000 EOFs of departures from the training mean, and climatology itself."""
    fields = load_fields(Experiment())
    days = torch.arange(*(fields.splits["downstream_test"].start, fields.splits["downstream_test"].stop))
    climatology = Climatology.fit(fields)
    usual = climatology.at(fields.day_of_year[days.numpy()])
    assert float((fields.values[days] - usual).square().mean()) == pytest.approx(0.284, abs=0.002)
    train = fields.split("train").flatten(1)
    patterns = eofs(train - train.mean(0), 1000)
    x = fields.values[days].flatten(1) - train.mean(0)
    for modes, expected in ((50, 0.124), (250, 0.028), (1000, 0.0043)):
        rest = x - x @ patterns[:modes].T @ patterns[:modes]
        assert float(rest.square().mean()) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("name", BASELINES)
def test_more_observations_never_make_it_much_worse(bench, name):
    method = fit_methods(bench.fields, 30)[name]
    days = torch.tensor([520, 550, 590])
    grid = ObservationGrid.of("native", bench.fields, bench.views)
    errors = [float((method(Observed.draw(grid, bench.fields, days, ratio, 0)) - bench.fields.values[days])
                    .square().mean()) for ratio in (0.95, 0.5, 0.0)]  # fmt: skip
    if name == "climatology":
        assert errors[0] == errors[1] == errors[2]
    else:
        assert errors[0] > errors[1] > errors[2]
    if name in ("nearest", "linear interpolation"):
        assert errors[2] < 1e-9


def test_a_day_of_which_nearly_nothing_is_seen_is_refused(bench):
    grid = ObservationGrid.of("native", bench.fields, bench.views)
    blind = Observed.draw(grid, bench.fields, torch.tensor([550]), 1.0, 0)
    with pytest.raises(DataError, match="day 550 shows 0 values of variable 0, too few to interpolate"):
        nearest(blind, bench.fields)
