"""Files written whole or not at all, sealed with the checksum of their content, and read up to a size."""

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

TEXT_BYTES = 2**24  # of a JSON or CSV file, at most
UNSEALED, CHANGED = "it has no checksum", "its bytes are not those that were written"


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: a reader finds the old one until the new one is on the disk.

    One writer at a time; what one that was killed has left, the next one overwrites.

    Args:
        path: of the file.
        content: all of it.

    Raises:
        OSError: where it cannot be written; the old file stays as it was.
    """
    part = _part(path)
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Remove a file that nobody needs, and what a killed writer may have left of its successor."""
    for each in (path, _part(path)):
        with contextlib.suppress(OSError):
            each.unlink()


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def check_size(path: Path, most: int) -> None:
    """ValueError for a file of more than `most` bytes, before any of it is read."""
    if path.stat().st_size > most:
        raise ValueError(f"it has more than {most >> 20:,} MiB")


def read(path: Path, most: int) -> bytes:
    """The content of a file; ValueError for one of more than `most` bytes."""
    check_size(path, most)
    return path.read_bytes()


def sealed(content: bytes) -> bytes:
    """`content` and a last line with its sha256: a comment in CSV, and behind what HDF5 reads.

    >>> unsealed(sealed(b"1,2")), sealed(b"1,2")[:14]
    (b'1,2', b'1,2# sha256 17')
    """
    return content + f"# sha256 {hashlib.sha256(content).hexdigest()}\n".encode()


def unsealed(content: bytes) -> bytes:
    """What was sealed; ValueError for anything else, to the last bit."""
    inside = content[: -len(sealed(b""))]
    if content != sealed(inside):
        raise ValueError(CHANGED if b"# sha256 " in content[-len(sealed(b"")) :] else UNSEALED)
    return inside


def sealed_json(record: dict[str, Any]) -> bytes:
    """`record` as JSON, with the sha256 of all else in it."""
    plain = json.dumps(record, indent=1)
    return json.dumps(record | {"sha256": hashlib.sha256(plain.encode()).hexdigest()}, indent=1).encode()


def unsealed_json(content: bytes) -> dict[str, Any]:
    """The record that was sealed; ValueError for anything else, to the last bit."""
    record = json.loads(content)
    if not isinstance(record, dict) or record.pop("sha256", None) is None:
        raise ValueError(UNSEALED)
    if content != sealed_json(record):
        raise ValueError(CHANGED)
    return record
