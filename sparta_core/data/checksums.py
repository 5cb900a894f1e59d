"""Checksums of a store's files: damage on a disk is found when the store is opened, and named."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparta_core.errors import DataError
from sparta_core.files import TEXT_BYTES, read, unsealed_json

CHECKSUMS = "checksums.json"  # in a store's folder: what was ordered, and the sha256 of every file


def checksum(path: Path) -> str:
    """Compute the sha256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums_of(folder: Path, pattern: str, known: Mapping[str, str]) -> dict[str, str]:
    """Compute the checksums of the files in a folder, except those that a writer has not finished.

    Args:
        folder: the folder.
        pattern: which of its files, as `Path.glob` reads it.
        known: checksums from when files were written, which stand, whatever has become of the files.

    Returns:
        The checksums, `known` ones too, by path inside the folder, with slashes.
    """
    paths = (path for path in folder.glob(pattern) if path.is_file() and ".part" not in path.name)
    new = {path.relative_to(folder).as_posix() for path in paths} - known.keys()
    return dict(sorted({**known, **{name: checksum(folder / name) for name in new}}.items()))


def seal_of(folder: Path) -> dict[str, Any]:
    """Read what a folder was made for and its files' checksums, {} if it has none; DataError for a damaged seal."""
    return sealed_record(folder / CHECKSUMS, f"delete {folder} and make it again")


def check_folder(folder: Path) -> None:
    """Compare the files of a folder with its checksums; a folder without any passes.

    Raises:
        DataError: a file, which it names, is not what was written.
    """
    for name, expected in seal_of(folder).get("files", {}).items():
        check_file(folder / name, expected, f"delete {folder} and make it again")


def check_file(path: Path, expected: str, remedy: str) -> None:
    """Compare a file with its checksum; DataError, which ends with `remedy`, if it is another or gone."""
    if not path.is_file() or checksum(path) != expected:
        raise DataError(f"{path} is damaged: it is not the file that was written; {remedy}")


def sealed_record(path: Path, remedy: str) -> dict[str, Any]:
    """Read a sealed JSON file, {} if there is none; DataError, which ends with `remedy`, if it was changed."""
    if not path.exists():
        return {}
    try:
        return unsealed_json(read(path, TEXT_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); {remedy}") from error
