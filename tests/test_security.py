"""Nothing that is loaded can run code, and nothing listens to other machines."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "sparta_core").rglob("*.py"))
LOADERS = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
CALLS = {"eval", "exec", "compile", "torch.load", "np.load", "numpy.load", "pd.read_pickle", "yaml.load", "os.system"}


def unsafe(tree):
    """What a file imports or calls that could run what it loads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            yield from (module for module in modules if module.split(".")[0] in LOADERS)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            yield from [called] if called in CALLS else []
            yield from (keyword.arg for keyword in node.keywords if keyword.arg in ("allow_pickle", "weights_only"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_loaded_that_could_run(path):
    assert list(unsafe(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize("text", [
    "import pickle", "from joblib import load", "torch.load(p)", "np.load(p, allow_pickle=True)", "eval(text)"])
def test_the_rule_sees_what_could_run(text):
    assert list(unsafe(ast.parse(text)))


def test_the_lab_is_for_this_machine_alone_and_keeps_its_token():
    lab = re.search(r"^lab:.*\n\t(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    assert "--ip=127.0.0.1" in lab and not re.search(r"token|password|0\.0\.0\.0|allow", lab)
