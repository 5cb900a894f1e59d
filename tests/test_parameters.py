"""What is passed to a notebook: names that it does not have, and values that it cannot take, end in a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from IPython.core.interactiveshell import InteractiveShell
from papermill.cli import papermill
from traitlets.config import Config

from sparta_core.errors import ExperimentError
from sparta_core.parameters import check_parameters, names_of, seeds_of, years_of

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
IDS = [path.stem[:2] for path in NOTEBOOKS]
IMPORT = "from sparta_core.parameters import check_parameters"
OWN = 'preset = "demo"\nseed = 0\ntrain_all = False\nshare = 1.0\nlook_back = 30\nruns = "../runs"\nseeds = None'


@pytest.fixture
def shell():
    """IPython without a kernel, whose history is in memory."""
    made = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    made.showtraceback = lambda *_, **__: None
    yield made
    InteractiveShell.clear_instance()


def run(shell, *cells):
    """Run cells as a person or papermill does; the error of the last one, of which those before have none."""
    *before, last = [shell.run_cell(cell, store_history=True) for cell in cells]
    assert all(result.success for result in before)
    return last.error_in_exec


@pytest.mark.parametrize(("passed", "sentence"), [
    ("sed = 3", "sed is no parameter of this notebook (did you mean seed?); its parameters are: preset, seed, "
                "train_all, share, look_back, runs, seeds"),
    ("seed = 3\nRuns = 'x'", "Runs is no parameter of this notebook (did you mean runs?); its parameters are: preset, "
                             "seed, train_all, share, look_back, runs, seeds"),
    ("zz = 3", "zz is no parameter of this notebook; its parameters are: preset, seed, train_all, share, look_back, "
               "runs, seeds"),
    ("train_all = 'maybe'", "train_all is 'maybe'; it must be of type bool"),
    ("seed = 'abc'", "seed is 'abc'; it must be of type int"),
    ("seed = True", "seed is True; it must be of type int"),
    ("share = None", "share is None; it must be of type float"),
    ("look_back = '36x'", "look_back is '36x'; write a duration as a number of days above 0, or as '12h', '30min', "
                          "'5d' or '3mo'"),
    ("seed = float('nan')", "seed is nan; it must be of type int"),
])
def test_what_papermill_passes_is_checked(shell, passed, sentence):
    error = run(shell, IMPORT, OWN, f"# Parameters\n{passed}\n", "check_parameters()")
    assert isinstance(error, ExperimentError) and str(error) == sentence
    assert error._render_traceback_() == [f"ExperimentError: {sentence}"]


@pytest.mark.parametrize("cells", [
    [OWN], [], [OWN, "x = 1"],
    [OWN, '# Parameters\npreset = "smoke"\nseed = 3\nshare = 2\nseeds = 5\nlook_back = "36h"\nruns = "x"\n'],
    [OWN, "import os", '# Parameters\npreset = "smoke"', "print(1)"], ["%time 1 + 1", OWN],
    [OWN, '# Parameters\nsed = 3', OWN],  # cells run again by hand, the parameters last
    [OWN, '# Parameters\nsed = 3', '# Parameters\nseed = 3'],  # put right by hand
    [OWN, "x = 1", '# Parameters\nseed = 3', 'figures = "x"'],
])
def test_nobody_else_is_stopped(shell, cells):
    assert run(shell, IMPORT, *cells, "check_parameters()") is None
    assert run(shell, "check_parameters()", "y = 2", "check_parameters()") is None


def test_outside_of_a_notebook_nothing_was_passed():
    check_parameters()


def parameters(path):
    """The names of a notebook's parameters."""
    (cell,) = [cell for cell in nbformat.read(path, 4).cells if "parameters" in cell.metadata.get("tags", [])]
    return [line.split(" =")[0] for line in cell.source.splitlines()]


