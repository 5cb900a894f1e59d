"""Imports go down only, and the training modules need no more than the numerical libraries."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sparta_core

ROOT = Path(sparta_core.__file__).parent
# A layer may import those before it in this list, and itself. Networks know no data but the domain that fields are on,
# views no more than that and samples; what is observed knows no network; training knows no objective and no task.
LAYERS = ["errors", "typed", "presets", "progress", "durations", "files", "tensors", "draws", "modes", "localised",
          "optimal_interpolation", "residuals", "processes", "settings", "catalogue", "experiment", "domain", "data",
          "observe", "views", "layers", "encoders", "fusions", "decoders", "models", "losses", "training", "objectives",
          "metrics", "baselines", "tasks", "evaluation", "plotting", "explorer", "parameters", "card", "collected",
          "in_blocks", "model", "loading", "commands", "__main__"]  # fmt: skip
# What is said of fields without days.
DOMAIN = [["data", name] for name in ("domain", "sphere", "clock", "calendars", "sample")]
NETWORKS = ("layers", "encoders", "fusions", "decoders")
STRANGERS = {**{network: {"data", "views"} for network in NETWORKS}, "losses": {"data", "views", *NETWORKS},
             "views": {"data"}, "metrics": {"data", "views", "training", *NETWORKS}}  # fmt: skip
# Of data/, what makes stores: it needs the storage libraries, and no training or evaluation needs it.
MAKERS = {"daily", "remote", "daystore", "era5", "simulate"}
HEAVY = ["cartopy", "zarr", "gcsfs", "papermill", "dask", "h5netcdf", "ipywidgets", "IPython"]


def layer(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_layers(path):
    """Layers that a file imports, wherever in the file but where only types are checked."""
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body
                 if not (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")]  # fmt: skip
    for node in ast.walk(tree):
        modules = []
        if isinstance(node, ast.Import):
            modules = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the module in full"
            modules = [node.module]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "sparta_core" and len(parts) > 1:
                yield "domain" if parts[1:] in DOMAIN else parts[1]


FILES = sorted(path for path in ROOT.rglob("*.py") if layer(path) != "__init__")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    here = layer(path)
    allowed = set(LAYERS[: LAYERS.index(here) + 1]) - STRANGERS.get(here, set())
    assert set(imported_layers(path)) <= allowed


def test_the_rule_sees_an_arrow_that_runs_up(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    from sparta_core.plotting import maps\n")
    assert set(imported_layers(bad)) == {"plotting"}


def test_training_and_evaluation_import_without_the_rest():
    """A cluster node with torch, numpy, xarray and scikit-learn can train and score."""
    modules = [".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in FILES
               if layer(path) in LAYERS[: LAYERS.index("plotting")]
               and path.name != "__init__.py" and path.stem not in MAKERS]  # fmt: skip
    script = (
        f"import sys\nfor name in {HEAVY}: sys.modules[name] = None\n"
        f"import importlib\nfor name in {modules}: importlib.import_module(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
