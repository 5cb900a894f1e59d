"""Where a trained stage lives: runs/<experiment>/<stage>-<digest>/, safetensors, JSON, CSV and NetCDF only.

`checkpoint.safetensors` is the end of an epoch of unfinished work, `model.safetensors` the
finished stage, `experiment.json` what it was trained with, `history.csv` the losses per epoch,
each with a checksum of its content. `.lock` is held by whoever trains or scores there.
"""

import contextlib
import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from sparta_core.errors import RunError
from sparta_core.experiment import Experiment
from sparta_core.files import TEXT_BYTES, read, remove, replace, sealed, sealed_json, unsealed, unsealed_json
from sparta_core.processes import agreed, first_process
from sparta_core.tensors import Tensors, checksum_of, packed, unpacked

RECORD, HISTORY = "experiment.json", "history.csv"
FORMAT = 4  # of a run's folder
PATIENCE = 10.0  # seconds between two words of the waiting processes of one launch


@dataclass(frozen=True)
class Run:
    """The folder of one stage of one experiment, on one set of days (`data`: Record.fingerprint)."""

    folder: Path
    stage: str
    settings: dict[str, Any]
    data: str
    experiment: Mapping[str, Any] = field(default_factory=dict)  # Experiment.told

    @classmethod
    def of(cls, experiment: Experiment, stage: str, data: str, variant: str = "") -> "Run":
        """The run of `stage`; `variant` tells repetitions apart that share all settings (a seed)."""
        name = _only_a_name(f"{stage}-{experiment.digest(stage)}{variant}")
        folder = Path(experiment.runs) / _only_a_name(experiment.name(stage)) / name
        return cls(folder, stage, experiment.settings(stage), data, experiment.told())

    def path(self, name: str) -> Path:
        """Where the file `name` of this run lies; RunError for a name that leads elsewhere."""
        return self.folder / _only_a_name(name)

    @property
    def finished(self) -> bool:
        """Whether the stage's model is there; RunError if the folder holds another experiment's."""
        there = self.has("model.safetensors")
        if there:
            self.check_owner()
        return there

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold this folder, and wait for whoever does, which is said once; a holder may hold it again.

        Of the processes of one launch the first holds it for all. RunError if it cannot be written.
        """
        lock, wait = FileLock(self.folder / ".lock", is_singleton=True), 0.0
        while not agreed(not first_process() or self._held(lock, wait)):
            if first_process() and not wait:
                print(f"another process is training or scoring in {self.folder}; waiting for it", flush=True)
            wait = PATIENCE
        try:
            yield
        finally:
            lock.release()

    def _held(self, lock: FileLock, wait: float) -> bool:
        with self._writing(Path(lock.lock_file)):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(wait)
            except Timeout:
                return False
            return True

    def open(self) -> None:
        """Make the folder, or check that what it holds belongs to this experiment and these days."""
        if self.has(RECORD):
            return self.check_owner()
        record = {"format": FORMAT, "stage": self.stage, "data": self.data, "settings": self.settings}
        self.write(RECORD, sealed_json(record | {"experiment": dict(self.experiment)}))

    def check_owner(self) -> None:
        """RunError unless this folder's experiment.json agrees with this run."""
        record = describe(self.folder)
        settings = record["settings"]
        for name, value in self.settings.items():
            if name in settings and settings[name] != value:
                raise RunError(
                    f"{self.folder} holds another experiment: its {name} is {settings[name]!r}, this one's "
                    f"{value!r}; move the folder away or use another runs folder")
        if record["data"] != self.data:
            raise RunError(
                f"{self.folder} was trained on other days than {self.settings['data']!r} now holds; "
                f"move the folder away or use another runs folder")

    def save(self, name: str, tensors: Tensors, record: dict[str, Any]) -> None:
        """Write `tensors` and the JSON `record` as one file."""
        self.write(name, packed(tensors, record))

    def once(self, name: str, make: Callable[[], Tensors]) -> Tensors:
        """The tensors `name`, made if they are not there yet; those that another process is at are waited for.

        Every process of a launch makes them, the first writes them.
        """
        if not agreed(self.has(name)):
            with self.alone():
                if not agreed(self.has(name)):
                    made = make()
                    if first_process():
                        self.open()
                        self.save(name, made, self.settings)
            agreed(True)  # the others read it next
        self.check_owner()
        return self.load(name)[0]

    def load(self, name: str) -> tuple[Tensors, dict[str, Any]]:
        """What `save` wrote; RunError for a file that is not, to the last bit."""
        path = self.path(name)
        with reading(path, f"delete it to train {self.stage} again, nothing else is lost"):
            return unpacked(path)

    def checksum(self, name: str) -> str:
        """The checksum of a saved file's tensors; RunError for a file that `save` did not write."""
        path = self.path(name)
        with reading(path, f"delete it to train {self.stage} again, nothing else is lost"):
            return checksum_of(path)

    def record(self, name: str) -> dict[str, Any]:
        """The JSON record of a saved file; empty if there is none, also if another process has just removed it."""
        try:
            return self.load(name)[1]
        except RunError:
            if self.has(name):
                raise
            return {}

    def has(self, name: str) -> bool:
        return os.path.exists(self.path(name))  # unlike Path.exists no error where one may not look

    def drop(self, name: str) -> None:
        remove(self.path(name))

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """history.csv: one row an epoch, columns as in the last; epochs that did not know one have nan there."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[-1]) if rows else ["epoch"], restval="nan")
        writer.writeheader()
        writer.writerows(rows)
        self.write(HISTORY, sealed(text.getvalue().encode()))

    def history(self) -> dict[str, list[float]]:
        """The columns of history.csv by name: epoch, learning_rate, training_<loss>, validation_<loss>."""
        path = self.path(HISTORY)
        with reading(path, "delete it, only the curves are lost"):
            names, *rows = csv.reader(io.StringIO(unsealed(read(path, TEXT_BYTES)).decode()))
            return {name: [float(row[column]) for row in rows] for column, name in enumerate(names)}

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; while more than one process might, only `alone`."""
        path = self.path(name)
        with self._writing(path):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace(path, content)

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"cannot write {path} ({error.strerror or error}); free space or make the folder writable and "
                f"run again: what was saved before is kept") from error


@contextlib.contextmanager
def reading(path: Path, remedy: str) -> Iterator[None]:
    """RunError that names `path`, and what to do, for whatever is wrong with what is read from it."""
    try:
        yield
    except (SafetensorError, OSError, ValueError, KeyError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({error}); {remedy}") from error


def describe(folder: Path) -> dict[str, Any]:
    """What `folder` is the run of: "stage", "data" (a fingerprint), "settings", and all of the "experiment".

    RunError for one that cannot be read, or that another version of the package wrote.
    """
    path = folder / RECORD
    with reading(path, f"move {folder} away to train again"):
        record = unsealed_json(read(path, TEXT_BYTES))
        version, known = record.pop("format", 1), {name: record[name] for name in ("stage", "data", "settings")}
        if version == FORMAT:
            return known | {"experiment": record["experiment"]}
    raise RunError(f"{folder} was written by another version of this package; move it away to train again")


def _only_a_name(text: str) -> str:
    """`text`, which must not lead out of the folder in which it names something; RunError."""
    if not re.fullmatch(r"[\w+-][\w.+-]*", text):
        raise RunError(f"{text!r} cannot be the name of a run or of its file; use letters, digits, +, - and _")
    return text
