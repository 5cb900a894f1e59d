"""Days that are too many for the memory: dask in, dask out, block after block of time, on anybody's workers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from sparta_core.data import grid, times
from sparta_core.data.clock import Clock

Predict = Callable[[xr.Dataset], xr.Dataset]


class Blocks(NamedTuple):
    """Days in blocks of whole dates."""

    days: xr.Dataset
    moments: list[slice]  # of each block, along time
    dates: list[int]  # how many it has
    time: xr.DataArray  # (D,) of all of them
    first: int  # moments of the first date


def blocks_of(days: Any, clock: Clock) -> Blocks | None:
    """The blocks of days along time, as their dask chunks have them, each from the beginning of a date.

    None where they are no dask's, have no dates, are not in order, have members, or steps other than days.
    """
    dataset = days.to_dataset() if isinstance(days, xr.DataArray) and days.name is not None else days
    if not isinstance(dataset, xr.Dataset) or not dataset.chunks:
        return None
    named = grid.named(dataset)
    chunks = named.unify_chunks().chunksizes.get("time", ())
    if len(chunks) < 2 or "number" in named.dims or not clock.daily:
        return None
    when = times.of_fields(named, "the dataset", clock)
    if when is None:
        return None
    groups = times.grouped(when, named.sizes["time"], "the dataset", clock)
    if (np.diff(groups.place) < 0).any():
        return None
    begins = np.flatnonzero(np.diff(groups.place, prepend=-1))  # the first moment of each date
    # A chunk that begins within a date begins with its first moment.
    edges = np.unique(begins[np.searchsorted(begins, np.cumsum((0, *chunks[:-1])), "right") - 1])
    ends = [*edges[1:], named.sizes["time"]]
    moments = [slice(int(begin), int(end)) for begin, end in zip(edges, ends, strict=True)]
    counts = [int(groups.place[block.stop - 1] - groups.place[block.start]) + 1 for block in moments]
    return Blocks(named, moments, counts, times.labels(named, when, groups)["time"],
                  int((groups.place == groups.place[0]).sum()))  # fmt: skip


def predicted(predict: Predict, blocks: Blocks) -> xr.Dataset:
    """What `predict` makes of each block, as dask arrays along time; nothing but the first date is computed yet.

    The first date shows what there will be. Warnings of the others come as they are computed, where they are.
    """
    import dask  # here, as it takes a second to import
    import dask.array

    first = predict(blocks.days.isel(time=slice(0, blocks.first)).load())
    whole = dask.delayed(predict, traverse=False)  # the model goes to every worker once
    parts = [whole(blocks.days.isel(time=block)) for block in blocks.moments]
    values = dask.delayed(lambda part, name: part[name].values, traverse=False)
    made = {}
    for name, of_one in first.data_vars.items():
        axis = of_one.get_axis_num("time")
        shapes = [(*of_one.shape[:axis], count, *of_one.shape[axis + 1 :]) for count in blocks.dates]
        arrays = [dask.array.from_delayed(values(part, name), shape, of_one.dtype)
                  for part, shape in zip(parts, shapes, strict=True)]  # fmt: skip
        made[name] = (of_one.dims, dask.array.concatenate(arrays, axis), of_one.attrs)
    coords = {name: coord for name, coord in first.coords.items() if "time" not in coord.dims}
    return xr.Dataset(made, {**coords, "time": blocks.time}, first.attrs)
