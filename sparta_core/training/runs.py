"""Where a trained stage lives: runs/<experiment>/<stage>-<digest>/, safetensors and JSON only.

`checkpoint.safetensors` is the end of an epoch of unfinished work, `model.safetensors` the
finished stage, `experiment.json` what it was trained with, `history.csv` the losses per epoch.
"""

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sparta_core.errors import RunError
from sparta_core.experiment import Experiment

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Run:
    """The folder of one stage of one experiment, on one set of days (`data`: Fields.fingerprint)."""

    folder: Path
    stage: str
    settings: dict[str, Any]
    data: str

    @classmethod
    def of(cls, experiment: Experiment, stage: str, data: str, variant: str = "") -> "Run":
        """The run of `stage`; `variant` tells repetitions apart that share all settings (a seed)."""
        name = f"{stage}-{experiment.digest(stage)}{variant}"
        folder = Path(experiment.runs) / experiment.name(stage) / name
        return cls(folder, stage, experiment.settings(stage), data)

    @property
    def finished(self) -> bool:
        """Whether the stage's model is there; RunError if the folder holds another experiment's."""
        there = (self.folder / "model.safetensors").exists()
        if there:
            self.check_owner()
        return there

    def open(self) -> None:
        """Make the folder, or check that what it holds belongs to this experiment and these days."""
        if (self.folder / "experiment.json").exists():
            return self.check_owner()
        record = {"stage": self.stage, "data": self.data, "settings": self.settings}
        self.write("experiment.json", json.dumps(record, indent=1).encode())

    def check_owner(self) -> None:
        """RunError unless this folder's experiment.json agrees with this run."""
        path = self.folder / "experiment.json"
        try:
            record = json.loads(path.read_text())
            settings, data = record["settings"], record["data"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"cannot read {path} ({error}); move {self.folder} away to train again") from error
        for name, value in self.settings.items():
            if name in settings and settings[name] != value:
                raise RunError(
                    f"{self.folder} holds another experiment: its {name} is {settings[name]!r}, this one's "
                    f"{value!r}; move the folder away or use another runs folder")
        if data != self.data:
            raise RunError(
                f"{self.folder} was trained on other days than {self.settings['data']!r} now holds; "
                f"move the folder away or use another runs folder")

    def save(self, name: str, tensors: Tensors, record: dict[str, Any]) -> None:
        """Write `tensors` and the JSON `record` as one file, so that they cannot disagree."""
        tensors = {key: value.detach().contiguous().cpu() for key, value in tensors.items()}
        self.write(name, save(tensors, metadata={"record": json.dumps(record)}))

    def load(self, name: str) -> tuple[Tensors, dict[str, Any]]:
        """What `save` wrote; RunError for a truncated or foreign file."""
        record = self.record(name)
        path = self.folder / name
        with self._reading(path), safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, record  # noqa: SIM118

    def record(self, name: str) -> dict[str, Any]:
        """The JSON record of a saved file, without its tensors."""
        path = self.folder / name
        with self._reading(path), safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {})["record"])

    @contextlib.contextmanager
    def _reading(self, path: Path) -> Iterator[None]:
        try:
            yield
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise RunError(
                f"{path} is damaged ({error}); delete it to train {self.stage} again, nothing else is lost"
            ) from error

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def drop(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """history.csv: one row an epoch, columns as in the first row."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        self.write("history.csv", text.getvalue().encode())

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all: a reader finds the old one until the new one is on disk."""
        path = self.folder / name
        part = path.with_name(f".{name}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise RunError(
                f"cannot write {path} ({error.strerror or error}); free space or make the folder writable and "
                f"run again: what was saved before is kept") from error
