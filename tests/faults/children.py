"""Child processes to be killed by the hundreds: forked with everything imported, on one thread, for minutes at most."""

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from sparta_core import files
from sparta_core.errors import SpartaError

REFUSED, UNTOUCHED = 3, 4  # how a child ends: with one of our errors; before the operation that was to fail
LONGEST = 120  # seconds


@dataclass
class Child:
    """A process at work; `log` takes what it says."""

    pid: int
    log: Path

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """0, another exit status, or minus the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    @property
    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


def start(work: Callable[[], object], log: Path) -> Child:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with open(log, "w", buffering=1) as out, redirect_stdout(out), redirect_stderr(out):
                status = _ended(work)
        finally:
            os._exit(status)
    return Child(pid, log)


def _ended(work: Callable[[], object]) -> int:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST)
    torch.set_num_threads(1)
    os.fsync = lambda _: None  # who is killed loses no pages
    try:
        ended = work()
    except SpartaError as error:
        print(error)
        return REFUSED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return 1
    return ended if isinstance(ended, int) else 0


class Faults:
    """Counts this process's file operations; from the n-th on `fault` is called before them, in a write after half."""

    def __init__(self, first: int, fault: Callable[[], None]) -> None:
        self.first, self.fault, self.count = first, fault, 0
        for name in ("open", "fsync", "replace", "unlink", "mkdir"):
            setattr(os, name, self._counted(getattr(os, name)))
        files.open = partial(_Halting, self)

    @property
    def due(self) -> bool:
        self.count += 1
        return self.count >= self.first

    def _counted(self, operation):
        def counted(*arguments, **options):
            if self.due:
                self.fault()
            return operation(*arguments, **options)

        return counted


class _Halting(io.FileIO):
    def __init__(self, faults: Faults, path: Path, mode: str) -> None:
        self.faults = faults
        if faults.due:
            faults.fault()
        super().__init__(path, mode)

    def write(self, content: bytes) -> int:
        if self.faults.due:
            super().write(content[: len(content) // 2])
            self.faults.fault()
        return super().write(content)


def with_faults(work: Callable[[], object], first: int, fault: Callable[[], None]) -> Callable[[], int]:
    """`work`, whose file operations fail from the n-th on; UNTOUCHED if there are fewer."""

    def faulty() -> int:
        faults = Faults(first, fault)
        work()
        return UNTOUCHED if faults.count < first else 0

    return faulty


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
