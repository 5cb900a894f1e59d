"""Full disks, lost permissions, jumping clocks: one sentence, nothing lost, the same bytes in the end."""

import errno
import itertools
import os
import random
import re
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sparta_core.progress import Progress
from tests.faults.children import REFUSED, UNTOUCHED, start, with_faults
from tests.faults.works import TRAINS, WORKS, contents

REASONS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES)


@pytest.fixture
def ends_as_the_whole(whole, tmp_path):
    """Does the work once more, undisturbed, and compares all files with those of one that never was."""

    def check(experiment, name):
        child = start(lambda: WORKS[name](experiment), tmp_path / "log")
        assert child.wait() == 0, child.said
        assert contents(Path(experiment.runs)) == contents(Path(whole.runs))

    return check


def refused(child, number):
    """The name of the file that a child could not write, from the one sentence in which it says so."""
    sentence = (rf"cannot write \S+/(\S+) \({re.escape(os.strerror(number))}\); free space or make the folder "
                "writable and run again: what was saved before is kept")  # fmt: skip
    return re.fullmatch(sentence, child.said.splitlines()[-1])[1]


@pytest.mark.parametrize("name", ["forecast", "baselines"])
def test_a_disk_that_takes_no_more(without, ends_as_the_whole, tmp_path, name):
    """From any file operation on, in the middle of writes too, for whatever reason."""
    named = set()
    for first, number in zip(itertools.count(1), itertools.cycle(REASONS), strict=False):

        def fail(number=number):
            raise OSError(number, os.strerror(number))

        experiment = without(name, f"runs{first}")
        child = start(with_faults(lambda made=experiment: WORKS[name](made), first, fail), tmp_path / "log")
        ended = child.wait()
        if ended == UNTOUCHED:
            break
        assert ended in (REFUSED, 0), child.said  # 0: what could not be removed was not needed any more
        named |= {refused(child, number)} if ended else set()
        ends_as_the_whole(experiment, name)
    made = {"model.safetensors", "checkpoint.safetensors", "history.csv"} if name in TRAINS else {"reconstruction.nc"}
    assert named == made | {"experiment.json", ".lock"}


def test_a_file_larger_than_the_system_allows(without, ends_as_the_whole, tmp_path):
    """For real: what is written of the checkpoint ends at 20 kB, where the history and the settings still fit."""
    experiment = without("autoencoder")

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        WORKS["autoencoder"](experiment)

    child = start(work, tmp_path / "log")
    assert child.wait() == REFUSED and refused(child, errno.EFBIG) == "checkpoint.safetensors"
    ends_as_the_whole(experiment, "autoencoder")


@pytest.fixture
def public(without):
    """Makes a copy of the experiment where everybody may go, in folders of the given mode."""
    with TemporaryDirectory() as folder:

        def make(name, mode):
            Path(folder).chmod(0o755)
            experiment = without(name, f"{folder}/runs")
            for path in (Path(experiment.runs), *Path(experiment.runs).iterdir()):
                path.chmod(mode)
            return experiment

        yield make


def as_nobody():
    """Root may write anywhere."""
    if os.geteuid() == 0:
        os.setuid(65534)


def test_a_folder_that_turns_read_only_while_training(public, ends_as_the_whole, tmp_path):
    experiment = public("diffusion", 0o777)
    plain = Progress.epoch_end

    def folder():
        return next(Path(experiment.runs).glob("*/diffusion-*"))

    def work():
        as_nobody()
        Progress.epoch_end = lambda *said: (plain(*said), folder().chmod(0o555))
        WORKS["diffusion"](experiment)

    child = start(work, tmp_path / "log")
    assert child.wait() == REFUSED and refused(child, errno.EACCES) == "checkpoint.safetensors"
    assert (folder() / "checkpoint.safetensors").exists()  # of the first epoch
    folder().chmod(0o777)
    ends_as_the_whole(experiment, "diffusion")


def test_what_is_done_is_there_for_those_who_may_only_read(whole, public, tmp_path):
    experiment = public("nothing", 0o555)

    def work():
        as_nobody()
        for do in WORKS.values():
            do(experiment)

    child = start(work, tmp_path / "log")
    assert child.wait() == 0 and child.said == "", child.said
    assert contents(Path(experiment.runs)) == contents(Path(whole.runs))


@pytest.mark.parametrize("name", ["pretrain", "classification", "baselines"])
def test_clocks_that_jump_back_and_forth(whole, without, tmp_path, name):
    experiment, draw = without(name), random.Random(0)

    def work():
        time.monotonic, time.time, time.perf_counter = (
            lambda clock=clock: clock() + draw.uniform(-5000, 5000)
            for clock in (time.monotonic, time.time, time.perf_counter))  # fmt: skip
        WORKS[name](experiment)

    child = start(work, tmp_path / "log")
    assert child.wait() == 0, child.said
    assert contents(Path(experiment.runs)) == contents(Path(whole.runs))
    left = [line.rsplit(", ", 1)[1] for line in child.said.splitlines()]
    assert all(re.fullmatch(r"(took )?\d+ (s|min \d\d s|h \d\d min)( left)?", each) for each in left), left
    assert len(left) >= 2 or name == "baselines"
