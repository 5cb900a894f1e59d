"""The card of a model, in Markdown: what it is, what it learned from, how it scored, and how to use it."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from sparta_core.data.variables import variable
from sparta_core.experiment import Experiment

UNKNOWN = "not said by the data; what they allow holds for this model, too"


def card(name: str, size: int, about: Mapping[str, Any]) -> str:
    """Write the card of a model's file.

    Args:
        name: Of the file.
        size: In bytes.
        about: What the file says of the model.

    Returns:
        Markdown.
    """
    return "\n".join(_lines(name, size, about)) + "\n"


def _lines(name: str, size: int, about: Mapping[str, Any]) -> Iterator[str]:
    fields, experiment = about["fields"], Experiment(**about["experiment"])
    yield f"# {name}\n"
    yield (f"A model of the weather from sparse observations, of the preset {experiment.preset!r}; "
           f"{size / 1e6:.1f} MB, saved by sparta-core {about['version']}. It embeds and reconstructs days"
           + (f", and holds the tasks {', '.join(about['tasks'])}.\n" if about.get("tasks") else ".\n"))
    yield "## Data\n"
    variables = ", ".join(f"{name} ({units})" for name, units in
                          zip(fields["variables"], fields["units"], strict=True))  # fmt: skip
    yield f"- Source: {fields['source']}"
    yield f"- Statistics and weights: {fields['period']}"
    levels = any(variable(name).aloft and variable(name).level is None for name in fields["variables"])
    yield f"- Variables: {variables}" + (f"; those on levels at {fields['level']} hPa" if levels else "")
    yield f"- Licence of the data: {fields['license'] or UNKNOWN}"
    yield "- Licence of the code that reads it: MIT\n"
    yield "## Settings that are not the paper's\n"
    yield from (f"- `{setting}`: {value!r}" for setting, value in experiment.changed(experiment.flat).items())
    yield "\n## Scores\n"
    yield from _scores(about)
    yield "\n## Use\n\n```python\nfrom sparta_core import load\n"
    yield f"load({name!r}).reconstruct(\"days.nc\")\n```"


def _scores(about: Mapping[str, Any]) -> Iterator[str]:
    """A table a task: its set-ups and metrics, this model, and the baselines that are scored alike."""
    rows = [[task, "this model", *row] for task, *row in about.get("scores", ())]
    every = pd.DataFrame([*rows, *about.get("baselines", ())], columns=["task", "model", "setup", "metric", "value"])
    if every.empty:
        yield "None: it was saved before it was scored."
    for task, own in every.groupby("task", sort=False):
        wide = own.pivot_table(index=["setup", "metric"], columns="model", values="value", sort=False)
        yield f"### {task}\n"
        yield " | ".join(["| set-up | metric", *wide.columns]) + " |"
        yield "| --- " * (2 + len(wide.columns)) + "|"
        for (setup, metric), values in wide.iterrows():
            told = ["" if pd.isna(value) else f"{value:.4g}" for value in values]
            yield " | ".join([f"| {setup} | {metric}", *told]) + " |"
        yield ""
