"""Importing changes nothing of a process, of this package's modules or any; a program prepares it, by one call."""

import ast
import contextlib
import ctypes
import importlib
import json
import logging
import os
import pkgutil
import signal
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
BLOCK = 10_000_000  # numbers: 40 MB, above the most that glibc ever takes from its heap unasked


def state():
    """All of a process that a module's import might change, by name."""
    levels = {name: logger.level for name, logger in logging.root.manager.loggerDict.items()
              if isinstance(logger, logging.Logger) and logger.level}  # fmt: skip
    return {
        "denormals": float(torch.tensor(1e-39) * 1), "mapped blocks": mapped(), "levels": levels | {
            "root": logging.root.level}, "handlers": list(logging.root.handlers), "dtype": torch.get_default_dtype(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()), "generator": torch.initial_seed(),
        "deterministic": torch.are_deterministic_algorithms_enabled(), "matmul": torch.get_float32_matmul_precision(),
        "environment": dict(os.environ), "filters": list(warnings.filters), "showwarning": warnings.showwarning,
        "hook": sys.excepthook, "path": list(sys.path), "folder": os.getcwd(), "numpy's errors": np.geterr(),
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "matplotlib": dict(matplotlib.rcParams.copy()),
    }  # fmt: skip


def mapped():
    """Whether glibc takes a large block straight from the system; None where it is not glibc or does not say."""
    count = getattr(ctypes.CDLL(None), "mallinfo2", None) if sys.platform == "linux" else None
    if count is None:
        return None
    fields = [(f"f{k}", ctypes.c_size_t) for k in range(10)]
    count.restype = type("mallinfo2", (ctypes.Structure,), {"_fields_": fields})
    before = count().f4  # hblkhd: bytes in such blocks
    block = torch.zeros(BLOCK)
    return bool(count().f4 - before >= block.nbytes)


def import_strangers():
    """Import what the package's modules import of other packages, whose own doings are not ours."""
    for path in (ROOT / "sparta_core").rglob("*.py"):
        for line in ast.parse(path.read_text()).body:
            names = [each.name for each in line.names] if isinstance(line, (ast.Import, ast.ImportFrom)) else []
            module = f"{line.module}." if isinstance(line, ast.ImportFrom) else ""
            for name in (module.rstrip("."), *(module + name for name in names)):
                if name and not name.startswith("sparta_core"):
                    with contextlib.suppress(ImportError):  # the name of a function
                        importlib.import_module(name)


def import_all():
    import sparta_core

    for module in pkgutil.walk_packages(sparta_core.__path__, "sparta_core."):
        importlib.import_module(module.name)


def prepare():
    from sparta_core.training.device import prepare_process

    prepare_process()


def changed(*acts):
    """The names of what each of `acts`, one after the other, changes."""
    states = [state()]
    for act in acts:
        act()
        states.append(state())
    return [sorted(name for name in after if after[name] != before[name]) for before, after in pairwise(states)]


def printed(script):
    """What a process of its own prints, of a script in which this module's names are known."""
    command = [sys.executable, "-c", f"from tests.test_importing import *\n{script}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True, text=True).stdout


def test_importing_changes_nothing_and_one_call_what_it_says():
    """The call once; again it changes nothing."""
    found = printed("import_strangers()\nprint(json.dumps(changed(import_all, prepare, prepare)))")
    prepared = ["denormals", "levels", *([] if mapped() is None else ["mapped blocks"])]
    assert json.loads(found.splitlines()[-1]) == [[], prepared, []]


@pytest.mark.parametrize("entry", [
    "from sparta_core.parameters import check_parameters as run", "from sparta_core.__main__ import main as run",
    "from benchmarks.__main__ import main as run", "from sparta_core.model import Model; run = Model.of",
    "from sparta_core.loading import load as run"])
def test_every_program_prepares_its_process(entry):
    """Called without a word, or with one that it refuses."""
    words = "" if "parameters" in entry else "['nothing']"
    found = printed(f"{entry}\nwith contextlib.suppress(SystemExit, AttributeError, TypeError):\n    run({words})\n"
                    "print(state()['denormals'])")  # fmt: skip
    assert found.splitlines()[-1] == "0.0"
