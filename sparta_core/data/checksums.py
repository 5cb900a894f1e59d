"""Checksums of a store's files: damage on a disk is found when the store is opened, and named."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparta_core.errors import DataError
from sparta_core.files import TEXT_BYTES, read, replace, sealed_json, unsealed_json

CHECKSUMS = "checksums.json"  # in a store's folder: what was ordered, and the sha256 of every file


def checksum(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_folder(folder: Path, order: dict[str, Any], known: Mapping[str, str]) -> None:
    """Write down what `folder` was made for, and every file as it is, or as is `known` from when it was written."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    names = {path.relative_to(folder).as_posix(): path for path in files}
    sums = {name: known.get(name) or checksum(path) for name, path in names.items()}
    replace(folder / CHECKSUMS, sealed_json({"order": order, "files": sums}))


def order_of(folder: Path) -> dict[str, Any] | None:
    """What a sealed folder was made for; None for one without a seal."""
    record = _record(folder)
    return None if record is None else record["order"]


def check_folder(folder: Path) -> None:
    """DataError naming the first file of `folder` that is not what it was when it was sealed, if it was."""
    record = _record(folder)
    for name, expected in (record or {"files": {}})["files"].items():
        path = folder / name
        if not path.is_file() or checksum(path) != expected:
            raise DataError(f"{path} is damaged: it is not the file that was written; "
                            f"delete {folder} and make it again")


def _record(folder: Path) -> dict[str, Any] | None:
    path = folder / CHECKSUMS
    if not path.exists():
        return None
    try:
        record = unsealed_json(read(path, TEXT_BYTES))
        return {name: record[name] for name in ("order", "files")}
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); delete {folder} and make it again") from error
