"""Peers against closed forms, and the benchmark that compares them: same days, ratios, and what is on the disk."""

import dataclasses
import sys

import numpy as np
import pytest
import torch

from benchmarks.peers import Method, load
from benchmarks.peers.__main__ import main
from benchmarks.peers.archive import KINDS, Archive, Sparse, errors
from benchmarks.peers.measured import Plan, Result, measure
from benchmarks.peers.ours import ours
from benchmarks.peers.table import beaten, text
from sparta_core.errors import ExperimentError
from sparta_core.tasks.assimilation import Assimilator
from sparta_core.tasks.assimilation.fitted import trained_system
from sparta_core.tasks.assimilation.scores import cycled
from sparta_core.training.records import open_record

REASON = "an optional package of the extra 'peers' is not installed"
RADIUS = 6371.0  # km


@pytest.fixture(scope="module")
def experiment(globe):
    return globe(backbone="none", autoencoder_epochs=0, assimilation_members=4)


@pytest.fixture(scope="module")
def record(experiment):
    return open_record(experiment).anomalies


@pytest.fixture(scope="module")
def archive(record):
    return Archive(record)


def with_days(record, values):
    """The record with other training days, (T, C, H, W); the others stay."""
    changed = record.values.clone()
    changed[: len(values)] = torch.from_numpy(values).float()
    splits = record.splits | {"train": range(len(values))}
    return Archive(dataclasses.replace(record, values=changed, splits=splits, climatology=None))


def chords(archive):
    """Between all points, in radii."""
    x = archive.positions
    return np.sqrt(np.maximum(2 - 2 * x @ x.T, 0))


def draws(archive, covariance, days):
    """Days (T, C, H, W) of a covariance (P, P), all variables alike."""
    root = np.linalg.cholesky(covariance + 1e-8 * np.eye(len(covariance)))
    noise = np.random.default_rng(0).normal(size=(days, len(archive.variables), len(root)))
    return (noise @ root.T).reshape(days, len(archive.variables), *archive.area.shape)


class MadeUp(Method):
    """Keeps what is observed and says `rest` elsewhere; can be stopped before one of its calls."""

    title, cannot = "made up", "knows nothing"

    def __init__(self, rest=0.0, stop=None):
        self.rest, self.stop, self.calls = rest, stop, []

    def made_with(self):
        return {"rest": str(self.rest)}

    def fit(self, archive):
        return "nothing"

    def __call__(self, sparse):
        if len(self.calls) == self.stop:
            raise KeyboardInterrupt
        self.calls.append((sparse.kind, sparse.seed, [*sparse.scored]))
        return np.nan_to_num(sparse.values, nan=self.rest)


def test_sparse_days_show_what_the_networks_show(record):
    sparse = Sparse(record, "3 % of the values", 5, range(500, 520), range(505, 520, 5))
    assert sparse.values.shape == (3, 5, 16, 32)
    for number, day in enumerate(sparse.scored):
        truth = record.take(slice(day, day + 1)).values.numpy()[0]
        seen = np.flatnonzero(~np.isnan(sparse.values[number]))
        assert np.array_equal(seen, sparse.places[day])
        assert np.array_equal(sparse.values[number].ravel()[seen], truth.ravel()[seen])
    assert np.isfinite(sparse.values).mean() == pytest.approx(0.03, rel=0.2)


def test_errors_are_weighted_by_area_and_told_where_nothing_is_observed(record):
    sparse = Sparse(record, "30 % of the values", 0, range(500, 504), range(500, 504, 2))
    latitude = np.deg2rad(np.asarray(record.latitude, dtype=float))
    weight = np.cos(latitude)[:, None] * np.ones(32)
    made = np.nan_to_num(sparse.values, nan=0.5)
    everywhere, unseen = errors(made, sparse, Archive(record).area)
    for channel in range(5):
        wrong, missing = (made - sparse.truth)[:, channel] ** 2, np.isnan(sparse.values[:, channel])
        assert everywhere[channel] == pytest.approx((wrong * weight).sum() / (2 * weight.sum()), rel=1e-3)
        assert unseen[channel] == pytest.approx((wrong * weight).sum() / (missing * weight).sum(), rel=1e-3)


