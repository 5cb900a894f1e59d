"""Variables and columns that nothing uses: a name that is close to one that is missing is told, and so are the rest."""

import re
import warnings
from collections.abc import Collection
from difflib import get_close_matches

import xarray as xr

from sparta_core.data.conventions import recognised
from sparta_core.data.times import bounds_name
from sparta_core.data.variables import STATIC, VARIABLES
from sparta_core.errors import DataError

CLOSE = 0.85  # of difflib's ratio: a letter or two that are missing, added or swapped in a name


def check_unused(kind: str, unused: Collection[str], used: Collection[str], wanted: Collection[str],
                 where: str) -> None:  # fmt: skip
    """Raise a DataError for an unused name that is close to a wanted one that is not used; warn of the others.

    Args:
        kind: what they are: "variables", or "columns".
        unused: names that nothing uses.
        used: names that there are.
        wanted: all names that something could use.
        where: what errors call the source.
    """
    missing = [name for name in wanted if name not in used]
    for name in unused:
        near = nearest(name, missing)
        if near is not None:
            raise DataError(f"{where} has no {near}, but {name!r:.60}, which nothing uses; rename it to {near}, or "
                            "drop it if it is something else")
    if unused:
        names = ", ".join(repr(name)[:60] for name in sorted(unused)[:20])
        warnings.warn(f"nothing uses the {kind} {names} of {where}; what is used is {', '.join(wanted)}",
                      stacklevel=3)  # fmt: skip


def nearest(name: str, missing: Collection[str]) -> str | None:
    """Find the one of the `missing` names that `name` was probably meant to be.

    Example:
        >>> nearest("geopotental", ["geopotential", "temperature"])
        'geopotential'
    """
    small = name.strip().casefold().replace(" ", "_").replace("-", "_")
    meant = next((other for other in recognised(small) if other in missing), None)
    if meant is not None:
        return meant
    if small in (*VARIABLES, "time", "latitude", "longitude", "level"):
        return small if small in missing else None
    # Digits are heights and levels: 10m_u_component_of_wind is not a misspelt u_component_of_wind.
    alike = [other for other in missing if re.findall(r"\d+", other) == re.findall(r"\d+", small)]
    return next(iter(get_close_matches(small, alike, 1, CLOSE)), None)


def unused_variables(dataset: xr.Dataset, wanted: Collection[str]) -> list[str]:
    """List the fields of a dataset that are none of the `wanted`, less what belongs to these, and has no dimension."""
    aside = {*wanted, *STATIC, bounds_name(dataset)}
    aside |= {other for name in wanted if name in dataset
              for other in str(dataset[name].attrs.get("ancillary_variables", "")).split()}  # fmt: skip
    aside |= {dataset[name].attrs.get("bounds", "") for name in dataset.coords}
    return [str(name) for name, field in dataset.data_vars.items() if name not in aside and field.ndim]
