"""Work in a forked child that is killed as it touches the disk."""

import os
import signal
import sys
import traceback
from collections.abc import Callable

import dask.threaded

FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def forked(work: Callable[[], object], kill_at: int | None = None) -> int:
    """Do `work` in a forked child that is killed as it is about to touch the disk for the time `kill_at`.

    Returns whether it came to its end; with `kill_at` None, how often it touched the disk.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        touched: list[str] = []

        def watch(event: str, _: object) -> None:
            if event in FILE_EVENTS:
                touched.append(event)
                if len(touched) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            signal.alarm(60)
            os.sync = lambda: None  # a killed process loses no pages
            dask.threaded.default_pool = None  # its threads stayed in the parent
            sys.addaudithook(watch)
            work()
            os.write(sender, len(touched).to_bytes(4))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(sender)
    with open(receiver, "rb") as pipe:
        touched_in_all = int.from_bytes(pipe.read())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return touched_in_all if kill_at is None else status == 0
