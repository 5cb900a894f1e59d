"""No branches on names: a choice is an object, so nothing outside the folders' discovery asks what it is called."""

import ast
from pathlib import Path
from typing import get_args

import pytest

import sparta_core
from sparta_core.catalogue import all_sections, names, slots

ROOT = Path(sparta_core.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# Settings whose values are names: of kinds, or of a few.
NAMED = set(slots()) | {name for section in all_sections() for name, field in section.model_fields.items()
                        if all(isinstance(value, str) for value in get_args(field.annotation) or [0])}  # fmt: skip
HOLDERS = {"settings", "given", "changes", "record", "experiment", "flat"}  # what holds settings by name
SPLITS = {"split", "rsplit", "partition", "rpartition", "removeprefix", "removesuffix"}


def words(node):
    return {leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)}


def setting(node):
    """Whether it is a setting, as an attribute: experiment.fusion, self.sampler."""
    return isinstance(node, ast.Attribute) and node.attr in NAMED


def branches(tree):
    """Lines that compare a setting with a string, ask for a setting that may be absent, or split a folder's name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            compared = any(map(setting, sides)) and any(words(side) for side in sides)
            membership = any(isinstance(way, (ast.In, ast.NotIn)) for way in node.ops)
            if compared or (membership and constant(node.left) in names() and holder(node.comparators[0])):
                yield node.lineno
        elif isinstance(node, ast.Match) and setting(node.subject):
            yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            first, method = constant(node.args[0]) if node.args else None, node.func.attr
            absent = method in ("get", "setdefault") or (method == "pop" and len(node.args) > 1)
            if absent and first in names() and holder(node.func.value):
                yield node.lineno
            folder = isinstance(node.func.value, ast.Attribute) and node.func.value.attr in ("name", "stem")
            if method in SPLITS and folder and first in ("-", "_"):
                yield node.lineno


def constant(node):
    return node.value if isinstance(node, ast.Constant) else None


def holder(node):
    return getattr(node, "id", getattr(node, "attr", None)) in HOLDERS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_branches_on_a_name(path):
    assert not list(branches(ast.parse(path.read_text())))


@pytest.mark.parametrize("line", [
    "experiment.fusion == 'gnn'", "'lstm' != model.experiment.forecaster", "self.sampler in ('ddpm', 'ddim')",
    "settings.get('fusion')", "'stride' in settings", "'fusion' not in settings", "settings.pop('linear_path', False)",
    "folder.parent.name.split('-')[0]", "path.stem.partition('-')", "match experiment.objective:\n case 'x': pass"])
def test_the_rule_sees_a_branch(line):
    assert list(branches(ast.parse(line)))


@pytest.mark.parametrize("line", [
    "experiment.of(Fusion).build()", "TABLE[experiment.sampler]", "'time' in dataset.dims", "name == 'decoder'",
    "text.split(',')", "experiment.seed == 3"])
def test_the_rule_lets_the_rest_alone(line):
    assert not list(branches(ast.parse(line)))
