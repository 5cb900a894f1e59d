"""The examples in docstrings run, and give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import sparta_core

ROOT = Path(sparta_core.__file__).parent


def has_examples(path):
    """Whether it has some that run without a network or what is not installed."""
    return any(">>>" in line and "+SKIP" not in line for line in path.read_text().splitlines())


EXAMPLES = [".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
            for path in sorted(ROOT.rglob("*.py")) if has_examples(path)]  # fmt: skip


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0 < result.attempted
