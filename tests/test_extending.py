"""Adding costs one file: an objective, encoder, fusion, sparsity, baseline and task from outside train and are scored.

All six lie in one package, which names each as an entry point of the folder where it would stand.
"""

import json
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from tests import extensions
from tests.installed import installed


class Added(NamedTuple):
    folder: str
    source: str
    settings: dict  # that choose it
    stage: str  # that trains it
    name: str  # of a setting
    unit: str
    wrong: str  # value
    said: str
    column: str  # of the score card, and what it is called there
    called: str
    task: str = "reconstruction"  # that is compared


ADDED = {
    "objective": Added("objectives", extensions.OBJECTIVE, {"objective": "robust"}, "robust", "robust_floor",
                       "training standard deviations", "-1", "robust_floor is -1; it must be at least 0",
                       "model", "robust"),
    "encoder": Added("encoders", extensions.ENCODER, {"backbone": "plain", "objective": "autoencoder"}, "autoencoder",
                     "plain_width", "channels", "0", "plain_width is 0; it must be above 0",
                     "model", "plain_autoencoder"),
    "fusion": Added("fusions", extensions.FUSION, {"fusion": "averaged"}, "pretrain", "averaged_scale", "1", "high",
                    "averaged_scale is 'high'; it must be of type float", "model", "sparta_averaged_hn_cycle"),
    "sparsity": Added("observe", extensions.SPARSITY,
                      {"sparsity": "bands", "mask_grid": "native", "objective": "autoencoder"}, "autoencoder",
                      "bands_width", "grid points", "0.5", "bands_width is 0.5; it must be of type int",
                      "changes", "sparsity=bands"),
    "baseline": Added("baselines", extensions.BASELINE, {"objective": "autoencoder"}, "", "fading_share", "1 / days",
                      "2", "fading_share is 2; it must be at least 0 and below 1", "model", "fading persistence"),
    "task": Added("tasks", extensions.TASK, {"objective": "autoencoder"}, "warmth", "warmth_rate", "1 / steps", "0",
                  "warmth_rate is 0; it must be above 0", "task", "warmth", "warmth"),
}  # fmt: skip
SMALL = {"view_size": (16, 32), "crop_from": (16, 32), "soft_gap": 45,
         "split": (0.6, 0.2), "downstream_split": (0.4, 0.3), "leads": 5, "draws": 4, "days": 600,
         "checkpoint_every": 0.0, "precision": "32-true"}  # fmt: skip
REFUSED = """
import sys
from sparta_core.__main__ import main
for words in {words!r}:
    try:
        main(words)
    except SystemExit as error:
        print(error)
"""
SCORED = """
import json
from sparta_core.evaluation.comparison import compare, measures
from sparta_core.evaluation.scorecard import scorecard
from sparta_core.experiment import Experiment
from sparta_core.tasks.forecast.scores import baseline_scores

experiment = Experiment.from_preset("paper_smoke", runs={runs!r}, **{settings!r})
frame = compare({{"mine": experiment}}, [0], [{task!r}])
baseline_scores(experiment)
print(json.dumps([sorted(set(frame.task)), sorted(set(frame.model)),
                  sorted({{measure.task for measure in measures(experiment)}}),
                  sorted(set(scorecard({runs!r})[{column!r}]))]))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """In which all six are installed."""
    assert all(len(added.source.strip().splitlines()) <= 40 for added in ADDED.values())
    site = tmp_path_factory.mktemp("site")
    points = {f"sparta_core.{added.folder}": {"mine": f"my_{kind}"} for kind, added in ADDED.items()}
    made = installed(site, {f"my_{kind}": added.source for kind, added in ADDED.items()}, points)
    return made | {"OMP_NUM_THREADS": "1"}


def python(environment, script):
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


def flags(settings):
    return [word for name, value in settings.items() for word in (
        f"--{name}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value))]


def test_each_is_in_the_help_and_refuses_what_is_wrong(environment):
    words = [["--preset", "paper_smoke", *flags(added.settings), f"--{added.name}", added.wrong,
              added.stage or "forecast"] for added in ADDED.values()]  # fmt: skip
    text = python(environment, REFUSED.format(words=[*words, ["--help"]]))
    assert text.splitlines()[: len(ADDED)] == [added.said for added in ADDED.values()]
    told = " ".join(text.split())
    for added in ADDED.values():
        assert f"--{added.name} VALUE" in told and f"(in {added.unit};" in told
        assert all(chosen in told for chosen in added.settings.values())


@pytest.mark.parametrize("kind", ADDED)
def test_each_trains_resumes_and_is_compared_and_in_the_score_card(environment, weather, tmp_path, kind):
    """Killed after its first epoch on the command line, it ends with the bytes of one that Experiment trained whole."""
    added = ADDED[kind]
    settings = SMALL | {"data": str(weather)} | added.settings
    settings |= {f"{added.stage}_epochs": 3} if added.stage else {}
    script = SCORED.format(runs=str(tmp_path / "whole"), settings=settings, task=added.task, column=added.column)
    tasks, models, measured, called = json.loads(python(environment, script).splitlines()[-1])
    assert tasks == [added.task] and models == ["mine"] and added.task in measured and added.called in " ".join(called)
    if not added.stage:
        return
    words = [sys.executable, "-m", "sparta_core", "--preset", "paper_smoke", "--runs", str(tmp_path / "killed"),
             *flags(settings), added.stage]  # fmt: skip
    with subprocess.Popen(words, env=environment | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            if line.startswith(f"{added.stage}: epoch 1/3"):
                run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    pattern = f"*/{added.stage}-*/model.safetensors"
    assert not list((tmp_path / "killed").glob(pattern))
    resumed = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=500)
    assert resumed.returncode == 0, resumed.stderr
    assert f"{added.stage}: epoch 1/3" not in resumed.stdout
    whole, killed = (next((tmp_path / folder).glob(pattern)).read_bytes() for folder in ("whole", "killed"))
    assert whole == killed
