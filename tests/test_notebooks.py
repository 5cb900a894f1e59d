"""Every notebook runs alone on a fresh clone at the smoke preset, keeps its facts, and reads as a page."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

from sparta_core.presets import COMPARISONS
from tests.installed import installed

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]
MANY = ("05_decoder", "06_forecast", "07_diffusion", "08_classification", "09_ablation", "10_fusion", "11_latent_space",
        "14_assimilation", "15_objectives")  # which train many models, or take long
PRESET = '''
"""{based_on} on a coarse grid."""

BASED_ON = "{based_on}"
SETTINGS = {more!r}
'''


def cells(path, kind):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == kind]


@pytest.fixture(scope="session")
def presets(tmp_path_factory, write_weather):
    """The environment of a package with `coarse_smoke` and the paper's beside it: `smoke` on a quarter of the grid."""
    site = tmp_path_factory.mktemp("site")
    days = write_weather(days=800)
    ours = PRESET.format(based_on="smoke", more={"data": str(days)}) + 'PAPER = "paper_coarse_smoke"\n'
    views = {"data": str(days), "view_size": (16, 32), "crop_from": (18, 36)}
    papers = PRESET.format(based_on="paper_smoke", more=views)
    papers += f"COMPARISON = {COMPARISONS['paper_smoke']._asdict()}\n"
    points = {"sparta_core.presets": {"coarse_smoke": "ours", "paper_coarse_smoke": "papers"}}
    return installed(site, {"ours": ours, "papers": papers}, points)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_runs_alone(path, tmp_path, presets):
    """nbval, in a folder where nothing has been trained: facts marked NBVAL_CHECK_OUTPUT must hold."""
    (tmp_path / "notebooks").mkdir()
    copy = shutil.copy(path, tmp_path / "notebooks")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-q", "-p", "no:cacheprovider",
               "--nbval-cell-timeout=600", "-c", os.devnull, "--rootdir", str(tmp_path), copy]  # fmt: skip
    preset = {"SPARTA_PRESET": "coarse_smoke" if path.stem in MANY else "smoke"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "notebooks", check=False,
                          env=presets | preset)  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    drawn = {figure.name for figure in tmp_path.glob("runs/figures/*/*.png")}
    assert drawn and all(name.startswith(path.stem[:2]) for name in drawn)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_is_tidy(path):
    """One parameters cell of literals, short cells, outputs of one clean run, at most 1 MB."""
    code = cells(path, "code")
    parameters = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert len(parameters) == 1
    following = code[code.index(parameters[0]) + 1].source
    assert following.startswith("check_parameters()")  # and nothing is done with a parameter before
    for line in ast.parse(parameters[0].source).body:
        name = line.targets[0].id
        assert isinstance(line.value, ast.Constant) or name == "preset"
    assert max(len(cell.source.splitlines()) for cell in code) <= 25
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert any("NBVAL_CHECK_OUTPUT" in cell.source and cell.outputs for cell in code)
    assert not [out for cell in code for out in cell.outputs if out.output_type == "error"]
    ids = [cell.id for cell in nbformat.read(path, 4).cells]
    assert len(set(ids)) == len(ids)
    assert path.stat().st_size <= 1_000_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_tells_what_it_asks_and_what_it_saw(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    for part in ("**Question.**", "| Paper |", "| Time |", "## In the run kept here ("):
        assert part in text
    assert "TO BE WRITTEN" not in text
    assert str(Path.home()) not in path.read_text()


def test_a_second_run_does_nothing_twice(tmp_path):
    """run.py on a copy: executed once, then up to date, then run again for another text."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    shutil.copy(FOLDER / "run.py", notebooks)
    notebook = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("preset = 'demo'", id="a", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("print(f'{preset}: epoch 1/1'); open('count', 'a').write('x')", id="b")],
        metadata=nbformat.read(NOTEBOOKS[0], 4).metadata)
    nbformat.write(notebook, notebooks / "01_made_up.ipynb")
    script = ("import run\nfrom pathlib import Path\n"
              "print(run.run(Path('01_made_up.ipynb').absolute(), 'smoke', 'head', 75.0))")  # fmt: skip
    outs = []
    for source in (None, None, "preset = 'paper'"):
        if source:
            notebook.cells[0].source = source
            nbformat.write(notebook, notebooks / "01_made_up.ipynb")
        done = subprocess.run([sys.executable, "-c", script], cwd=notebooks, capture_output=True, text=True, check=True)
        outs.append(done.stdout)
    assert "head: running, about 1 min 15 s left for all" in outs[0] and "head: done in" in outs[0]
    assert "up to date" in outs[1] and "running" not in outs[1]
    assert "head: running" in outs[2]
    assert (notebooks / "count").read_text() == "xx"
    executed = nbformat.read(tmp_path / "runs" / "notebooks" / "smoke" / "01_made_up.ipynb", 4)
    assert "smoke: epoch 1/1" in str(executed.cells)


@pytest.fixture
def run(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("run")


def test_kept_outputs_are_those_that_last(run, tmp_path):
    """Not how much time training had left, nor warnings and widgets; what was printed comes first, as one output."""
    begun = "autoencoder: epoch 1/2: training mse 0.5, validation mse 0.4, 2 s left\n"
    ended = "autoencoder: epoch 2/2: training mse 0.4, validation mse 0.3, took 4 s\n"
    table, widget = {"text/plain": "0.3"}, {run.WIDGET: {}, "text/plain": "Widget()"}
    outputs = [new_output("stream", text=begun), new_output("display_data", table),
               new_output("stream", name="stderr", text="deprecated"), new_output("stream", text=ended),
               new_output("display_data", widget), new_output("stream", text="3 days left\n")]  # fmt: skip
    for name, made in (("executed", outputs), ("source", [])):
        cell = nbformat.v4.new_code_cell("train()", id="a", outputs=made)
        notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"seconds": 4})
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    run.keep(tmp_path / "executed.ipynb", tmp_path / "source.ipynb")
    (cell,) = cells(tmp_path / "source.ipynb", "code")
    assert [out.output_type for out in cell.outputs] == ["stream", "display_data"]
    assert cell.outputs[0].text == ended + "3 days left\n"
    assert cell.outputs[1].data == table


def test_a_folder_that_cannot_be_made_is_said_before_anything_runs(run, tmp_path, monkeypatch):
    """A file where figures should go: one sentence, and no notebook has run."""
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr(run, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(run, "run", lambda *_: pytest.fail("a notebook has run"))
    monkeypatch.setattr(sys, "argv", ["run.py", "--figures", str(tmp_path / "taken" / "figures")])
    with pytest.raises(SystemExit, match=r"taken/figures cannot be made \(Not a directory\); choose another folder"):
        run.main()


def test_time_left_follows_the_pace(run, tmp_path):
    """Kept at 10, 20 and 30 s; the first took 20: twice as slow, so the other two take 100."""
    paths = [tmp_path / f"{k}.ipynb" for k in range(3)]
    for path, seconds in zip(paths, (10, 20, 30), strict=True):
        nbformat.write(nbformat.v4.new_notebook(metadata={"seconds": seconds}), path)
    assert run.remaining(paths, {}) == 60
    assert run.remaining(paths[1:], {paths[0]: 20.0}) == 100
    assert run.remaining(paths[1:], {}) == 50  # the first was up to date: its pace is unknown


def test_two_at_once_meet(run, monkeypatch):
    """Each waits for the other; the cores are shared out."""
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    both, order = threading.Barrier(2, timeout=30), []
    run.in_turn(lambda number, source: order.append((number, source, both.wait())), [Path("a"), Path("b")], 2)
    assert sorted(each[:2] for each in order) == [(1, Path("a")), (2, Path("b"))]
    assert os.environ["OMP_NUM_THREADS"] == "4"


def test_a_notebook_that_fails_ends_those_beside_it():
    script = ("import run, time\nfrom pathlib import Path\n"
              "run.in_turn(lambda number, source: time.sleep(600) if number == 1 else open('no such file'),\n"
              "            [Path('a'), Path('b'), Path('c')], 2)")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], cwd=FOLDER, capture_output=True, text=True, check=False,
                          timeout=120)  # fmt: skip
    assert done.returncode == 1 and "no such file" in done.stderr
