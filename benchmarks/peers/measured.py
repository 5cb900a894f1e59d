"""Scores methods on the same days and observations; what was scored is on the disk before the next is begun."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import Method
from benchmarks.peers.archive import KINDS, SPIN_UP, Archive, Sparse, errors
from sparta_core.data.record import Record
from sparta_core.errors import DataError
from sparta_core.files import TEXT_BYTES, read, replace, sealed_json, unsealed_json
from sparta_core.progress import say, time_left
from sparta_core.training.runs import reading

SPLIT = "downstream_test"


@dataclass(frozen=True)
class Plan:
    """What all methods are scored on.

    Args:
        record: The days, as anomalies.
        days: How many of the last split are scored, evenly over it; those between are left out.
        seeds: Of the places of observations, from 0 on.
        folder: Where results are kept.
    """

    record: Record
    days: int
    seeds: int
    folder: Path

    @property
    def scored(self) -> range:
        """The numbers of the scored days."""
        test = self.record.splits[SPLIT]
        return test[:: max(1, len(test) // self.days)][: self.days]

    def sparse(self) -> Iterator[Sparse]:
        """The scored days as each kind of observations shows them, at the places of each seed."""
        test = self.record.splits[SPLIT]
        days = range(max(0, test.start - SPIN_UP), test.stop)
        for seed in range(self.seeds):
            for kind in KINDS:
                yield Sparse(self.record, kind, seed, days, self.scored)

    def settings(self, method: Method) -> dict[str, Any]:
        """What a kept result must have been made with to be taken."""
        return {"made_with": method.made_with(), "data": self.record.fingerprint, "scored": [*self.scored]}


@dataclass
class Result:
    """What a method has reached."""

    title: str
    cannot: str
    learned: str = ""
    fit_seconds: float = 0.0
    scores: list[dict[str, Any]] = field(default_factory=list)  # kind, seed, mse, unseen (of variables), seconds a day

    def mse(self, kind: str, of: str = "mse") -> np.ndarray:
        """(seeds, variables) of a kind; `of` "unseen": of the values that are not observed."""
        return np.array([score[of] for score in self.scores if score["kind"] == kind])

    def seconds(self, kind: str) -> float:
        """CPU seconds a day."""
        return float(np.mean([score["seconds"] for score in self.scores if score["kind"] == kind]))

    def of_seeds(self, seeds: int) -> "Result":
        """The same with scores of the first seeds only."""
        some = [score for score in self.scores if score["seed"] < seeds]
        return Result(self.title, self.cannot, self.learned, self.fit_seconds, some)


def measure(methods: Mapping[str, Method], plan: Plan) -> dict[str, Result]:
    """Score methods by their names; what was scored before is read.

    Raises:
        DataError: For a last split that is empty.
        RunError: For a result that cannot be read.
    """
    if not plan.scored:
        raise DataError(f"no day of {SPLIT} is left to score; use more days")
    archive, begun = Archive(plan.record, plan.folder), time.monotonic()
    results = {}
    for number, (name, method) in enumerate(methods.items()):
        results[name] = _measured(name, method, archive, plan).of_seeds(plan.seeds)
        say(f"{name}: {time_left(time.monotonic() - begun, number + 1, len(methods))}")
    return results


def _measured(name: str, method: Method, archive: Archive, plan: Plan) -> Result:
    """What a method reaches; each score is written when it is known."""
    path, settings = plan.folder / f"{name}.json", plan.settings(method)
    result = _kept(path, settings) or Result(method.title, method.cannot)
    done = {(score["kind"], score["seed"]) for score in result.scores}
    missing = [sparse for sparse in plan.sparse() if (sparse.kind, sparse.seed) not in done]
    if not missing:
        return result
    begun = time.process_time()
    result.learned = method.fit(archive)
    if not done:
        result.fit_seconds = time.process_time() - begun + method.kept_seconds
    say(f"{name}: {result.learned}")
    for sparse in missing:
        result.scores.append(_score(method, sparse, archive))
        plan.folder.mkdir(parents=True, exist_ok=True)
        replace(path, sealed_json({"settings": settings, "result": result.__dict__}))
    return result


def _kept(path: Path, settings: dict[str, Any]) -> Result | None:
    """The result in a file, if there is one that was made with these settings."""
    if not path.exists():
        return None
    with reading(path, "delete it to measure again"):
        there = unsealed_json(read(path, TEXT_BYTES))
        return Result(**there["result"]) if there["settings"] == settings else None


def _score(method: Method, sparse: Sparse, archive: Archive) -> dict[str, Any]:
    """Error and time of one kind of observations at the places of one seed."""
    _ = sparse.places, sparse.values  # made here, as they are no part of the time
    begun = time.process_time()
    made = method(sparse)
    seconds = (time.process_time() - begun) / len(sparse.days if method.every_day else sparse.scored)
    everywhere, unseen = errors(made, sparse, archive.area)
    say(f"  {sparse.kind}, seed {sparse.seed}: error {everywhere.mean():.4g}, {seconds:.3g} s a day")
    return {"kind": sparse.kind, "seed": sparse.seed, "mse": everywhere.tolist(), "unseen": unseen.tolist(),
            "seconds": seconds}  # fmt: skip
