"""SPARTA: representations of weather learned from sparse data."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
# What a user types, and where it is found: imported when it is asked for, so that a part does not import the rest.
_HERE = {
    "Experiment": "experiment", "Model": "model", "load": "loading", "open_record": "training.records",
    "train": "evaluation.plan", "SpartaError": "errors", "ExperimentError": "errors", "DataError": "errors",
    "RunError": "errors",
}  # fmt: skip
__all__ = list(_HERE)


def __getattr__(name: str) -> Any:
    if name not in _HERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HERE[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HERE]
