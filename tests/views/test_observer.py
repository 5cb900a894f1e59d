"""What is observed: shares, places and patterns against brute force, errors against their closed form."""

import numpy as np
import pandas as pd
import pytest
import torch

from sparta_core.data.domain import Domain
from sparta_core.data.sample import Sample
from sparta_core.data.stations import nearest_points, read_stations
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.observe.masks import random_points
from sparta_core.observe.observer import Observer, noise_matrices
from sparta_core.processes import Part
from sparta_core.views.augment import Views
from tests.globe import axes

GRID = (32, 64)
LAT, LON = axes(*GRID)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def observe(days, ratio=None, seed=0, part=None, **settings):
    observer = Observer(Experiment(mask_grid="native", **settings), Domain(LAT, LON))
    return observer(Sample.of(days), generator(seed), ratio, part)


@pytest.fixture
def stations(tmp_path):
    """A CSV of sixty random places."""
    rng = np.random.default_rng(1)
    lat, lon = np.rad2deg(np.arcsin(rng.uniform(-1, 1, 60))), rng.uniform(-180, 180, 60)
    pd.DataFrame({"name": "station", "lat": lat, "lon": lon}).to_csv(tmp_path / "stations.csv", index=False)
    return tmp_path / "stations.csv"


def test_points_are_those_of_random_points_from_the_same_draws():
    days = torch.randn(4, 5, *GRID)
    sample = observe(days, 0.7)
    assert torch.equal(sample.observed, random_points(days.shape, 0.7, generator(), torch.float32))
    assert torch.equal(sample.values, days)


@pytest.mark.parametrize("kind, variables_alike", [("points", False), ("swaths", True), ("blocks", True)])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.8])
def test_the_share_that_is_dropped_is_the_ratio(kind, variables_alike, ratio):
    observed = observe(torch.zeros(200, 2, *GRID), ratio, sparsity=kind).observed
    assert set(observed.unique().tolist()) <= {0.0, 1.0}
    assert float(observed.mean()) == pytest.approx(1 - ratio, abs=0.02)
    assert torch.equal(observed[:, 0], observed[:, 1]) == (variables_alike or ratio == 0)


def test_a_ratio_of_its_own_for_every_sample():
    ratios = torch.tensor([0.1, 0.5, 0.9])
    for kind in ("points", "swaths"):
        observed = observe(torch.zeros(3, 1, *GRID), ratios, sparsity=kind).observed
        assert observed.mean((1, 2, 3)).tolist() == pytest.approx((1 - ratios).tolist(), abs=0.05)


def test_only_stations_report_each_with_its_share(stations):
    observed = observe(torch.zeros(50, 2, *GRID), 0.4, sparsity="stations", stations=str(stations)).observed
    found = torch.zeros(GRID, dtype=torch.bool).flatten()
    found[nearest_points(read_stations(str(stations)), Domain(LAT, LON))] = True
    assert not observed.flatten(2)[..., ~found].any()
    assert float(observed.flatten(2)[..., found].mean()) == pytest.approx(0.6, abs=0.02)


def test_swaths_are_as_many_strips_on_every_circle_of_latitude():
    observed = observe(torch.zeros(20, 1, *GRID), 0.5, sparsity="swaths", swaths=8).observed
    strips = (observed.diff(dim=-1, append=observed[..., :1]) > 0).sum(-1)
    assert (strips == 8).all()
    # An ascending track leans west of north: near the equator it moves with the turning of the Earth's orbit plane.
    assert not torch.equal(observed[:, :, 10], observed[:, :, 22])


def test_blocks_are_whole_squares():
    observed = observe(torch.zeros(30, 1, *GRID), 0.5, sparsity="blocks", block_size=4).observed
    jumps = observed.diff(dim=-1).abs().sum((0, 1, 2))
    places = jumps.nonzero().flatten()
    assert len(places) in (15, 16) and set((places[1:] - places[:-1]).tolist()) == {4}


