"""Which field of a source is which variable that is wanted, and of fields of two versions the one that is there."""

import warnings
from collections.abc import Collection, Mapping, Sequence

import xarray as xr

from sparta_core.data.levels import says_level, verticals
from sparta_core.data.names import candidates
from sparta_core.data.unused import nearest
from sparta_core.data.variables import base_name, meanings, variable
from sparta_core.errors import DataError

VERSION = "expver"  # of Copernicus: 1 is ERA5, 5 its first three months, ERA5T


def sources_of(dataset: xr.Dataset, variables: Sequence[str], level: float, where: str) -> dict[str, str]:
    """Find what a dataset calls the variables that are wanted: geopotential_500 is geopotential's level 500, too.

    Warns of what else may be one of them.

    Raises:
        DataError: For what the dataset lacks, or has under a name that may mean several variables.
    """
    present = sorted(str(name) for name in dataset.data_vars)
    found = {name: source for name in variables if (source := source_of(name, present, level)) is not None}
    missing = [name for name in variables if name not in found]
    for name in missing:
        for other in present:
            several = candidates(other, dataset[other])
            if base_name(name) in several and len(several) > 1:
                raise DataError(f"{other} in {where} may be {' or '.join(several)}, as it does not say where it is; "
                                f"rename it to what it is: dataset.rename({{{other!r}: {name!r}}})")
    if missing:
        near = [name for name in present if nearest(name, missing) or {*meanings(name)} & {*map(base_name, missing)}]
        offer = f" (is it {' or '.join(near)}?)" if near else ""
        raise DataError(f"{where} has no {', '.join(missing)}{offer}; choose among its variables: {', '.join(present)}")
    for name, source in found.items():
        known = variable(name)
        if known.level and source == base_name(name) and not (says_level(dataset[source]) or "level" in dataset.attrs):
            raise DataError(f"{source} in {where} does not say its level; rename it to {name} if it is at "
                            f"{known.level:g} hPa, or add that as a coordinate: dataset.assign_coords(level=...)")
    for other in present:
        for meant in candidates(other, dataset[other]):
            if meant in variables and other not in found.values() and meant != other:
                warnings.warn(f"{where} has {meant} and {other}, which may be the same; only {meant} is used",
                              stacklevel=4)  # fmt: skip
    return found


def source_of(name: str, present: Collection[str], level: float) -> str | None:
    """Find which of the names that are present a variable has, whose others are at a level: z's 500 hPa, or z500."""
    own = variable(name)
    others = (base_name(name),) if own.level else (f"{name}_{level:g}",) if own.aloft else ()
    return next((each for each in (name, *others) if each in present), None)


def taken(dataset: xr.Dataset, sources: Mapping[str, str]) -> xr.Dataset:
    """Take the `sources` of variables, under the variables' names, with the level that their own names told.

    A coordinate of one value is every field's, as xarray has it, so that one that belongs to another field is left out.
    """
    dataset = dataset.drop_vars(_of_others(dataset, sources))
    fields = {}
    for name, source in sources.items():
        said = variable(source).level or dataset[source].attrs.get("level", dataset.attrs.get("level"))
        renamed = name != source and said is not None
        fields[name] = dataset[source].assign_attrs({"level": said} if renamed else {})
    return xr.Dataset(fields, attrs=dataset.attrs)


def _of_others(dataset: xr.Dataset, sources: Mapping[str, str]) -> list[str]:
    """The heights that names in a dataset tell, and its pressure where only others than the sources are at one."""
    there = [variable(str(name)) for name in dataset.data_vars]
    heights, above = {known.height for known in there}, any(known.aloft for known in there)
    ground = above and not any(variable(name).aloft for name in sources)
    scalars = xr.DataArray(0, {name: each for name, each in dataset.coords.items() if each.ndim == 0})
    return [each.name for each in verticals(scalars)
            if (each.kind == "height" and {*each.values} <= heights) or (each.kind == "pressure" and ground)]


def first_version(field: xr.DataArray) -> xr.DataArray:
    """Take of a field of several versions the first that is there, ERA5's before ERA5T's."""
    ranked = field.sortby(VERSION) if VERSION in field.coords else field
    first, *others = (ranked.isel({VERSION: place}, drop=True) for place in range(ranked.sizes[VERSION]))
    for other in others:
        first = first.fillna(other)
    return first.assign_attrs(field.attrs)


def squeezed(field: xr.DataArray, keep: Sequence[str]) -> xr.DataArray:
    """A field without dimensions of one entry, but for those to keep."""
    return field.isel({dim: 0 for dim in field.dims if dim not in keep and field.sizes[dim] == 1}, drop=True)
