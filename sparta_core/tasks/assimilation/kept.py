"""What is kept of cycles on a disk: their state, and of long ones what is done until all of it is."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from sparta_core.data.sample import Sample
from sparta_core.errors import RunError, cannot_write
from sparta_core.files import replace
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.system import System
from sparta_core.tensors import Tensors, checksum, packed, unpacked
from sparta_core.training.runs import reading

BLOCK = 30  # days in a part
Aside = tuple[int, int, float, float]  # day, place, how far from what the others say, in standard deviations
Block = tuple[Tensor, list[Aside]]


def in_parts(cycle: Cycle, days: Sample, variance: Tensor, analyse: Callable[[Sample, Tensor], Block],
             folder: Path | None) -> Iterator[Block]:  # fmt: skip
    """Yield what `analyse` makes of blocks of days, of those that were done before what was kept of them.

    Args:
        cycle: Where it begins; after a block that was done before it is where it was then.
        days: (T, C, H, W).
        variance: (T, C, H, W) of the observations' errors.
        analyse: Makes of a block of days, and these variances, fields and what was set aside.
        folder: That keeps the parts; None: nothing is kept.

    Raises:
        RunError: Where the folder cannot be written.
    """
    blocks = zip(days.split(BLOCK), variance.split(BLOCK), strict=True)
    if folder is None:
        yield from (analyse(block, errors) for block, errors in blocks)
        return
    before = _beginning(cycle)
    for number, (block, errors) in enumerate(blocks):
        content = {"values": block.values, "observed": block.observed, "time": block.time, "errors": errors}
        before, path = [*before, checksum(content)], folder / f"{number:05d}.safetensors"
        if path.exists():
            with reading(path, f"delete {folder}"):
                tensors, about = unpacked(path)
            if about["of"] == before:
                cycle.resume({name: tensors[name] for name in ("past", "errors", "draws")}, about["cycle"])
                yield tensors["fields"].to(days.values), [tuple(one) for one in about["aside"]]
                continue
        fields, aside = analyse(block, errors)
        tensors, about = cycle.kept()
        _write(path, tensors | {"fields": fields}, {"cycle": about, "aside": aside, "of": before})
        yield fields, aside


def remove(folder: Path) -> None:
    """Remove the parts, all of which are done."""
    shutil.rmtree(folder, ignore_errors=True)


def _beginning(cycle: Cycle) -> list[str]:
    """What tells where a cycle begins from where others do."""
    tensors = {"model": cycle.system.model_error, "draws": cycle.generator.get_state()}
    if cycle.state is not None:
        tensors |= {"past": cycle.state.past, "errors": cycle.state.errors}
    return [f"{cycle.assimilator!r} {cycle.quality_control} {cycle.date}", checksum(tensors)]


def resume(cycle: Cycle, path: Path) -> None:
    """Go on from a file; RunError for one that is of another model or kind, or damaged."""
    with reading(path, "delete it to begin a new cycle"):
        tensors, about = unpacked(path)
    wanted = {"model": _model(cycle.system), "assimilator": cycle.assimilator.name}
    for name, own in wanted.items():
        if about.get(name) != own:
            raise RunError(f"{path} is the state of a cycle of another {name}; give that, or another file to begin "
                           "a new cycle")
    cycle.resume(tensors, about)


def keep(cycle: Cycle, path: Path) -> None:
    """Write what `resume` reads, whole or not at all."""
    tensors, about = cycle.kept()
    _write(path, tensors, about | {"model": _model(cycle.system)})


def _model(system: System) -> str:
    """What tells a model's cycles from another's."""
    return checksum({"model": system.model_error})


def _write(path: Path, tensors: Tensors, about: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, packed(tensors, about))
    except OSError as error:
        raise cannot_write(path, error) from error
