"""Two processes at the same work: one does it, the others wait, and take over from one that dies."""

import time
from pathlib import Path

import pytest
import xarray as xr

from sparta_core.progress import Progress
from sparta_core.tasks.reconstruction.scores import model_reconstruction
from sparta_core.training import runs
from sparta_core.training.cached import cached, load_scores
from sparta_core.training.records import run_of
from tests.faults.children import die, start
from tests.faults.works import WORKS, contents

WAITING = "waiting for it"


def until(log, text):
    """Return once `text` is in the file `log`."""
    deadline = time.monotonic() + 60
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def two(without, tmp_path, monkeypatch):
    """Start a work twice; the first stops at the end of an epoch until the second waits, and then does `after`."""

    def both(name, after=lambda: None):
        experiment = without(name)
        logs = tmp_path / "first", tmp_path / "second"
        plain = Progress.epoch_end
        monkeypatch.setattr(runs, "PATIENCE", 0.02)  # it looks again many times, and says so once

        def first():
            def epoch_end(progress, losses):
                plain(progress, losses)
                until(logs[1], WAITING)
                after()

            Progress.epoch_end = epoch_end
            WORKS[name](experiment)

        one = start(first, logs[0])
        until(logs[0], "epoch 1/2")
        return experiment, one, start(lambda: WORKS[name](experiment), logs[1])

    return both


@pytest.mark.parametrize("name", ["pretrain", "diffusion"])
def test_the_second_waits_says_so_once_and_trains_nothing(whole, two, name):
    experiment, first, second = two(name)
    assert (first.wait(), second.wait()) == (0, 0), second.said
    (line,) = second.said.splitlines()
    assert line.startswith(f"another process is training or scoring in {experiment.runs}") and line.endswith(WAITING)
    assert first.said.count("epoch") == 2 and WAITING not in first.said
    assert contents(Path(experiment.runs)) == contents(Path(whole.runs))


@pytest.mark.parametrize("name", ["blend", "forecast"])
def test_the_second_goes_on_where_the_first_has_died(whole, two, name):
    experiment, first, second = two(name, after=die)
    assert first.wait() < 0 and second.wait() == 0, second.said
    waited, trained = second.said.splitlines()
    assert WAITING in waited and trained.startswith(f"{name}: epoch 2/2")
    assert contents(Path(experiment.runs)) == contents(Path(whole.runs))


@pytest.mark.parametrize("name", ["classification", "autoencoder"])
def test_of_six_at_once_one_trains(whole, without, tmp_path, name):
    experiment = without(name)
    children = [start(lambda: WORKS[name](experiment), tmp_path / f"log{k}") for k in range(6)]
    assert [child.wait() for child in children] == [0] * 6
    said = "".join(child.said for child in children)
    assert said.count(f"{name}: epoch") == 2 and said.count(f"{name}: epoch 2/2") == 1
    assert contents(Path(experiment.runs)) == contents(Path(whole.runs))


def test_scores_are_waited_for_too(without, tmp_path):
    run = run_of(without("baselines"), "baselines")
    logs = tmp_path / "first", tmp_path / "second"

    def score():
        print("scoring", flush=True)
        until(logs[1], WAITING)
        return xr.Dataset({"mse": 2.0})

    def work():
        print("mse", float(cached(run, "scores.nc", "some", score, lambda scores: [], leads=5).mse))

    first = start(work, logs[0])
    until(logs[0], "scoring")
    second = start(work, logs[1])
    assert (first.wait(), second.wait()) == (0, 0), second.said
    assert first.said == "scoring\nmse 2.0\n" and second.said.splitlines()[1:] == ["mse 2.0"]


def test_many_who_score_beside_one_run(without, tmp_path):
    """Twenty at once, two for every file, in a folder that is not there yet: every file is whole, none left over."""
    run = run_of(without("baselines"), "baselines")

    def work(k):
        cached(run, f"scores{k}.nc", "some", lambda: xr.Dataset({"mse": float(k)}), lambda scores: [], leads=5)

    children = [start(lambda k=k: work(k % 10), tmp_path / f"log{k}") for k in range(20)]
    assert [child.wait() for child in children] == [0] * 20
    names = [f"scores{k}.nc" for k in range(10)]
    assert [float(load_scores(run.folder / name).mse) for name in names] == list(range(10))
    assert sorted(path.name for path in run.folder.iterdir()) == [".lock", "experiment.json", *names]
    run.check_owner()


def test_who_scores_may_first_train_in_the_same_folder(without, tmp_path):
    experiment = without("autoencoder").replace(objective="autoencoder")
    child = start(lambda: model_reconstruction(experiment, (0.5,), 2), tmp_path / "log")
    assert child.wait() == 0 and WAITING not in child.said, child.said
    assert "autoencoder: epoch 2/2" in child.said
