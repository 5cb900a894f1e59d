"""Preparing a store of a region: cut out of a globe, or given as one."""

import numpy as np
import pytest
import xarray as xr

from sparta_core.__main__ import main
from sparta_core.data import era5
from sparta_core.data.record import load_record
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from tests.data.weatherbench import FINE, LATITUDE, LONGITUDE, means_by_hand, remote, six_hourly, write

CHOSEN = ("2m_temperature", "geopotential")
MEANS = means_by_hand(six_hourly(), 850, 0, 7)


def globe(tmp_path, **layout):
    return write(remote(six_hourly(), **layout), tmp_path / "remote.zarr")


@pytest.mark.parametrize("layout", [{}, {"layout": FINE}])
@pytest.mark.parametrize("area, rows, columns", [
    ((70, -50, -30, 100), [1, 2, 3], [-45.0, 0, 45, 90]),  # across Greenwich
    ((70, 130, 20, 230), [2, 3], [135.0, 180, 225]),  # across the date line
    ((90, 130, 20, 190), [2, 3], [135.0, 180]),  # to a pole
    ((70, -230, 20, -130), [2, 3], [135.0, 180, 225]),  # the same places by other numbers
    ((23, 0, -90, 360), [0, 1, 2], [*LONGITUDE]),  # around the globe
])  # fmt: skip
def test_an_area_is_cut_out_of_a_globe(tmp_path, layout, area, rows, columns):
    days = xr.open_zarr(era5.prepare(globe(tmp_path, **layout), tmp_path / "days.zarr", CHOSEN, area=area))
    assert days["longitude"].values.tolist() == columns
    np.testing.assert_allclose(days["latitude"], LATITUDE[rows])
    places = [list(LONGITUDE).index(east % 360) for east in columns]
    for name in CHOSEN:
        np.testing.assert_allclose(days[name], MEANS[name][:, rows][:, :, places], rtol=1e-6)
    assert days["land_sea_mask"].shape == (len(rows), len(columns))


def test_an_area_is_cut_after_regridding(tmp_path):
    source, area = globe(tmp_path), (90, 0, -90, 100)
    whole = xr.open_zarr(era5.prepare(source, tmp_path / "whole.zarr", CHOSEN, spacing=90.0))
    part = xr.open_zarr(era5.prepare(source, tmp_path / "part.zarr", CHOSEN, spacing=90.0, area=area))
    xr.testing.assert_equal(part["geopotential"], whole["geopotential"].sel(longitude=[0, 90]))


def test_a_store_of_a_region_is_prepared_as_it_is(tmp_path):
    east = np.mod(-20 + 5.0 * np.arange(8), 360)  # torn at Greenwich
    where = write(remote(six_hourly()).assign_coords(longitude=east).sortby("longitude"), tmp_path / "region.zarr")
    made = era5.prepare(where, tmp_path / "days.zarr", CHOSEN)
    days = xr.open_zarr(made)
    assert days["longitude"].values.tolist() == [-20, -15, -10, -5, 0, 5, 10, 15]
    np.testing.assert_allclose(days["geopotential"], MEANS["geopotential"], rtol=1e-6)
    record = load_record(Experiment(data=str(made), variables=CHOSEN, split=(0.4, 0.2), downstream_split=(0.4, 0.4)))
    assert not record.domain.periodic_x and record.domain.shape == (4, 8)
    with pytest.raises(DataError, match=r"longitude in .* goes from -20 to 15 degrees, not around the globe"):
        era5.prepare(where, tmp_path / "coarse.zarr", spacing=45.0)
    assert not [*tmp_path.glob("*coarse*part")]


def test_a_store_on_a_projection_is_prepared_as_it_is(tmp_path):
    curved = remote(six_hourly()).rename(latitude="y", longitude="x")
    x, y = np.meshgrid(5.0 * np.arange(8), 50 + 4.0 * np.arange(4))
    curved = curved.drop_vars(["x", "y"]).assign_coords(latitude=(("y", "x"), y + x / 20), longitude=(("y", "x"), x))
    where = write(curved, tmp_path / "projected.zarr")
    days = xr.open_zarr(era5.prepare(where, tmp_path / "days.zarr", CHOSEN))
    assert days["geopotential"].dims == ("time", "y", "x")
    np.testing.assert_allclose(days["geopotential"], MEANS["geopotential"], rtol=1e-6)
    np.testing.assert_allclose(days["latitude"], y + x / 20)
    with pytest.raises(DataError, match="is on a projection, of which no area can be cut; leave the area out"):
        era5.prepare(where, tmp_path / "area.zarr", CHOSEN, area=(60, 0, 50, 20))


def test_a_command_cuts_an_area_and_says_what_is_wrong_with_one(tmp_path):
    words = ["prepare", "--source", globe(tmp_path), "--target", str(tmp_path / "days.zarr"),
             "--variables", "geopotential"]  # fmt: skip
    for area, said in (("20 0 70 90", "the area 20 north, 0 west, 70 south, 90 east is none; give degrees in that"),
                       ("70 90 20 0", "is none; give degrees in that order, south below north and west below east"),
                       ("70 1 60 90", "points in the area 70 north, 1 west, 60 south, 90 east; choose a larger one")):
        with pytest.raises(SystemExit, match=said):
            main([*words, "--area", *area.split()])
    main([*words, "--area", "70", "-50", "-30", "100"])
    assert xr.open_zarr(tmp_path / "days.zarr")["geopotential"].shape == (7, 3, 4)
    with pytest.raises(SystemExit, match=r"holds another area: \[70.0, -50.0, -30.0, 100.0\], not"):
        main([*words, "--area", "70", "-50", "-70", "100"])