def test_a_variable_is_missing_as_a_whole():
    observed = observe(torch.zeros(300, 5, *GRID), 0.0, variable_dropout=0.2).observed
    share = observed.mean((2, 3))
    assert set(share.unique().tolist()) == {0.0, 1.0}
    assert float(share.mean()) == pytest.approx(0.8, abs=0.05)


def test_what_is_nan_is_not_observed():
    days = torch.randn(3, 2, *GRID)
    days[0, 1, 4:9] = days[2] = torch.nan
    sample = observe(days, 0.0, gaps=True)
    assert torch.equal(sample.observed.bool(), ~days.isnan()) and sample.values.isfinite().all()
    views = Views(Experiment(mask_grid="native", gaps=True), Domain(LAT, LON))
    whole = Sample.of(days.nan_to_num(0))
    assert torch.equal(views.sparse(Sample.of(days), generator(), 0.0), views.shown(whole))


def test_errors_have_their_variance_and_correlation():
    rows, circles = noise_matrices(Domain(*axes(64, 128)), 1000.0)
    along, across = rows @ rows.T, circles @ circles.transpose(1, 2)
    assert torch.allclose(along.diagonal(), torch.ones(64).double()) and torch.allclose(
        across.diagonal(dim1=1, dim2=2), torch.ones(64, 128).double())  # fmt: skip
    latitude, longitude = (np.deg2rad(axis) for axis in axes(64, 128))
    for column in range(0, 8):
        distance = 6371 * np.cos(latitude[32]) * longitude[column] / 1000
        assert float(across[32, 0, column]) == pytest.approx(np.exp(-(distance**2) / 2), abs=2e-3)
    for row in range(20, 44):
        distance = 6371 * (latitude[row] - latitude[32]) / 1000
        assert float(along[32, row]) == pytest.approx(np.exp(-(distance**2) / 2), abs=2e-3)


@pytest.mark.parametrize("length", [0.0, 2000.0])
def test_errors_are_added_where_observed(length):
    days = torch.zeros(400, 1, *GRID)
    values = observe(days, 0.0, noise=0.5, noise_length=length).values
    assert float(values.std()) == pytest.approx(0.5, rel=0.03)
    side = (values[..., :-1] * values[..., 1:]).mean((0, 1, 3))[16] / 0.25
    distance = 6371 * np.cos(np.deg2rad(LAT[16])) * np.deg2rad(LON[1])
    expected = np.exp(-((distance / length) ** 2) / 2) if length else 0
    assert float(side) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("settings", [
    {}, {"sparsity": "swaths"}, {"sparsity": "blocks"}, {"variable_dropout": 0.3},
    {"noise": 0.1, "noise_length": 900.0}])
def test_a_part_of_a_batch_is_seen_as_in_the_whole(settings):
    days = torch.randn(6, 2, *GRID)
    whole = observe(days, None, **settings)
    rows = slice(2, 5)
    part = observe(days[rows], None, part=Part(6, rows), **settings)
    assert torch.allclose(part.values, whole.values[rows]) and torch.equal(part.observed, whole.observed[rows])


@pytest.mark.parametrize("settings, message", [
    ({"sparsity": "swaths"}, "sparsity='swaths' has places on the globe.*mask_grid='native'"),
    ({"gaps": True}, "gaps has places"), ({"noise_length": 5.0}, "noise_length has places"),
    ({"sparsity": "stations", "mask_grid": "native"}, "for stations give both"),
    ({"stations": "x.csv"}, "for anything else neither"), ({"sparsity": "stripes"}, "sparsity is 'stripes'; choose"),
    ({"noise": -1.0}, "noise is -1.0"), ({"variable_dropout": 1.0}, "variable_dropout is 1.0"),
    ({"swaths": 0}, "swaths is 0; it must be above 0")])
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ExperimentError, match=message):
        Experiment(**settings)
