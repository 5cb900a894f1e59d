"""Presets: what each changes of the paper's settings, one file each, read from top to bottom.

A module of this folder, or one that another package names as an entry point of the group `sparta_core.presets`, is a
preset called as the module, or as the entry point. Its docstring says what it is for; it holds plain values:

- `SETTINGS`: what it changes, by the settings' flat names;
- `BASED_ON`, if any: the preset whose settings it changes, instead of the paper's;
- `PAPER`, if its model is not the paper's own: the preset with that model on the same days;
- `COMPARISON`, if many of the paper's models are compared with it: the fields of a `Comparison`.

Example:
    >>> list(PRESETS)[:3], PAPERS["demo"], PRESETS["targets"]["start_every"]
    (['paper', 'demo', 'smoke'], 'paper_demo', 12)
"""

import pkgutil
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple

from sparta_core.errors import ExperimentError
from sparta_core.typed import Table, loaded

FIRST = ("paper", "demo", "smoke")  # in the help; the others after them by name


class Comparison(NamedTuple):
    """How notebooks 09 and 10 compare many of the paper's models in the time that suits a preset."""

    share: float  # of its epochs that every model and task trains
    seeds: str
    equal_steps: str  # the variants that also train for as many steps as those with hard negatives


def _modules() -> dict[str, Any]:
    """Every preset's module by the preset's name."""
    found = {module.name: import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)}
    for point in entry_points(group=__name__):
        if point.name in found:
            raise ExperimentError(f"two presets are called {point.name!r}, {found[point.name].__name__} and "
                                  f"{point.value}; rename one")
        found[point.name] = loaded(point)
    return {name: found[name] for name in dict.fromkeys([*FIRST, *sorted(found)])}


def _settings(name: str) -> dict[str, Any]:
    """What a preset changes of the paper's settings."""
    module = _MODULES[name]
    based_on = getattr(module, "BASED_ON", None)
    return (_settings(based_on) if based_on else {}) | module.SETTINGS


_MODULES = Table("preset", _modules())
PRESETS = Table("preset", {name: _settings(name) for name in _MODULES})
# Of each preset the one with the paper's own model, on the same days.
PAPERS = Table("preset", {name: getattr(module, "PAPER", name) for name, module in _MODULES.items()})
COMPARISONS = Table("preset", {name: Comparison(**module.COMPARISON) for name, module in _MODULES.items()
                               if hasattr(module, "COMPARISON")})  # fmt: skip
