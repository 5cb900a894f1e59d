"""Scores kept beside a run: made once, made again for other settings, never read from a damaged or foreign file."""

from dataclasses import replace

import pytest
import xarray as xr

from sparta_core.errors import RunError
from sparta_core.training.kept import kept
from sparta_core.training.workbench import Workbench


@pytest.fixture
def run(tiny):
    return Workbench.of(tiny()).run("baselines")


def counted(calls):
    def score():
        calls.append(1)
        return xr.Dataset({"mse": float(len(calls))})

    return score


def test_scored_once_for_the_same_settings(run):
    calls = []
    first = kept(run, "scores.nc", counted(calls), leads=5, ratios=[0.1, 0.5])
    assert kept(run, "scores.nc", counted(calls), ratios=[0.1, 0.5], leads=5).equals(first) and len(calls) == 1
    assert kept(run, "scores.nc", counted(calls), leads=6, ratios=[0.1, 0.5]).mse == 2


def test_others_can_read_them(run):
    """HDF5 itself does not mind what follows its end."""
    made = kept(run, "scores.nc", counted([]), leads=5)
    assert xr.load_dataset(run.folder / "scores.nc", engine="h5netcdf").equals(made)


def test_a_damaged_file_is_named(run):
    kept(run, "scores.nc", counted([]), leads=5)
    path = run.folder / "scores.nc"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match=r"scores\.nc is damaged .*delete it to score again"):
        kept(run, "scores.nc", counted([]), leads=5)


def test_scores_of_other_days_are_not_taken(run):
    kept(run, "scores.nc", counted([]), leads=5)
    with pytest.raises(RunError, match="was trained on other days"):
        kept(replace(run, data="0" * 16), "scores.nc", counted([]), leads=5)
