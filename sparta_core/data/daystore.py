"""Local Zarr stores of daily fields: written block by block, whole or not there at all, checked when they are read.

A store is begun at `.NAME.part` beside its target. A block of days counts once the journal there names it, after
its bytes are on the disk; the whole store is renamed. Whoever is interrupted goes on after the last block, if need
be from the state that was noted with it.
"""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from filelock import FileLock, Timeout

from sparta_core.data.checksums import CHECKSUMS, check_file, checksums_of, seal_of, sealed_record
from sparta_core.data.moments import Moments
from sparta_core.data.variables import STATIC
from sparta_core.errors import DataError
from sparta_core.files import replace, sealed_json

JOURNAL = "journal.json"
CHUNKS = "*/c/**/*"
BLOCK_BYTES = 64 * 2**20  # of one variable, at most
BLOCK_DAYS = 365


class DayStore:
    """A store of days that is being made, or is there.

    Args:
        target: its folder.
        order: what is asked for, settings by name; a store there that was made for another order is refused.
        block_days: how many days are written, and later read, at once; fewer on fine grids.

    Raises:
        DataError: `target` is no name that a store can have.
    """

    def __init__(self, target: Path, order: Mapping[str, Any], block_days: int | None = None) -> None:
        if target == Path("bundled"):  # whoever loads days by that name gets the bundled climate
            raise DataError("the target is 'bundled', which names the bundled climate; choose another, such as "
                            "data/era5.zarr")
        if not target.name or "\0" in str(target):
            raise DataError(f"{str(target)!r} is no name of a store; name the folder that is to be made")
        self.target, self.part = target, target.with_name(f".{target.name}.part")
        self.order = json.loads(json.dumps(order, default=np.generic.item))  # as it will be read again
        self.block_days = block_days or BLOCK_DAYS

    @property
    def finished(self) -> bool:
        """Whether it is there whole; DataError if `target` holds anything else."""
        with self._writing():
            if not self.target.exists():
                return False
        seal = seal_of(self.target)
        if "order" not in seal:
            raise DataError(f"{self.target} exists and is no store made here; choose another target")
        self._check_order(seal["order"], self.target)
        return True

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the unfinished store; DataError while another process does."""
        lock = FileLock(self.target.with_name(f".{self.target.name}.lock"), timeout=0)
        with self._writing():
            self.target.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout as error:
                raise DataError(f"another process is making {self.target}; "
                                "wait for it, or choose another target") from error
        try:
            yield
        finally:
            lock.release()

    def begin(self, days: xr.Dataset) -> list[slice]:
        """Lay out the store, unless that is done.

        Args:
            days: all that it will hold, lazily: fields (time, latitude, longitude) or (time, y, x) and static ones.

        Returns:
            The blocks of days that are still to be written.

        Raises:
            DataError: it was begun for another order, another number of days, or days from elsewhere.
        """
        journal = self._journal() or self._laid_out(days)
        self._check_order(journal["order"], self.part)
        if journal["days"] != days.sizes["time"]:
            raise DataError(f"{self.part} was begun with {journal['days']} days, of which the source now has "
                            f"{days.sizes['time']}; delete it to begin again")
        if journal["source"] != days.attrs["source"]:
            raise DataError(f"the days in {self.part} are {journal['source']}, the next would be "
                            f"{days.attrs['source']}; delete it to begin again")
        return [block for block in self._blocks(days) if str(block.start) not in journal["blocks"]]

    @property
    def state(self) -> bytes:
        """What was noted last, of the unfinished store; nothing, if nothing was. DataError if it is damaged."""
        name = self._journal().get("state")
        if name is None:
            return b""
        check_file(self.part / name, name.removesuffix(".state"), f"delete {self.part} to begin again")
        return (self.part / name).read_bytes()

    def write(self, block: xr.Dataset, at: slice, state: bytes = b"") -> None:
        """Put a block of days on the disk, then note it in the journal.

        Args:
            block: the days, loaded.
            at: the place that `begin` gave to the block.
            state: what the next block is to be made from, if that must be kept.

        Raises:
            DataError: they cannot be written.
        """
        fields = block[weather(block)].drop_vars(block.coords, errors="ignore")
        with self._writing():
            fields.to_zarr(self.part, region={"time": at}, consolidated=False)
            os.sync()  # the journal must not name what a power cut could take
        journal = self._journal()
        journal["blocks"][str(at.start)] = {
            str(name): dict(zip(Moments._fields, map(float, Moments.of(field.values).total()), strict=True))
            for name, field in fields.items()}
        # As they were written: what befalls them later is found.
        self.note(state, journal | {"files": checksums_of(self.part, CHUNKS, journal["files"])})

    def note(self, state: bytes, journal: dict[str, Any] | None = None) -> None:
        """Note a state from which to go on, before the first days or with a new journal."""
        journal = journal or self._journal()
        with self._writing():
            if state:
                journal["state"] = f"{hashlib.sha256(state).hexdigest()}.state"
                replace(self.part / journal["state"], state)
            replace(self.part / JOURNAL, sealed_json(journal))
            for path in self.part.glob("*.state"):
                if path.name != journal.get("state"):
                    path.unlink()

    def finish(self) -> None:
        """Add every variable's statistics and every file's checksum, and move the store to its target."""
        with self._writing():
            journal = self._journal()
            blocks = [*journal["blocks"].values()]
            group = zarr.open_group(self.part, mode="r+")
            for name in blocks[0]:
                parts = (np.array([block[name][part] for block in blocks]) for part in Moments._fields)
                total = Moments(*parts).total()
                group[name].attrs.update({"mean": float(total.mean), "standard_deviation": float(total.std),
                                          "actual_range": [float(total.minimum), float(total.maximum)]})  # fmt: skip
            # Of writers that were killed, zarr's and this one too; and the last state.
            for path in [*self.part.rglob("*.part*"), *self.part.rglob("*.state"), *self.part.glob(CHECKSUMS)]:
                path.unlink()
            zarr.consolidate_metadata(self.part)
            files = checksums_of(self.part, "**/*", journal["files"])
            replace(self.part / CHECKSUMS, sealed_json({"order": self.order, "files": files}))
            os.rename(self.part, self.target)

    def _laid_out(self, days: xr.Dataset) -> dict[str, Any]:
        """The journal of a store of metadata, coordinates and static fields; of the days themselves nothing yet."""
        shutil.rmtree(self.part, ignore_errors=True)
        shape = (self._blocks(days)[0].stop, *days[weather(days)[0]].shape[1:])
        encoding: dict[str, dict[str, Any]] = {name: {"chunks": shape} for name in weather(days)}
        encoding["time"] = {"units": "days since 1900-01-01", "dtype": "int64", "chunks": (days.sizes["time"],)}
        static = {name: days[name].load() for name in days.data_vars if name in STATIC}
        with self._writing():
            days.assign(static).to_zarr(self.part, mode="w", compute=False, safe_chunks=False,
                                        encoding=encoding, consolidated=False)  # fmt: skip
        journal = {"order": self.order, "days": days.sizes["time"], "source": days.attrs["source"], "blocks": {},
                   "files": checksums_of(self.part, CHUNKS, {})}  # fmt: skip
        self.note(b"", journal)
        return journal

    def _blocks(self, days: xr.Dataset) -> list[slice]:
        count, points = days.sizes["time"], days[weather(days)[0]][0].size
        length = max(1, min(self.block_days, BLOCK_BYTES // (4 * points), count))
        return [slice(start, min(start + length, count)) for start in range(0, count, length)]

    def _journal(self) -> dict[str, Any]:
        return sealed_record(self.part / JOURNAL, f"delete {self.part} to begin again")

    def _check_order(self, order: Mapping[str, Any], where: Path) -> None:
        for name, wanted in self.order.items():
            if order.get(name) != wanted:
                raise DataError(f"{where} holds another {name}: {order.get(name)}, not {wanted}; "
                                "choose another target or delete that store")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Object at .* is not recognized")  # the journal, the checksums
                warnings.filterwarnings("ignore", "Consolidated metadata is currently not part")
                yield
        except OSError as error:
            raise DataError(f"cannot write {error.filename or self.part} ({error.strerror or error}); free space or "
                            "make the folder writable and start again: what was written is kept") from error


def weather(days: xr.Dataset) -> list[str]:
    """List the variables that have a time."""
    return [str(name) for name in days.data_vars if name not in STATIC]
