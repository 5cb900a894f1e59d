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
from sparta_core.errors import DataError, one_line
from sparta_core.progress import say

PAUSES = (2.0, 10.0, 30.0, 120.0)  # seconds before each new try at a chunk, after the protocol's own tries
OPENING = 20.0  # seconds that a store has to say what it holds, in each answer
STALLED = 300.0  # seconds after which a try without an answer has failed
# Of the fields themselves, by the places of three dimensions or more. What describes them may be missing: metadata that
# a store need not have, or a chunk of a coordinate that holds nothing but its fill value.
CHUNK = re.compile(r"(?P<array>.+?)/(c/)?(?P<first>\d+)([./]\d+){2,}")
# How files begin that are no store, what they are, and what to do with them.
KINDS: dict[bytes, tuple[str, str]] = {
    b"\x89HDF": ("a NetCDF file", ""), b"CDF": ("a NetCDF file", ""), b"PK\3\4": ("a zip archive", "unpack it first"),
    b"GRIB": ("a GRIB file", "make a Zarr store of it first"), b"": ("a file", "")}  # fmt: skip


def cannot_open(where: str, reason: str, remedy: str = "") -> DataError:
    """Make the error of a path or URL that is no Zarr store; its last words are the remedy, or a common one."""
    common = "check the address and the connection" if "://" in where else "give the folder of a Zarr store"
    return DataError(f"cannot open {where} as a Zarr store ({reason}); {remedy or common}")


class ReliableStore(WrapperStore[Store]):
    """A store that is only read.

    Args:
        store: zarr's store, which may fail.
        where: its path or URL, which names it in errors.

    Attributes:
        shared: chunks, by variable and place along the first dimension, that will be asked for twice; they come once.
        blosc: arrays whose chunks say their size, which is checked: Blosc would read on behind one that was cut short.
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
        """Find the store at a path or at a URL of any fsspec protocol; Google's buckets are asked without a login.

        Raises:
            DataError: there is no folder at the path, or the protocol is unknown.
        """
        if "://" not in where:
            path = Path(where)
            if not path.exists():
                raise cannot_open(where, "there is nothing", "check the path")
            if path.is_file():
                with path.open("rb") as file:
                    begin = file.read(4)
                kind, remedy = next(KINDS[start] for start in KINDS if begin.startswith(start))
                raise cannot_open(where, f"it is {kind}", remedy or "use a file of daily means as it is, with --data "
                                  f"{where}, or write it as a folder with xarray's to_zarr")  # fmt: skip
            return cls(LocalStore(where, read_only=True), where)
        say(f"Asking {where} what it holds; without an answer in {OPENING:g} s this ends")
        try:
            if not where.startswith("gs://"):
                return cls(FsspecStore.from_url(where, read_only=True), where)
            from gcsfs.core import GCSFileSystem  # fsspec's for gs:// first asks, over gRPC, of which kind a bucket is

            logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it says a failure as a traceback, we as a sentence
            files = GCSFileSystem(token="anon", asynchronous=True)
            return cls(FsspecStore(files, path=where.removeprefix("gs://"), read_only=True), where)
        except Exception as error:  # fsspec and each protocol raise their own
            raise cannot_open(where, one_line(error)) from error

    def _with_store(self, store: Store) -> "ReliableStore":
        other = type(self)(store, self.where)
        other.shared, other.blosc = self.shared, self.blosc  # the same sets: what is added later counts for both
        return other

    async def get(self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None) -> Buffer | None:
        """Read a file of the store as zarr asks for it; DataError for a chunk of a field that does not come."""
        asked = (key, byte_range)
        place = CHUNK.fullmatch(key)
        if place is None:  # soon: a protocol's own tries may take minutes without a word
            if asked not in self.described:
                self.described[asked] = await self._answer(OPENING, key, prototype, byte_range)
            return self.described[asked]
        if asked in self.kept:
            return self.kept.pop(asked)
        array = place["array"]
        chunk = await self._field(key, array, prototype, byte_range)
        if (NAMES.get(array, array), int(place["first"])) in self.shared:
            self.kept[asked] = chunk
        return chunk

    async def _field(self, key: str, array: str, *how: Any) -> Buffer:
        """A chunk of a field, asked for until it comes whole; DataError after the last try."""
        pauses = PAUSES if "://" in self.where else ()  # a disk does not change its mind
        for pause in (*pauses, None):
            try:
                chunk = await self._answer(STALLED, key, *how)
                if chunk is None:
                    raise FileNotFoundError("it is missing")
                length = len(chunk)
                if array in self.blosc:
                    length = int.from_bytes(chunk.to_bytes()[12:16], "little")  # as Blosc's header says
                if len(chunk) != length:
                    raise EOFError(f"it came with {len(chunk)} of {length} bytes")
                return chunk
            except Exception as error:  # fsspec, gcsfs and aiohttp each raise their own
                if pause is None:
                    raise DataError(f"chunk {key} of {self.where} cannot be read ({one_line(error)}, {len(pauses) + 1} "
                                    "times); what is prepared is kept: try again later, or choose years without it"
                                    ) from error
                say(f"chunk {key}: {one_line(error)}; asking again in {pause:g} s")
                await asyncio.sleep(pause)
        raise AssertionError

    async def _answer(self, seconds: float, key: str, *how: Any) -> Buffer | None:
        try:
            return await asyncio.wait_for(self._store.get(key, *how), seconds)
        except TimeoutError:
            raise ConnectionError(f"no answer in {seconds:g} s") from None