def test_least_squares_recovers_what_eofs_span_and_solves_the_normal_equations(archive):
    pytest.importorskip("xeofs", reason=REASON)
    made = load("eofs")
    made.std, generator = np.array([1.0, 2.0])[:, None, None], np.random.default_rng(0)
    made.patterns = generator.normal(size=(6, 2, 4, 8))
    days = np.tensordot(generator.normal(size=(3, 6)), made.patterns, 1) * made.std
    sparse = np.where(generator.random(days.shape) < 0.4, days, np.nan)
    np.testing.assert_allclose(made.filled(sparse, 6), days, atol=1e-5)
    noisy = sparse + generator.normal(size=days.shape)
    for day, filled in zip(noisy, made.filled(noisy, 4), strict=True):
        seen = ~np.isnan(day)
        shown = made.patterns[:4, seen]
        scores = np.linalg.solve(shown @ shown.T, shown @ (day / made.std)[seen])
        np.testing.assert_allclose(filled, np.tensordot(scores, made.patterns[:4], 1) * made.std, atol=1e-5)


def test_eofs_are_the_singular_vectors_of_area_weighted_days(archive):
    module = pytest.importorskip("benchmarks.peers.eofs", reason=REASON, exc_type=ImportError)
    std = np.sqrt(np.square(archive.train, dtype=float).mean((0, 2, 3)))[:, None, None]
    root = np.sqrt(np.cos(np.deg2rad(archive.latitude)))[:, None]
    vectors = np.linalg.svd((archive.train / std * root).reshape(len(archive.train), -1), full_matrices=False)[2]
    made = module.patterns(archive, std, 4) * root
    np.testing.assert_allclose(np.abs(made.reshape(4, -1) @ vectors[:4].T), np.eye(4), atol=1e-3)


def test_kriging_solves_the_dense_system_of_ordinary_kriging(archive):
    gstools = pytest.importorskip("gstools", reason=REASON)
    peer, length, nugget = load("kriging"), 2500.0, 0.2
    peer.scale = np.random.default_rng(1).uniform(0.5, 2, (5, 512))
    peer.places = tuple(each.reshape(-1) for each in archive.record.domain.places())
    model = gstools.Exponential(latlon=True, geo_scale=gstools.KM_SCALE, var=1.5, len_scale=length, nugget=nugget)
    places = archive.points(60, seed=3)
    values = np.random.default_rng(2).normal(size=60)
    covariance = 1.5 * np.exp(-chords(archive) * RADIUS / length) + nugget * np.eye(512)
    system = np.block([[covariance[np.ix_(places, places)], np.ones((60, 1))], [np.ones((1, 60)), np.zeros((1, 1))]])
    weights = np.linalg.solve(system, np.vstack([covariance[places], np.ones(512)]))[:60]
    expected = (values / peer.scale[1, places]) @ weights * peer.scale[1]
    made = peer.filled(model, 1, places, values)
    np.testing.assert_allclose(made, expected, atol=1e-6)
    np.testing.assert_allclose(made[places], values, atol=1e-6)


def test_variograms_find_the_length_of_draws(archive):
    pytest.importorskip("gstools", reason=REASON)
    made = draws(archive, np.exp(-chords(archive) * RADIUS / 1500.0), 200)
    peer = load("kriging")
    drawn = with_days(archive.record, made)
    peer.scale = drawn.scale.reshape(5, -1).astype(float)
    peer.places = tuple(each.reshape(-1) for each in archive.record.domain.places())
    model = peer.fitted(drawn, 2)["Exponential"]
    assert model.len_scale == pytest.approx(1500, rel=0.1) and model.sill == pytest.approx(1, rel=0.1)
    assert model.nugget < 0.02


def test_a_gaussian_process_has_the_closed_forms_mean(archive):
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    peer = load("gaussian_process")
    peer.scale, peer.positions = np.random.default_rng(1).uniform(0.5, 2, (5, 512)), archive.positions
    kernel = ConstantKernel(1.3) * Matern(0.6, nu=1.5) + WhiteKernel(0.1)
    places, values = archive.points(80, seed=4), np.random.default_rng(5).normal(size=80)
    distance = np.sqrt(3) * chords(archive)[:, places] / 0.6
    covariance = 1.3 * (1 + distance) * np.exp(-distance)
    known = np.linalg.solve(covariance[places] + 0.1 * np.eye(80), values / peer.scale[3, places])
    np.testing.assert_allclose(peer.filled(kernel, 3, places, values), covariance @ known * peer.scale[3], atol=1e-6)


