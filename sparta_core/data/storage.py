"""Where the standardised days lie: on the device that computes, in memory, or mapped from a disk."""

import os
import tempfile
from math import prod

import numpy as np
import torch

from sparta_core.errors import DataError
from sparta_core.typed import check_choice

PLACES = ("auto", "device", "memory", "disk")
SHARE = 0.5  # of a device's free memory, or of this machine's, that the days may take: the rest is for training


def place(wanted: str, size: int, device: str) -> str:
    """Where `size` bytes of days are kept for `device`: "device", "memory" or "disk".

    `wanted` is one of them, or "auto": the first with room enough.
    """
    check_choice("storage", wanted, PLACES)
    if wanted != "auto":
        return wanted
    kind = torch.device(device).type
    if kind == "cuda" and size <= SHARE * torch.cuda.mem_get_info(torch.device(device))[0]:
        return "device"
    if size <= SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        return "memory" if kind == "cuda" else "device"
    return "disk"


def allocate(shape: tuple[int, ...], where: str) -> np.ndarray:
    """A float32 array; on "disk" a file without a name in the system's temporary folder (TMPDIR), gone with its array.

    DataError where that folder has no room.
    """
    if where != "disk":
        return np.empty(shape, dtype=np.float32)
    size = prod(shape) * np.dtype(np.float32).itemsize
    with tempfile.TemporaryFile() as file:
        try:
            _reserve(file.fileno(), size)
        except OSError as error:
            raise DataError(
                f"the days take {size / 2**30:.3g} GiB, more than {tempfile.gettempdir()} has room for "
                f"({error.strerror}); set TMPDIR to a larger disk, or use fewer days or variables") from error
        return np.memmap(file, dtype=np.float32, mode="r+", shape=shape)


def _reserve(file: int, size: int) -> None:
    """All of its room at once, where the system can: a mapped file that finds the disk full kills its process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)
