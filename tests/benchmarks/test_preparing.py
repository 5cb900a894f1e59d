"""The source that preparing is measured on is what it says, and memory does not grow with its length."""

import numpy as np
import xarray as xr

from benchmarks.preparing import CHUNK, make_source, measured


def test_the_source_has_the_layout_and_every_chunk(tmp_path):
    size = make_source(tmp_path / "source.zarr", 1)
    source = xr.open_zarr(tmp_path / "source.zarr")
    assert size == sum(field.nbytes for field in source.data_vars.values())
    field = source["geopotential"]
    assert field.dims == ("time", "level", "longitude", "latitude") and field.encoding["chunks"] == (CHUNK, 13, 64, 32)
    assert np.isfinite(field.isel(level=3)).all() and float(field.isel(time=-1).std()) > 5


def test_memory_does_not_grow_with_the_years():
    one, six = measured(1), measured(6)
    assert six.read == 6 * one.read > 1e9
    assert six.peak - one.peak < 0.2 * (six.read - one.read)
