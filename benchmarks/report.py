"""Rows of results, the machine they hold for, and RESULTS.md, where every machine has a section of its own."""

import datetime
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

import sparta_core
from benchmarks.timing import Spread

HEAD = ("measured", "ours", "compared with", "ratio (rounds)", "goal")
PREAMBLE = """# Results

Written by `make bench` and, of other people's methods, by `python -m benchmarks.peers`, which replace the tables of
their own machine and keep the others. For `make bench` ours and what it is compared with took turns in one run; a
ratio is the median of the rounds, with the lowest and the highest. The comparison is a plain per-sample version of
the same views and steps, `per_sample.py`, unless a row says otherwise.
Our steps make their own views; the plain step alone is handed them. FLOPs are those of the model, counted by torch.
Nothing is known of machines that are not below: until a GPU is among them, its goals are neither met nor missed.
"""

Sections = dict[str, dict[str, str]]  # machine -> benchmark -> text


@dataclass(frozen=True)
class Goal:
    """A bound on a ratio."""

    bound: float
    at_least: bool = True

    def verdict(self, reached: float, unit: str) -> str:
        met = reached >= self.bound if self.at_least else reached <= self.bound
        bound, found = (amount(x) + unit for x in (self.bound, reached))
        return f"goal {bound}{'' if self.at_least else ' at most'}: {'met' if met else 'missed'} ({found})"


@dataclass(frozen=True)
class Row:
    """One result; `unit` is of the ratio, "x" or " %"."""

    measured: str
    ours: str
    against: str = ""
    ratio: Spread | None = None
    goal: Goal | None = None
    unit: str = "x"

    @property
    def cells(self) -> tuple[str, ...]:
        ratio = goal = ""
        if self.ratio:
            median, low, high = (amount(x) for x in (self.ratio.median, self.ratio.low, self.ratio.high))
            ratio = f"{median}{self.unit}" + (f" ({low} to {high})" if low != high else "")
        if self.ratio and self.goal:
            goal = self.goal.verdict(self.ratio.median, self.unit)
        return self.measured, self.ours, self.against, ratio, goal


def amount(x: float) -> str:
    """Three significant digits, no exponent: 0.123, 4.56, 1,235."""
    return f"{x:,.0f}" if abs(x) >= 99.95 else f"{x:.3g}"


def gigabytes(count: float) -> str:
    return f"{amount(count / 1e9)} GB"


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def table(rows: Sequence[Row]) -> str:
    return "\n".join([line(HEAD), line(["---"] * len(HEAD)), *(line(row.cells) for row in rows)])


def machine(device: str) -> str:
    """The heading of this machine's section: what computes, and with how many CPU threads."""
    threads = f"{torch.get_num_threads()} threads"
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, cuda, {threads}"
    return f"{_processor()}, {device}, {threads}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", information.read_text()) if information.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def versions() -> str:
    """Date and versions, for a table's first line."""
    return (f"{datetime.date.today()}; Python {platform.python_version()}, torch {torch.__version__}, "
            f"sparta_core {sparta_core.__version__}")  # fmt: skip


def record(path: Path, machine: str, benchmark: str, text: str) -> None:
    """Put `text` into the file as what `machine` found in `benchmark`; everything else stays."""
    sections = parsed(path.read_text()) if path.exists() else {}
    sections.setdefault(machine, {})[benchmark] = text
    path.write_text(rendered(sections))


def parsed(text: str) -> Sections:
    """The sections of a results file; what stands before the first is left out."""
    machines = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    sections: Sections = {}
    for name, body in zip(machines[::2], machines[1::2], strict=True):
        parts = re.split(r"^### (.+)\n", body, flags=re.MULTILINE)[1:]
        sections[name] = {part: found.strip() for part, found in zip(parts[::2], parts[1::2], strict=True)}
    return sections


def rendered(sections: Sections) -> str:
    text = PREAMBLE
    for name, parts in sections.items():
        text += f"\n## {name}\n"
        for part, body in parts.items():
            text += f"\n### {part}\n\n{body.strip()}\n"
    return text
