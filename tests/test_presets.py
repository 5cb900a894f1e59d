"""Presets: the experiments that they have always been, on the same days as the paper's model; a new one is one file."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from sparta_core import presets
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.presets import COMPARISONS, PAPERS, PRESETS
from tests.installed import installed

# Of the representation, which holds no task's settings, and of two tasks: as the folders of old runs are called.
DIGESTS = {
    "paper": "b3ef7710 b3ef7710 b3ef7710", "demo": "807f3d26 c3e43d50 8fcc2fe5",
    "smoke": "5290571a 4204a293 0e11f5a6", "paper_demo": "84fb279e 751851ee 9c444d26",
    "paper_smoke": "681a56b4 db1a6cb6 2048852d", "quickstart": "c00971ed 94b5ea9b d073ef96",
    "targets": "807f3d26 ba95c2f7 3814fea2", "targets_smoke": "5290571a f8d20156 e4f7f388",
}  # fmt: skip
MINE = '''
"""The demo with a narrow encoder."""

BASED_ON = "demo"
PAPER = "paper_demo"
SETTINGS = {"width": 16, "seed": 3}
COMPARISON = {"share": 0.5, "seeds": "7", "equal_steps": ""}
'''
USED = """
from sparta_core.__main__ import main
from sparta_core.experiment import Experiment
from sparta_core.presets import COMPARISONS, PAPERS, PRESETS
mine = Experiment.from_preset("mine", seed=4)
print(*PRESETS)
print(mine.width, mine.seed, mine.backbone, mine.name("decoder"), PAPERS["mine"], COMPARISONS["mine"].seeds)
try:
    main(["--preset", "mein", "decoder"])
except SystemExit as error:
    print(error)
"""


def test_every_preset_keeps_the_folders_of_its_runs():
    assert [name for name in PRESETS if name in DIGESTS] == list(DIGESTS)
    for name, digests in DIGESTS.items():
        experiment = Experiment.from_preset(name)
        stages = (experiment.representation, "forecast", "diffusion")
        assert " ".join(map(experiment.digest, stages)) == digests


@pytest.mark.parametrize("name", PRESETS)
def test_the_papers_model_stands_beside_on_the_same_days(name):
    ours, papers = Experiment.from_preset(name), Experiment.from_preset(PAPERS[name])
    assert PAPERS[PAPERS[name]] == PAPERS[name] in COMPARISONS
    assert papers.objective == "contrastive" and papers.backbone == "resnet18"
    for days in ("data", "days", "split", "variables", "level"):
        assert getattr(ours, days) == getattr(papers, days)


def test_a_preset_of_another_package_is_one_file(tmp_path):
    """It is in the lists, is refused under a near name, and goes with what its own settings change."""
    environment = installed(tmp_path, {"my_preset": MINE}, {"sparta_core.presets": {"mine": "my_preset"}})
    used = subprocess.run([sys.executable, "-c", USED], env=environment, capture_output=True, text=True, timeout=300)
    assert used.returncode == 0, used.stderr
    first, others = list(PRESETS)[:3], list(PRESETS)[3:]
    known = [*first, *sorted([*others, "mine"])]
    assert used.stdout.splitlines() == [
        " ".join(known), "16 4 none mine-early-hn-cycle-seed4 paper_demo 7",
        f"preset is 'mein'; choose one of: {', '.join(known)} (did you mean mine?)"]


def test_two_presets_of_one_name_are_refused(monkeypatch):
    point = EntryPoint("demo", "my_preset", "sparta_core.presets")
    monkeypatch.setattr(presets, "entry_points", lambda group: [point])
    with pytest.raises(ExperimentError, match=r"^two presets are called 'demo', sparta_core\.presets\.demo and "
                                              r"my_preset; rename one$"):
        presets._modules()