@pytest.mark.filterwarnings("ignore:The optimal value found")  # of a shape that the draws have not
def test_a_gaussian_process_finds_the_length_of_draws(archive, monkeypatch):
    from benchmarks.peers import gaussian_process as module

    monkeypatch.setattr(module, "POINTS", 80)
    monkeypatch.setattr(module, "SHAPES", {name: module.SHAPES[name] for name in ("Matern 1/2", "RBF")})
    peer = load("gaussian_process")
    said = peer.fit(with_days(archive.record, draws(archive, np.exp(-0.5 * (chords(archive) / 0.5) ** 2), 200)))
    assert said.count("RBF") == 5
    for kernel in peer.kernels:
        assert kernel.k1.k2.length_scale == pytest.approx(0.5, rel=0.1)
        assert kernel.k2.noise_level < 0.01


def test_dineof_recovers_a_field_of_rank_two_and_keeps_what_is_observed():
    module = pytest.importorskip("benchmarks.peers.dineof", reason=REASON, exc_type=ImportError)
    generator = np.random.default_rng(0)
    slow = 2 * np.pi * np.arange(80) / 40  # which its filter in time leaves as it is
    truth = (np.stack([np.sin(slow), np.cos(1.5 * slow)], 1) @ generator.normal(size=(2, 120))).reshape(80, 12, 10)
    days = truth.copy()
    days[60:][generator.random((20, 12, 10)) < 0.5] = np.nan
    made = module.filled(days, 60, 6)
    seen = ~np.isnan(days)
    assert np.array_equal(made[seen], truth[seen])
    assert np.square(made - truth)[~seen].mean() < 3e-3 * truth.var()


def test_a_neural_process_sees_round_the_globe_and_learns(record, monkeypatch):
    pytest.importorskip("deepsensor", reason=REASON)
    monkeypatch.setattr("benchmarks.peers.archive.TRIED", 4)
    peer, archive = load("convnp"), Archive(record)
    peer.minutes, peer.channels = 0.03, (8, 8)
    peer.fit(archive)
    values = np.arange(2 * 5 * 16 * 32, dtype=np.float32).reshape(2, 5, 16, 32)
    task = peer.task(values)
    assert task["Y_c"][1].shape == (2, 1, 16, 32 + 2 * peer.wrap)
    assert np.array_equal(task["Y_c"][1][..., : peer.wrap], values[:, 1, None, :, -peer.wrap :])
    assert np.array_equal(task["Y_c"][1][..., -peer.wrap :], values[:, 1, None, :, : peer.wrap])
    sparse = archive.validation["30 % of the values"]
    assert archive.error(peer(sparse), sparse) < archive.error(np.zeros_like(sparse.values), sparse)


def test_all_methods_are_scored_on_the_same_days_of_the_last_split(record, tmp_path):
    methods = {"single_day": MadeUp(0.1), "made_up": MadeUp()}
    plan = Plan(record, 7, 2, tmp_path)
    found = measure(methods, plan)
    test = record.splits["downstream_test"]
    assert methods["made_up"].calls == methods["single_day"].calls
    assert [call[:2] for call in methods["made_up"].calls] == [(kind, seed) for seed in (0, 1) for kind in KINDS]
    (days,) = {tuple(call[2]) for call in methods["made_up"].calls}
    assert len(days) == 7 and set(days) <= set(test) and np.ptp(np.diff(days)) == 0 and days[-1] > test.stop - 1.2 * (
        days[1] - days[0] + len(test) % 7)  # fmt: skip
    truth = record.take(plan.scored).values.numpy().astype(float)
    for sparse, score in zip(plan.sparse(), found["made_up"].scores, strict=True):
        wrong = np.where(np.isnan(sparse.values), truth, 0) ** 2 * record.cell_area.numpy()
        np.testing.assert_allclose(score["mse"], wrong.mean((0, 2, 3)), rtol=1e-5)


