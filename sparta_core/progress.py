"""One line an epoch, and one now and then inside a long epoch, with the time left."""

import sys
import time

QUIET = 30.0  # seconds without a line, at most


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(42), duration(185), duration(7800)
    ('42 s', '3 min 05 s', '2 h 10 min')
    """
    whole = max(0, round(seconds))  # whatever the clock does
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def time_left(seconds: float, done: float, total: float) -> str:
    """What is to be said after `seconds` for `done` of a `total`.

    >>> time_left(37, 1, 6), time_left(42, 6, 6)
    ('3 min 05 s left', 'took 42 s')
    """
    return f"{duration(seconds / done * (total - done))} left" if done < total else f"took {duration(seconds)}"


def say(line: str) -> None:
    """Print a line at once; letters that the terminal's encoding lacks, as a path may have, as their numbers."""
    try:
        print(line, flush=True)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


class Told:
    """Says a line now and then, with the time left of a `total`, for what has no epochs."""

    def __init__(self, total: float) -> None:
        self.total = total
        self.begun = self.said = time.monotonic()

    def __call__(self, done: float, line: str) -> None:
        """After so much of the total."""
        now = time.monotonic()
        if now - self.said > QUIET:
            self.said = now
            say(f"{line}, {time_left(now - self.begun, done, self.total)}")


class Progress:
    """Prints plain lines, which notebooks, papermill's log and a cluster's log file all keep.

    Args:
        name: of what is trained, at the head of every line.
        epochs: how many there are in all.
        done: how many of them were trained before.
        steps: in an epoch.
        shown: whether anything is printed.
    """

    def __init__(self, name: str, epochs: int, done: int, steps: int, shown: bool = True) -> None:
        self.name, self.epochs, self.steps, self.shown = name, epochs, steps, shown
        self.begun = self.said = time.monotonic()
        self.first, self.epoch = done, done

    def step(self, step: int) -> None:
        """After training step `step` (from 0) of the current epoch."""
        now = time.monotonic()
        if now - self.said > QUIET:
            self.said = now
            done = self.epoch + (step + 1) / self.steps
            self._say(f"{self._head()}, step {step + 1}/{self.steps}, {self._left(done)}")

    def epoch_end(self, losses: dict[str, float]) -> None:
        """After the epoch's validation; `losses` are shown as they are named, without underscores."""
        shown = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in losses.items())
        head = self._head()
        self.epoch += 1
        self.said = time.monotonic()
        self._say(f"{head}: {shown}, {self._left(self.epoch)}")

    def _say(self, line: str) -> None:
        if self.shown:
            say(line)

    def _head(self) -> str:
        return f"{self.name}: epoch {self.epoch + 1}/{self.epochs}"

    def _left(self, done: float) -> str:
        return time_left(time.monotonic() - self.begun, done - self.first, self.epochs - self.first)
