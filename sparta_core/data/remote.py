"""Stores on the net: a chunk is asked for again after a fault, and one that is missing is an error, never NaN."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, LocalStore, WrapperStore

from sparta_core.data.conventions import NAMES
from sparta_core.errors import DataError
from sparta_core.progress import say

PAUSES = (2.0, 10.0, 30.0, 120.0)  # seconds before each new try at a chunk, after the protocol's own tries
OPENING = 20.0  # seconds that a store has to say what it holds, in each answer
STALLED = 300.0  # seconds after which a try without an answer has failed
# Of the fields themselves, by the places of three dimensions or more. What describes them may be missing: metadata that
# a store need not have, or a chunk of a coordinate that holds nothing but its fill value.
CHUNK = re.compile(r"(?P<array>.+?)/(c/)?(?P<first>\d+)([./]\d+){2,}")


def _whole(chunk: Buffer) -> tuple[Buffer | None, str]:
    """A chunk that Blosc has compressed, or None and why: bytes 12 to 16 of its header say how long it is."""
    said = int.from_bytes(chunk.to_bytes()[12:16], "little")
    if len(chunk) == said:
        return chunk, ""
    return None, f"it came with {len(chunk)} of {said} bytes"


# How files begin that are no store, what they are, and what to do with them.
KINDS: dict[bytes, tuple[str, str]] = {
    b"\x89HDF": ("a NetCDF file", ""), b"CDF": ("a NetCDF file", ""),
    b"PK\3\4": ("a zip archive", "unpack it first"), b"GRIB": ("a GRIB file", "make a Zarr store of it first"),
}  # fmt: skip


def cannot_open(where: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split()) or type(error).__name__
    what = "check the address and the connection" if "://" in where else "give the folder of a Zarr store"
    return DataError(f"cannot open {where} as a Zarr store ({reason}); {what}")


def _check_path(where: str) -> None:
    """DataError for a path at which there is no folder."""
    path = Path(where)
    if not path.exists():
        raise DataError(f"cannot open {where} as a Zarr store (there is nothing); check the path")
    if path.is_file():
        with path.open("rb") as file:
            begin = file.read(4)
        kind, what = next((KINDS[start] for start in KINDS if begin.startswith(start)), ("a file", ""))
        what = what or (f"use a file of daily means as it is, with --data {where}, or write it as a folder with "
                        "xarray's to_zarr")  # fmt: skip
        raise DataError(f"cannot open {where} as a Zarr store (it is {kind}); {what}")


class ReliableStore(WrapperStore[Store]):
    """A store that is only read; `where` names it in errors.

    Chunks that are `shared`, by variable and place along its first dimension, will be asked for twice; they come once.
    Those of arrays in `blosc` say their size, which is checked: Blosc would read on behind a chunk that was cut short.
    """

    def __init__(self, store: Store, where: str) -> None:
        super().__init__(store)
        self.where = where
        self.shared: set[tuple[str, int]] = set()
        self.blosc: set[str] = set()
        self.described: dict[tuple[Any, ...], Buffer | None] = {}
        self.kept: dict[tuple[Any, ...], Buffer] = {}

    @classmethod
    def at(cls, where: str) -> "ReliableStore":
        """The store at a path or at a URL of any fsspec protocol, Google's buckets without a login; else DataError."""
        if "://" in where:
            say(f"Asking {where} what it holds; without an answer in {OPENING:g} s this ends")
        else:
            _check_path(where)
        try:
            return cls(cls._opened(where), where)
        except Exception as error:  # fsspec and each protocol raise their own
            raise cannot_open(where, error) from error

    @staticmethod
    def _opened(where: str) -> Store:
        if "://" not in where:
            return LocalStore(where, read_only=True)
        if not where.startswith("gs://"):
            return FsspecStore.from_url(where, read_only=True)
        from gcsfs.core import GCSFileSystem  # fsspec's for gs:// first asks, over gRPC, of which kind a bucket is

        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # its word on a failure is a traceback, ours a sentence
        files = GCSFileSystem(token="anon", asynchronous=True)
        return FsspecStore(files, path=where.removeprefix("gs://"), read_only=True)

    def _with_store(self, store: Store) -> "ReliableStore":
        other = type(self)(store, self.where)
        other.shared, other.blosc = self.shared, self.blosc  # the same sets: what is added later counts for both
        return other

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        asked = (key, byte_range)
        chunk = CHUNK.fullmatch(key)
        if chunk is None:
            if asked not in self.described:
                self.described[asked] = await self._answered(key, prototype, byte_range)
            return self.described[asked]
        if asked in self.kept:
            return self.kept.pop(asked)
        found = await self._found(key, prototype, byte_range)
        if (NAMES.get(chunk["array"], chunk["array"]), int(chunk["first"])) in self.shared:
            self.kept[asked] = found
        return found

    async def _answered(self, key: str, *how: Any) -> Buffer | None:
        """What describes the fields, soon: a protocol's own tries may take minutes without a word."""
        try:
            return await asyncio.wait_for(self._store.get(key, *how), OPENING)
        except TimeoutError:
            raise ConnectionError(f"no answer in {OPENING:g} s") from None

    async def _found(self, key: str, *how: Any) -> Buffer:
        reason, pauses = "", (0.0, *(PAUSES if "://" in self.where else ()))  # a disk does not change its mind
        for pause in pauses:
            if pause:
                say(f"chunk {key}: {reason}; asking again in {pause:g} s")
                await asyncio.sleep(pause)
            found, reason = await self._tried(key, *how)
            if found is not None:
                return found
        raise DataError(f"chunk {key} of {self.where} cannot be read ({reason}, {len(pauses)} times); what is "
                        "prepared is kept: try again later, or choose years without it")

    async def _tried(self, key: str, *how: Any) -> tuple[Buffer | None, str]:
        """What was asked for, or None and why."""
        try:
            found = await asyncio.wait_for(self._store.get(key, *how), STALLED)
        except TimeoutError:
            return None, f"no answer in {STALLED:g} s"
        except Exception as error:  # fsspec, gcsfs and aiohttp each raise their own
            return None, " ".join(str(error).split()) or type(error).__name__
        if found is None:
            return None, "it is missing"
        return _whole(found) if key.split("/")[0] in self.blosc else (found, "")