def test_a_run_that_was_stopped_goes_on_and_other_settings_begin_anew(record, tmp_path):
    stopped, going_on, more = MadeUp(stop=4), MadeUp(), MadeUp()
    with pytest.raises(KeyboardInterrupt):
        measure({"made_up": stopped}, Plan(record, 3, 2, tmp_path))
    found = measure({"made_up": going_on}, Plan(record, 3, 2, tmp_path))["made_up"]
    assert [call[:2] for call in stopped.calls + going_on.calls] == [(k, seed) for seed in (0, 1) for k in KINDS]
    whole = measure({"made_up": MadeUp()}, Plan(record, 3, 2, tmp_path / "whole"))["made_up"]
    for kind in KINDS:
        assert np.array_equal(found.mse(kind), whole.mse(kind)) and found.mse(kind).shape == (2, 5)
    assert measure({"made_up": more}, Plan(record, 3, 1, tmp_path))["made_up"].mse("points").shape == (1, 5)
    assert not more.calls
    for changed, plan in ((MadeUp(0.2), Plan(record, 3, 1, tmp_path)), (MadeUp(0.2), Plan(record, 4, 1, tmp_path))):
        measure({"made_up": changed}, plan)
        assert len(changed.calls) == 3


@pytest.mark.parametrize("name", ["single_day", "constant"])
def test_ours_are_what_the_task_scores(experiment, record, tmp_path, name):
    plan = Plan(record, len(record.splits["downstream_test"]), 1, tmp_path)
    found = measure({name: ours(experiment)[name]}, plan)[name]
    for kind in ("points", "3 % of the values"):
        expected = cycled(record, trained_system(experiment), Assimilator.kind(name)(), kind, 0)
        np.testing.assert_allclose(found.mse(kind)[0], expected.mse, rtol=1e-4)


def result(title, errors, unseen=None):
    scores = [{"kind": kind, "seed": seed, "mse": (factor * np.array(errors)).tolist(), "seconds": 0.5,
               "unseen": (factor * np.array(unseen or errors)).tolist()}
              for kind in KINDS for seed, factor in enumerate((1, 2))]  # fmt: skip
    return Result(title, "knows nothing", "nothing", 90.0, scores)


def test_a_table_tells_ratios_and_first_where_a_peer_is_better():
    found = {"one": result("one", [0.3, 0.1]), "two": result("two", [0.05, 0.12]),
             "single_day": result("single", [0.1, 0.2]), "ensemble": result("cycle", [0.06, 0.14])}  # fmt: skip
    single, best = beaten(found, ["t", "u"])
    assert single.startswith("Better than our single-day optimal interpolation: one, 150 fixed points of all variables")
    assert single.count("variables: u 0.5x; two, ") == 1
    assert "two, 3 % of the values, others each day: mean of the variables 0.567x, t 0.5x, u 0.6x" in single
    assert best.count("mean of the variables 0.85x, t 0.833x, u 0.857x") == 3 and best.count(": u 0.714x") == 3
    said = text(found, ["t", "u"], "Two days.")
    assert said.index("Better than") < said.index("| observed |")
    assert "| one | 0.3 | 1.33x | 1.33x | t 3x | 0.5 |" in said
    assert said.index("| two |") < said.index("| cycle | 0.15") < said.index("| single | 0.225")
    worse = {"one": result("one", [0.3, 0.3]), "single_day": result("single", [0.1, 0.2])}
    assert all(line.endswith("no peer, for no variable.") for line in beaten(worse, ["t", "u"]))


def test_a_missing_package_is_named(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "benchmarks.peers.kriging", raising=False)
    monkeypatch.setitem(sys.modules, "gstools", None)
    with pytest.raises(ExperimentError, match=r"^kriging needs gstools: pip install 'sparta-core\[peers\]'$"):
        load("kriging")
    with pytest.raises(SystemExit, match="kriging needs gstools"):
        main(["--peers", "kriging"])


def test_an_unknown_peer_is_refused_with_the_near_one():
    with pytest.raises(SystemExit, match=r"no peer krigging \(did you mean kriging\?\); choose of kriging, dineof"):
        main(["--peers", "krigging"])