def misspelt(path):
    """The first parameter less one letter, and the sentence that it ends in."""
    names = parameters(path)
    wrong = names[0][:2] + names[0][3:]
    return wrong, (f"{wrong} is no parameter of this notebook (did you mean {names[0]}?); its parameters are: "
                   f"{', '.join(names)}")  # fmt: skip


def test_a_misspelt_parameter_ends_papermill_before_anything_is_trained(tmp_path):
    """On the command line, as a person types it."""
    made, (wrong, sentence) = tmp_path / "out.ipynb", misspelt(NOTEBOOKS[-1])
    command = [sys.executable, "-m", "papermill", str(NOTEBOOKS[-1]), str(made), "-p", wrong, "smoke", "--cwd",
               str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"MPLBACKEND": "agg"})
    assert done.returncode != 0
    assert sentence in done.stderr and not (tmp_path / "runs").exists() and not (tmp_path.parent / "runs").exists()
    (shown,) = [out for cell in nbformat.read(made, 4).cells if cell.cell_type == "code" for out in cell.outputs
                if out.output_type == "error"]  # fmt: skip
    assert shown.traceback == [f"ExperimentError: {shown.evalue}"] and shown.evalue == sentence


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_a_misspelt_parameter_ends_every_notebook_in_its_first_step(path, shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong, sentence = misspelt(path)
    error = first_step(shell, path, wrong, "smoke")
    assert isinstance(error, ExperimentError) and str(error) == sentence
    assert os.listdir(tmp_path) == ["out.ipynb"]


def first_step(shell, path, name, text):
    """The error of a notebook up to the first cell after its parameters; papermill's command line makes it."""
    done = CliRunner().invoke(papermill, [str(path), "out.ipynb", "-p", name, text, "--prepare-only"])
    assert done.exit_code == 0, done.output
    cells = [cell for cell in nbformat.read("out.ipynb", 4).cells if cell.cell_type == "code"]
    first = 1 + next(k for k, cell in enumerate(cells) if "injected-parameters" in cell.metadata.tags)
    return run(shell, *(cell.source for cell in cells[: first + 1]))


SEEDS = "it must be whole numbers with commas between them, such as 0,1,2"
ALL = {"preset": ("demmo", "preset is 'demmo'; choose one of: paper, "), "runs": ("", "runs is ''; it must be the")}
SEED = {"seed": ("abc", "seed is 'abc'; it must be of type int")}
MODEL = SEED | {"fusion": ("GNN", "fusion is 'GNN'; choose one of: early, attention, gnn, hybrid (did you mean gnn?)"),
                "hard_negatives": ("maybe", "hard_negatives is 'maybe'; it must be of type bool"),
                "cycle_weight": ("-1", "cycle_weight is -1; it must be at least 0")}  # fmt: skip
WRONG = {
    "00": SEED | {"station_count": ("few", "station_count is 'few'; it must be of type int"), "runs": ALL["runs"]},
    "01": ALL | SEED | {"data": ("", "data is ''; it must be 'bundled', or"),
                        "prepare_years": ("abc", "prepare_years is 'abc'; it must be a year, or the first and the")},
    "02": ALL | SEED, "03": ALL | MODEL, "04": ALL | MODEL, "05": ALL | MODEL,
    "06": ALL | MODEL | {"look_back": ("5.5", "look_back is 5.5; it must be of type int"),
                         "stride": ("0", "stride is 0; write a duration as a number of days")},
    "07": ALL | MODEL, "08": ALL | MODEL,
    "09": ALL | {"seeds": ("x,y", f"seeds is 'x,y'; {SEEDS}"), "share": ("2", "share is 2.0; it must be above 0 and"),
                 "equal_steps": ("sparta_erly", "equal_steps is 'sparta_erly'; choose one of: autoencoder, ")},
    "10": ALL | {"seeds": ("0.5", f"seeds is '0.5'; {SEEDS}"), "share": ("half", "share is 'half'; it must be of"),
                 "fusions": ("early,gn", "fusions is 'gn'; choose one of: early, attention, gnn, hybrid (did")},
    "11": ALL | MODEL | {"train_all": ("maybe", "train_all is 'maybe'; it must be of type bool")},
    "12": ALL | {"seeds": ("0,0", "seeds is '0,0'; each may be named once"), "data": ("", "data is ''; it must be"),
                 "epochs": ("many", "epochs is 'many'; it must be of type int")},
    "13": ALL | SEED,
    "14": ALL | SEED,
    "15": ALL | {"seeds": ("x", f"seeds is 'x'; {SEEDS}"), "data": ("", "data is ''; it must be"),
                 "objectives": ("Foo", "objectives is 'Foo'; choose one of: SimCLR, + hard negatives, + cycle, all")},
}  # fmt: skip
EVERY = [pytest.param(path, name, *wrong, id=f"{path.stem[:2]}-{name}") for path in NOTEBOOKS
         for name, wrong in WRONG[path.stem[:2]].items()]  # fmt: skip


@pytest.mark.parametrize(("path", "name", "text", "sentence"), EVERY)
def test_a_wrong_value_ends_a_notebook_in_its_first_step(path, name, text, sentence, shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = first_step(shell, path, name, text)
    assert isinstance(error, ExperimentError), error
    assert str(error).startswith(sentence) and "\n" not in str(error)
    assert os.listdir(tmp_path) == ["out.ipynb"]


@pytest.mark.parametrize(("number", "more", "made"), [
    ("12", "", "ladder"), ("15", "objectives = 'SimCLR,all'\n", "variants")])
def test_seed_0_is_a_seed(shell, tmp_path, monkeypatch, number, more, made):
    """papermill makes a number of it, which once counted as nothing said."""
    monkeypatch.chdir(tmp_path)
    (path,) = (path for path in NOTEBOOKS if path.stem.startswith(number))
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    passed = f"# Parameters\npreset = 'demo'\nseeds = 0\n{more}data = 'mine.zarr'"
    assert run(shell, *cells[:2], passed, cells[2]) is None
    assert shell.user_ns["chosen"] == [0] and (not more or shell.user_ns["kinds"] == ["SimCLR", "all"])
    assert {one.data for one in shell.user_ns[made].values()} == {"mine.zarr"}


def test_every_parameter_of_every_notebook_has_a_wrong_value():
    for path in NOTEBOOKS:
        assert set(parameters(path)) == set(WRONG[path.stem[:2]]), path.stem


def test_lists_are_what_a_person_types():
    assert seeds_of("seeds", 3) == [3] and seeds_of("seeds", "0,42,7") == [0, 42, 7]
    assert names_of("fusions", "gnn,early", ["early", "gnn"]) == ["gnn", "early"]
    assert years_of("years", "1959-2022") == (1959, 2022) and years_of("years", 1999) == (1999, 1999)


@pytest.mark.parametrize(("read", "given", "sentence"), [
    (seeds_of, "", f"it is ''; {SEEDS}"), (seeds_of, "0, 1", f"it is '0, 1'; {SEEDS}"),
    (seeds_of, -1, f"it is -1; {SEEDS}"),
    (seeds_of, "1,01", "it is '1,01'; each may be named once"), (seeds_of, "٣", f"it is '٣'; {SEEDS}"),
    (years_of, "2022-1959", "it is '2022-1959'; it must be a year, or the first and the last with a hyphen between "
                            "them, such as 1959-2022"),
    (lambda name, given: names_of(name, given, ["a", "b"]), "", "it is ''; choose one of: a, b"),
    (lambda name, given: names_of(name, given, ["a", "b"]), "a,a", "it is 'a,a'; each may be named once"),
])  # fmt: skip
def test_lists_that_are_none_are_refused(read, given, sentence):
    with pytest.raises(ExperimentError) as error:
        read("it", given)
    assert str(error.value) == sentence
