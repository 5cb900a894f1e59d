"""Scores kept beside a run: made once, made again for other settings, never read from a damaged or foreign file."""

import json
from dataclasses import replace

import pytest
import xarray as xr

from sparta_core.errors import RunError
from sparta_core.training.cached import cached, load_scores
from sparta_core.training.records import run_of


@pytest.fixture
def run(tiny):
    return run_of(tiny(), "baselines")


def counted(calls):
    def score():
        calls.append(1)
        return xr.Dataset({"mse": float(len(calls))})

    return score


def rows(scores):
    yield "all days", "mse", float(scores.mse)


def test_rows_of_the_score_card_go_with_them(run):
    """Of each model where there are several; whose they are is said."""
    several = xr.Dataset({"mse": ("model", [1.0, 2.5])}, {"model": ["a", "b"]})
    made = cached(run, "several.nc", "some", lambda: several, rows)
    assert json.loads(made.attrs["rows"]) == [["a", "all days", "mse", 1.0], ["b", "all days", "mse", 2.5]]
    single = cached(run, "scores.nc", "some", counted([]), rows)
    assert json.loads(single.attrs["rows"]) == [["", "all days", "mse", 1.0]]
    assert load_scores(run.path("several.nc")).attrs["task"] == "some"


def test_scored_once_for_the_same_settings(run):
    calls = []
    first = cached(run, "scores.nc", "some", counted(calls), rows, leads=5, ratios=[0.1, 0.5])
    assert cached(run, "scores.nc", "some", counted(calls), rows, ratios=[0.1, 0.5], leads=5).equals(first)
    assert len(calls) == 1
    assert cached(run, "scores.nc", "some", counted(calls), rows, leads=6, ratios=[0.1, 0.5]).mse == 2


def test_others_can_read_them(run):
    """HDF5 itself does not mind what follows its end."""
    made = cached(run, "scores.nc", "some", counted([]), rows, leads=5)
    assert xr.load_dataset(run.folder / "scores.nc", engine="h5netcdf").equals(made)


def test_a_damaged_file_is_named(run):
    cached(run, "scores.nc", "some", counted([]), rows, leads=5)
    path = run.folder / "scores.nc"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match=r"scores\.nc is damaged .*delete it to score again"):
        cached(run, "scores.nc", "some", counted([]), rows, leads=5)


def test_scores_of_other_days_are_not_taken(run):
    cached(run, "scores.nc", "some", counted([]), rows, leads=5)
    with pytest.raises(RunError, match="was trained on other days"):
        cached(replace(run, data="0" * 16), "scores.nc", "some", counted([]), rows, leads=5)
