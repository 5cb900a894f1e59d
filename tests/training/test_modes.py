"""Modes of an experiment: numpy's of the training days, their error on validation days, kept and read again."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from sparta_core import localised, progress
from sparta_core.data.record import load_record
from sparta_core.errors import DataError, ExperimentError, RunError
from sparta_core.localised import localised_eofs
from sparta_core.tasks.embeddings import embed
from sparta_core.training import modes as made
from sparta_core.training.modes import fit_modes, modes_of
from sparta_core.training.records import open_record, run_of
from sparta_core.training.runs import Run
from sparta_core.training.stages import representation
from tests.linear import LINEAR


@pytest.fixture
def experiment(tiny):
    return tiny(**LINEAR)


@pytest.fixture
def record(experiment):
    return open_record(experiment)


def kept(experiment):
    return modes_of(experiment, open_record(experiment))


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def never(monkeypatch):
    def forbid():
        def again(*_):
            raise AssertionError("fitted twice")

        monkeypatch.setattr(made, "fit_modes", again)

    return forbid


@pytest.mark.parametrize("length", [0.0, 8000.0])
def test_the_error_is_what_is_left_of_validation_days(record, length):
    """Least squares of each day on the patterns, in float64."""
    modes = fit_modes(record, 16, length, 4000.0)
    days = record.split("validation").values.double().numpy()
    flat, patterns = days.reshape(len(days), -1), modes.patterns.double().numpy()
    scores = np.linalg.lstsq(patterns.T, flat.T, rcond=None)[0]
    rest = (flat - scores.T @ patterns).reshape(days.shape)
    for variable in range(5):
        assert float(modes.error[variable]) == pytest.approx(np.mean(rest[:, variable] ** 2), rel=1e-4)
    everywhere = np.square(rest).mean(0).reshape(-1)
    np.testing.assert_allclose(modes.left_out, everywhere, rtol=1e-3, atol=1e-6 * everywhere.max())


def test_without_localisation_they_are_the_training_days_eofs(record):
    modes = fit_modes(record, 12, 0.0, 4000.0)
    train = record.split("train").values.flatten(1).double().numpy()
    _, singular, expected = np.linalg.svd(train, full_matrices=False)
    p = modes.patterns.double().numpy()
    np.testing.assert_allclose(modes.variance, singular[:12] ** 2 / len(train), rtol=1e-4)
    np.testing.assert_allclose(np.linalg.svd(p @ expected[:12].T)[1], 1, atol=1e-3)  # the same space


def test_localisation_is_in_kilometres(record):
    """Twice 6371 km is the longest chord there is."""
    modes = fit_modes(record, 16, 12742.0, 4000.0)
    places = record.domain.positions().flatten(0, 1)
    patterns, variance = localised_eofs(record.split("train").values.flatten(1), 16, places, 2.0)
    torch.testing.assert_close(modes.patterns, patterns)
    torch.testing.assert_close(modes.variance, variance)


def test_the_downstream_days_are_not_looked_at(record):
    values = record.values.clone()
    values[record.splits["downstream"].start :] = torch.nan
    unseen = dataclasses.replace(record, values=values)
    assert same(fit_modes(unseen, 16, 8000.0, 4000.0), fit_modes(record, 16, 8000.0, 4000.0))


def test_they_are_fitted_once_and_read_again(experiment, record, never):
    first = kept(experiment)
    assert same(first, fit_modes(record, 16, 8000.0, 4000.0))
    never()
    assert same(kept(experiment), first)
    assert same(kept(experiment.replace(fusion="gnn", width=8, autoencoder_epochs=7)), first)


@pytest.mark.parametrize("changes", [{"embedding": 12}, {"localisation": 8000.2}, {"residual_reach": 2000.0},
                                     {"split": (0.6, 0.3)}, {"anomalies": "climatology"}])
def test_other_modes_lie_elsewhere(experiment, changes):
    """A longer validation leaves the training days as they are, and what is left of validation days not."""
    first, other = kept(experiment), kept(experiment.replace(**changes))
    record = open_record(experiment.replace(**changes))
    wanted = {"embedding": 16, "localisation": 8000.0, "residual_reach": 4000.0} | changes
    assert same(other, fit_modes(record, wanted["embedding"], wanted["localisation"], wanted["residual_reach"]))
    assert not same(first, other) and same(kept(experiment), first)


def test_whoever_observes_the_days_shares_their_modes(experiment, tmp_path, never):
    stations = tmp_path / "stations.csv"
    pd.DataFrame({"lat": [10.0, -40.0, 60.0], "lon": [0.0, 100.0, 250.0]}).to_csv(stations)
    first = kept(experiment)
    never()
    assert same(kept(experiment.replace(sparsity="stations", stations=str(stations))), first)


def test_a_copy_of_the_data_is_no_stranger(experiment, tmp_path):
    copy = tmp_path / "copy.nc"
    copy.write_bytes(Path(experiment.data).read_bytes())
    assert same(kept(experiment), kept(experiment.replace(data=str(copy))))


@pytest.mark.parametrize("keep", [0, 200, -1])
def test_a_damaged_file_is_named(experiment, keep):
    kept(experiment)
    (path,) = (p for p in (Path(experiment.runs) / "modes").rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match=r"modes/.*/model.safetensors is damaged .*; delete it to train modes again"):
        kept(experiment)
    path.unlink()
    kept(experiment)


@pytest.mark.parametrize(("changes", "message"), [
    ({"embedding": 400, "localisation": 0.0}, "embedding is 400, and the 360 training days have 360 modes; choose"),
    ({"embedding": 600, "variables": ("geopotential",)}, "embedding is 600, and the 360 training days have 512 modes"),
])
def test_more_modes_than_there_are_is_refused(experiment, changes, message):
    with pytest.raises(ExperimentError) as error:
        kept(experiment.replace(**changes))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_grid_too_large_for_its_covariance_has_the_same_modes(experiment, record, monkeypatch):
    first = kept(experiment)
    monkeypatch.setattr(localised, "KEPT", 0)
    again = fit_modes(record, 16, 8000.0, 4000.0)
    torch.testing.assert_close(again.variance, first.variance, rtol=1e-3, atol=0)
    torch.testing.assert_close(again.error, first.error, rtol=1e-3, atol=0)


@pytest.mark.parametrize("rank", ["0", "1"])
def test_the_first_process_says_how_long_it_takes(record, monkeypatch, capsys, rank):
    monkeypatch.setattr(progress, "QUIET", -1.0)
    monkeypatch.setenv("RANK", rank)
    fit_modes(record, 16, 8000.0, 4000.0)
    lines = capsys.readouterr().out.splitlines()
    assert bool(lines) == (rank == "0")
    assert all(re.fullmatch(r"modes: \d+% of the products, (took )?\d.* (s|s left)", line) for line in lines)


@pytest.mark.parametrize(("length", "method"), [(0.0, None), (8000.0, made.METHOD)])
def test_only_localised_modes_say_how_they_were_fitted(experiment, length, method):
    kept(experiment.replace(localisation=length))
    (about,) = (Path(experiment.runs) / "modes").rglob("experiment.json")
    assert json.loads(about.read_text())["settings"].get("method") == method


@pytest.mark.parametrize("day", [100, 400])  # of training, of validation
def test_days_with_gaps_are_refused(experiment, tmp_path, day):
    data = xr.load_dataset(experiment.data)
    data["geopotential"][day, 3:5] = np.nan
    data.to_netcdf(tmp_path / "gaps.nc", engine="h5netcdf")
    gappy = experiment.replace(data=str(tmp_path / "gaps.nc"), gaps=True)
    with pytest.raises(DataError, match=r"days of .* have gaps, and modes need whole days; set linear_path=False"):
        fit_modes(load_record(gappy), 16, 8000.0, 4000.0)


def removed(modes):
    shutil.rmtree(modes)


def of_other_signs(modes):
    (path,) = modes.glob("*/model.safetensors")
    run = Run(path.parent, "modes", {}, "")
    tensors, about = run.load("model.safetensors")
    run.save("model.safetensors", tensors | {"patterns": -tensors["patterns"]}, about)


@pytest.mark.parametrize("changed", [removed, of_other_signs])
def test_a_finished_representation_has_modes_of_its_own(tiny, never, changed):
    """Those kept beside the runs may be gone, or have other signs, as if they were fitted on another machine."""
    experiment = tiny(**LINEAR, objective="autoencoder", autoencoder_epochs=1)
    days = open_record(experiment).split("downstream")
    expected = embeddings(representation(experiment), days)
    modes = Path(experiment.runs) / "modes"
    before = kept(experiment)
    changed(modes)
    never()
    again = representation(experiment)
    assert all(torch.equal(a, b) for a, b in zip(embeddings(again, days), expected, strict=True))
    assert same(again.modes, before) and modes.exists() == (changed is of_other_signs)


def embeddings(model, days):
    """Of whole days, and of sparse ones."""
    return embed(model, days), embed(model, days, 0.6, torch.Generator().manual_seed(0))


def test_asking_for_a_run_fits_nothing(experiment, record, never):
    never()
    runs = [run_of(experiment, name) for name in (*experiment.ancestry("decoder", "forecast"), "baselines")]
    assert {run.data for run in runs} == {record.fingerprint} and not any(run.finished for run in runs)
    assert not Path(experiment.runs).exists()
