"""The three places that name versions agree: pyproject.toml, environment.yml, constraints.txt."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"torch": "pytorch", "torch-geometric": "pytorch_geometric", "dask[array]": "dask-core"}


def requirement(text):
    """('numpy', '>=2.0') of 'numpy>=2.0'."""
    return re.fullmatch(r"([A-Za-z0-9_.\-]+(?:\[\w+\])?)(.*)", text).groups()


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [requirement(text) for text in project["dependencies"] + project["optional-dependencies"]["dev"]]


def constraints():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    return {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}


def test_conda_installs_what_pip_does():
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    *packages, from_pip = packages
    everything = map(requirement, packages + from_pip["pip"])
    conda = {name: bound for name, bound in everything if name not in ("python", "make", "pip")}
    assert conda == {CONDA_NAMES.get(name, name): bound for name, bound in declared()}


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


@pytest.mark.parametrize(("name", "bound"), declared(), ids=lambda value: value)
def test_the_pinned_version_is_within_the_bounds(name, bound):
    pinned = constraints()[re.sub(r"\[.*", "", name).lower().replace("_", "-")]
    if bound.startswith("=="):
        assert pinned == bound[2:]
    else:
        assert bound.startswith(">=") and numbers(pinned) >= numbers(bound)


def test_python_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert project["requires-python"] == ">=3.11" and "python>=3.11" in packages
