"""SIGKILL at any moment: whoever starts again ends with the files, to the byte, of one that was never stopped."""

import itertools
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from sparta_core.training.records import run_of
from tests.faults.children import UNTOUCHED, die, start, with_faults
from tests.faults.works import WORKS, contents

KILLS = 25  # of each work, at least
TOTAL = 200


@pytest.mark.parametrize("name", WORKS)
def test_every_restart_ends_as_if_there_had_been_no_stop(whole, without, tmp_path, name):
    """Killed at every other file operation, before it or in the middle of a write; and at random, again and again."""
    trials = Trials(whole, without, tmp_path, name)
    trials.at_file_operations()
    trials.at_random_times()
    assert trials.kills >= KILLS and KILLS * len(WORKS) >= TOTAL
    assert trials.resumed >= 5 or name == "baselines"


class Trials:
    """The deaths of one work, each of which must leave no trace in what the next who does it ends with."""

    def __init__(self, whole, without, folder, name):
        self.without, self.name, self.log = without, name, folder / "log"
        self.expected = contents(Path(whole.runs))
        self.kills = self.resumed = 0
        self.experiment = without(name)

    def do(self):
        WORKS[self.name](self.experiment)

    def at_file_operations(self):
        """Each from the beginning, until there are no more operations; scores, which have few, at every one."""
        step = 1 if self.name == "baselines" else 2
        for first in itertools.count(1 + list(WORKS).index(self.name) % step, step):
            child = start(with_faults(self.do, first, die), self.log)
            ended = child.wait()
            if ended == UNTOUCHED:
                return self.check()
            assert ended == -signal.SIGKILL, child.said
            self.kills += 1
            self.finish()

    def at_random_times(self):
        """Of one run after the other, however often it takes to get through it."""
        draw, longest = random.Random(self.name), self.seconds()
        while self.kills < KILLS:
            child = start(self.do, self.log)
            time.sleep(draw.uniform(0, longest))
            child.kill()
            if child.wait() == 0:
                self.check()
            else:
                self.kills += 1
                self.resumed += self.half_done()
        self.finish()

    def seconds(self):
        begun = time.monotonic()
        self.finish()
        return time.monotonic() - begun

    def finish(self):
        """Start again, this time undisturbed."""
        self.resumed += self.half_done()
        child = start(self.do, self.log)
        assert child.wait() == 0, child.said
        self.check()

    def half_done(self):
        """Whether there is a checkpoint to go on from."""
        folders = Path(self.experiment.runs).glob(f"*/{self.name}-*")
        return any((folder / "checkpoint.safetensors").exists() and not (folder / "model.safetensors").exists()
                   for folder in folders)  # fmt: skip

    def check(self):
        """The same files with the same bytes, and none besides; then back to where nothing is done."""
        there = contents(Path(self.experiment.runs))
        assert there.keys() == self.expected.keys()
        assert [path for path in there if there[path] != self.expected[path]] == []
        shutil.rmtree(self.experiment.runs)
        self.experiment = self.without(self.name)


def test_half_a_checkpoint_is_not_left_by_who_needs_none(whole, without, tmp_path):
    """Killed while the last one was written, and started again with epochs too short for another."""
    experiment = without("forecast").replace(checkpoint_every=1e9)
    folder = run_of(experiment, "forecast", "-seed0").folder
    folder.mkdir()
    (folder / ".checkpoint.safetensors.part").write_bytes(b"half")
    assert start(lambda: WORKS["forecast"](experiment), tmp_path / "log").wait() == 0
    assert contents(Path(experiment.runs)) == contents(Path(whole.runs))
