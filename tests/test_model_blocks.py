"""Days as dask arrays: the same as whole, block after block, in threads and on two workers."""

import warnings

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from sparta_core import Model
from tests.conftest import made_up_weather


@pytest.fixture(scope="module")
def model(globe):
    return Model.of(globe(classifier="date"))


@pytest.fixture(scope="module")
def days():
    """Ten days of which a third is observed."""
    whole = made_up_weather(days=570, seed=5).isel(time=slice(560, 570))
    return whole.where(np.random.default_rng(0).random(whole["geopotential"].shape) < 0.3)


def same(made, whole):
    """But for where an iteration ends, which is a little further for days that are solved together with longer ones."""
    assert set(made) == set(whole) and made.attrs.keys() == whole.attrs.keys() - {"set_aside"}
    for name in whole:
        assert made[name].dims == whole[name].dims and made[name].attrs == whole[name].attrs
        apart = made[name].values - whole[name].values
        assert np.square(apart).mean() < 1e-5 * np.var(whole[name].values)
    for name in whole.coords:
        assert made[name].identical(whole[name])


@pytest.mark.parametrize("method", ["embed", "reconstruct", "season"])
def test_blocks_are_as_the_whole(model, days, method):
    made = getattr(model, method)(days.chunk(time=4))
    assert all(made[name].chunks[made[name].get_axis_num("time")] == (4, 4, 2) for name in made)
    same(made, getattr(model, method)(days))


def test_a_block_begins_with_a_date(model, days):
    """Four moments of each date, in chunks of six: each date is the mean of all of its moments."""
    moments = xr.concat([days.assign_coords(time=days.time + np.timedelta64(6 * k, "h")) for k in range(4)], "time")
    moments = moments.sortby("time")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, whole = model.reconstruct(moments.chunk(time=6)), model.reconstruct(moments)
    assert made["geopotential"].chunks[0] == (1, 2, 1, 2, 1, 2, 1)
    same(made, whole)


def test_nothing_but_the_first_day_is_read_before_it_is_asked_for(model, days):
    read = []

    def block(fields, block_info=None):
        read.append(block_info[0]["chunk-location"][0])
        return fields

    later = days.chunk(time=4)
    later["geopotential"] = later["geopotential"].copy(data=later["geopotential"].data.map_blocks(block, dtype=float))
    made = model.reconstruct(later)
    assert set(read) == {0}
    made["geopotential"].isel(time=5).compute(scheduler="synchronous")
    assert set(read) == {0, 1}


def test_they_are_written_as_they_are_made(model, days, tmp_path):
    model.reconstruct(days.chunk(time=4)).to_netcdf(tmp_path / "made.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "made.nc") as written:
        assert list(written) == list(model.experiment.variables) and not written["geopotential"].isnull().any()
        np.testing.assert_allclose(written["geopotential"], model.reconstruct(days)["geopotential"], rtol=1e-3)


def test_errors_are_believed_in_every_block(model, days):
    """A number by variable; where every day has errors of its own the days are read whole."""
    errors = {"geopotential": 300.0}
    whole = model.reconstruct(days, errors=errors)
    same(model.reconstruct(days.chunk(time=4), errors=errors), whole)
    assert not np.allclose(whole["geopotential"], model.reconstruct(days)["geopotential"], rtol=1e-3)
    each = {"geopotential": xr.full_like(days["geopotential"], 300.0)}
    read = model.reconstruct(days.chunk(time=4), errors=each)
    assert not read.chunks
    same(read, whole)


def test_an_observation_of_unknown_error_is_left_out(model, days):
    unknown = xr.zeros_like(days["geopotential"]).where(days.latitude < 0)
    made = model.reconstruct(days, errors={"geopotential": unknown}, quality_control=False)
    without = days.assign(geopotential=days["geopotential"].where(days.latitude < 0))
    same(made, model.reconstruct(without, quality_control=False))


def test_two_workers_make_the_same(model, days):
    with (LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster)):
        made = model.reconstruct(days.chunk(time=4)).compute()
    same(made, model.reconstruct(days))


@pytest.mark.parametrize("change", [
    lambda days: days.chunk(time=-1), lambda days: days.drop_vars("time").chunk(time=4),
    lambda days: days.isel(time=0).chunk(),
    lambda days: xr.concat([days, days], xr.IndexVariable("number", [0, 1])).chunk(time=4),
])  # fmt: skip
def test_what_is_in_no_blocks_is_read_whole(model, days, change):
    """One chunk, no dates, one day, members; the model knows no day without a date."""
    given = change(days)
    if "time" not in given.coords:
        with pytest.raises(ValueError, match="no coordinate time of dates"):
            model.reconstruct(given)
        return
    made = model.reconstruct(given)
    assert not made.chunks
    assert made.identical(model.reconstruct(given.load()))


def test_bad_values_in_a_later_block_are_told_when_they_are_come_to(model, days):
    days = days.copy(deep=True)
    days["geopotential"][7, 3, 3] = 1e9
    made = model.reconstruct(days.chunk(time=4))
    with dask.config.set(scheduler="synchronous"), pytest.raises(ValueError, match="geopotential of the dataset"):
        made.load()
