"""What stations reported, as daily means on a model's grid."""

import numpy as np
import pandas as pd
import xarray as xr

from sparta_core.data.domain import Domain
from sparta_core.data.plausible import Known
from sparta_core.data.stations import PLACE, Table, at, called, nearest_points, numbers, read_stations
from sparta_core.data.times import Grouped, When, grouped, utc
from sparta_core.data.unused import check_unused
from sparta_core.errors import DataError


def gridded_reports(source: Table, known: Known) -> xr.Dataset:
    """What the stations in a CSV or DataFrame measured: the mean of those nearest to each grid point, NaN without.

    Its columns are lat, lon, any of the model's variables, in its units, and time where there are several. Several
    reports of a station on one date are averaged first, and said. Returns (time, latitude, longitude), without
    time (latitude, longitude). DataError for another table, and for values that no training day comes near.
    """
    where, table = called(source), read_stations(source)
    wanted = (*known.variables, "time")
    measured = [name for name in known.variables if name in table.columns]
    unused = [name for name in table.columns if name and name not in (*PLACE, *wanted)]
    check_unused("columns", unused, list(table.columns), wanted, where)
    if not measured:
        raise DataError(f"{where} has none of the columns {', '.join(known.variables)}; name what was measured so")
    points = nearest_points(table, Domain(known.latitude, known.longitude), where)
    for name in measured:
        table[name] = numbers(table, name, where)
        known.check(name, table[name].to_numpy(), where, lambda row: f"in {at(table, row)}", points)
    if table[measured].isna().all(axis=None):
        raise DataError(f"{where} has no value of {', '.join(measured)} in any row; give what was measured")
    days = _days(table, where)
    table = table.assign(day=days.place, point=points)
    # A station's day first: one that reports every hour counts no more than one that reports daily means.
    own = table.groupby(["day", "point", *PLACE])[measured].mean()
    means = own.groupby(["day", "point"]).mean()
    day, point = (means.index.get_level_values(level).to_numpy() for level in ("day", "point"))
    shape = (known.latitude.size, known.longitude.size)
    made = {}
    for name in measured:
        fields = np.full((days.dates.size, shape[0] * shape[1]), np.nan)
        fields[day, point] = means[name]
        made[name] = (("time", "latitude", "longitude"), fields.reshape(-1, *shape),
                      {"units": known.units[known.variables.index(name)]})  # fmt: skip
    coords = {"latitude": known.latitude, "longitude": known.longitude}
    if "time" not in table.columns:
        return xr.Dataset(made, coords).isel(time=0)
    return xr.Dataset(made, {"time": days.dates.astype("datetime64[us]"), **coords})


def _days(table: pd.DataFrame, where: str) -> Grouped:
    """The dates of a table, in order, and each row's; DataError for a row whose time is none."""
    if "time" not in table.columns:
        again = np.flatnonzero(table.duplicated([*PLACE]))
        if again.size:
            raise DataError(f"{where} has no column time, and several reports of one place, the second in "
                            f"{at(table, again[0])}; add their times")
        return Grouped(np.zeros(1, "datetime64[D]"), np.zeros(len(table), int))
    moments = utc(table["time"].to_numpy(), where)
    bad = np.flatnonzero(np.isnat(moments))
    if bad.size:
        raise DataError(f"time in {at(table, bad[0])} of {where} is {str(table['time'].iloc[bad[0]])!r:.60}; "
                        "write it as 2001-12-31")
    each, row = np.unique(moments, return_inverse=True)
    days = grouped(When(each, lasting=False), each.size, where)
    return Grouped(days.dates, days.place[row])
