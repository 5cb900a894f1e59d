"""An experiment done without interruption: the measure of all that are interrupted."""

import shutil

import pytest
import torch

from sparta_core.experiment import Experiment
from tests.faults.works import SETTINGS, WORKS


@pytest.fixture(scope="session")
def whole(write_weather, tmp_path_factory):
    """The experiment after everything in WORKS, done by a process that nothing has stopped: this one.

    So what takes time only once, and the days, is there when children are forked from it.
    """
    runs, threads = tmp_path_factory.mktemp("whole") / "runs", torch.get_num_threads()
    experiment = Experiment(data=str(write_weather(days=52, rows=4, columns=8)), runs=str(runs), **SETTINGS)
    torch.set_num_threads(1)
    for work in WORKS.values():
        work(experiment)
    torch.set_num_threads(threads)
    made = {"experiment.json", "history.csv", "model.safetensors", "reconstruction.nc", ".lock"}
    assert {path.name for path in runs.glob("*/*/*")} == made
    return experiment


@pytest.fixture
def without(whole, tmp_path):
    """Makes a copy of the finished experiment that lacks what one of WORKS makes."""

    def make(name, place="runs"):
        runs = tmp_path / place
        shutil.copytree(whole.runs, runs)
        for path in runs.glob(f"*/{name}-*"):
            shutil.rmtree(path)
        return whole.replace(runs=str(runs))

    return make
