"""Regridding against means over cells worked out by hand, a loop over all pairs of cells, and the area mean."""

import numpy as np
import pytest
import xarray as xr

from sparta_core.data.domain import Domain
from sparta_core.data.grid import ordered
from sparta_core.data.regrid import global_grid, onto, overlaps, regrid
from sparta_core.errors import DataError

# Rows, columns, and whether there are rows on the poles, as in WeatherBench 2's stores.
GRIDS = {"0.25": (721, 1440, True), "1.5": (121, 240, True), "2.8125": (64, 128, False), "10": (18, 36, False)}


def axes(rows, columns, poles):
    latitude = np.linspace(-90, 90, rows) if poles else -90 + 180 / rows * (np.arange(rows) + 0.5)
    return {"latitude": latitude, "longitude": 360 / columns * np.arange(columns)}


def edges(grid):
    """Of rows in radians, and of columns in radians."""
    rows, columns = grid["latitude"].values, grid["longitude"].values
    inner = (rows[1:] + rows[:-1]) / 2
    step = 360 / columns.size
    return np.deg2rad([-90, *inner, 90]), np.deg2rad([*(columns - step / 2), columns[-1] + step / 2])


def smooth(grid):
    """Means over cells of 280 + 20 sin(lat) + 5 cos(lon), by their integrals."""
    rows, columns = edges(grid)
    sine = (np.sin(rows[1:]) + np.sin(rows[:-1])) / 2
    cosine = np.diff(np.sin(columns)) / np.diff(columns)
    return xr.DataArray(280 + 20 * sine[:, None] + 5 * cosine, {k: grid[k] for k in ("latitude", "longitude")},
                        ("latitude", "longitude"))  # fmt: skip


def area_mean(field):
    return float((field.values * Domain(field["latitude"].values, field["longitude"].values).area().numpy()).mean())


def test_cells_made_of_whole_cells_get_the_mean_by_its_integral():
    fine = global_grid(5.625 / 3)
    made = regrid(xr.Dataset({"x": smooth(fine)}), 5.625, "here")["x"]
    np.testing.assert_allclose(made, smooth(global_grid(5.625)), rtol=0, atol=1e-11)


@pytest.mark.parametrize("spacing", [5.625, 2.8125, 4.5])
@pytest.mark.parametrize("source", GRIDS)
def test_the_area_mean_is_kept(source, spacing):
    coords = axes(*GRIDS[source])
    shape = tuple(axis.size for axis in coords.values())
    field = xr.DataArray(np.random.default_rng(1).normal(280, 20, shape), coords, ("latitude", "longitude"))
    made = regrid(field.to_dataset(name="x"), spacing, "here")["x"]
    assert made.shape == (180 / spacing, 360 / spacing)
    assert area_mean(made) == pytest.approx(area_mean(field), rel=1e-13)


def test_every_cell_is_the_mean_of_what_it_covers():
    """Against a loop over all pairs of cells, from a grid with rows on the poles to one with other edges."""
    source = xr.Dataset(coords=axes(13, 14, True))
    target = global_grid(180 / 7)
    values = np.random.default_rng(2).normal(size=(13, 14))
    made = regrid(source.assign(x=(("latitude", "longitude"), values)), 180 / 7, "here")["x"].values
    (r, c), (y, x) = edges(source), edges(target)
    for i, j in np.ndindex(made.shape):
        total = area = 0.0
        for k, m in np.ndindex(values.shape):
            height = np.sin(min(r[k + 1], y[i + 1])) - np.sin(max(r[k], y[i]))
            for turn in (-2 * np.pi, 0, 2 * np.pi):
                width = min(c[m + 1] + turn, x[j + 1]) - max(c[m] + turn, x[j])
                if height > 0 and width > 0:
                    total, area = total + height * width * values[k, m], area + height * width
        assert made[i, j] == pytest.approx(total / area, rel=1e-12, abs=1e-12)


def test_the_same_grid_is_left_as_it_is():
    grid = global_grid(5.625)
    field = xr.Dataset({"x": smooth(grid)})
    np.testing.assert_allclose(regrid(field, 5.625, "here")["x"], field["x"], rtol=1e-14)


def test_columns_may_begin_anywhere():
    """A grid of ERA5's orientation, latitude descending or not, longitude from -180, once it is in order."""
    grid = global_grid(1.5)
    turned = xr.Dataset({"x": smooth(grid)}).roll(longitude=120, roll_coords=True).isel(latitude=slice(None, None, -1))
    turned = turned.assign_coords(longitude=(turned["longitude"] + 180) % 360 - 180)
    made = regrid(ordered(turned, "here"), 4.5, "here")["x"]
    np.testing.assert_allclose(made, smooth(global_grid(4.5)), rtol=0, atol=1e-11)


@pytest.mark.parametrize("names", [{}, {"latitude": "lat", "longitude": "lon"}])
def test_rows_may_come_from_the_north_and_axes_have_short_names(names):
    grid = global_grid(5.625)
    field = xr.Dataset({"x": smooth(grid), "time_bnds": ("bnds", [0.0, 1.0])})
    turned = field.isel(latitude=slice(None, None, -1)).roll(longitude=9, roll_coords=True).rename(names)
    made = regrid(turned, 11.25, "here")
    np.testing.assert_array_equal(made["x"], regrid(field, 11.25, "here")["x"])
    np.testing.assert_array_equal(made["latitude"], global_grid(11.25)["latitude"])
    assert made["time_bnds"].values.tolist() == [0, 1]


def test_attributes_times_and_missing_values_stay():
    grid = global_grid(22.5)
    values = np.random.default_rng(3).normal(size=(2, 8, 16)).astype(np.float32)
    values[1, 0, 0] = np.nan
    days = xr.Dataset({"x": (("time", "latitude", "longitude"), values, {"units": "K"})}, grid.coords, {"level": 850})
    made = regrid(days.assign_coords(time=[3, 4]), 45, "here")
    assert made.attrs == {"level": 850} and made["x"].attrs == {"units": "K"}
    np.testing.assert_array_equal(made["time"], [3, 4])
    assert np.isfinite(made["x"][0]).all() and np.isnan(made["x"][1, 0, 0])


def test_shares_of_a_cell_add_up_to_one_across_the_date_line():
    shares = overlaps(np.array([-90.0, 90, 270]), np.array([-60.0, 60, 180, 300]), period=360)
    np.testing.assert_allclose(shares, [[2 / 3, 1 / 6, 1 / 6], [0, 1 / 2, 1 / 2]])


@pytest.mark.parametrize("coords, said", [
    ({"latitude": np.linspace(30, 60, 11), "longitude": 10.0 * np.arange(36)}, "latitude in here goes from 30 to 60"),
    ({"latitude": np.linspace(-90, 90, 13), "longitude": np.linspace(0, 50, 11)}, "longitude in here goes from 0 to"),
    ({"latitude": np.linspace(-90, 90, 13) ** 3 / 8100, "longitude": 10.0 * np.arange(36)}, "equal steps"),
    ({"latitude": np.linspace(-90, 90, 13), "longitude": np.arange(-20, 40, 2.5)}, "in here goes from -20 to 37.5"),
    ({"latitude": np.array([0.0]), "longitude": 10.0 * np.arange(36)}, "latitude in here"),
])  # fmt: skip
def test_a_grid_that_is_not_the_globe_is_refused(coords, said):
    shape = tuple(axis.size for axis in coords.values())
    with pytest.raises(DataError, match=said):
        regrid(xr.Dataset({"x": (("latitude", "longitude"), np.zeros(shape))}, coords), 5.625, "here")


@pytest.mark.parametrize("spacing", [7.0, 0.0, -1.0, float("nan"), float("inf"), 1e-9])
def test_a_spacing_that_fits_no_globe_is_refused(spacing):
    with pytest.raises(DataError, match="does not fit"):
        global_grid(spacing)


def rotated(rows, columns):
    """Cells of a grid over a few degrees around 50 north, 10 east, as those of a projection: (H, W) each."""
    y, x = np.meshgrid(50 + rows, 10 + columns, indexing="ij")
    return Domain(y + 0.1 * columns / np.ptp(columns), x + 0.1 * rows[:, None])  # no rows or columns of a latitude


@pytest.mark.parametrize("unobserved", [False, True])
def test_a_projections_cells_take_the_mean_of_what_lies_in_them(unobserved):
    """Each coarse cell holds four fine ones; of several variables every one, and of what is observed alone."""
    steps = np.arange(6.0), np.arange(8.0)
    coarse = rotated(*steps)
    fine = rotated(*(np.sort(np.concatenate([axis - 0.25, axis + 0.25])) for axis in steps))
    generator = np.random.default_rng(0)
    values = {name: generator.normal(size=(2, 12, 16)) for name in ("a", "b")}
    area = fine.area().numpy()
    if unobserved:
        values["b"][:, :2, :2] = np.nan
        values["b"][1, 5, 7] = np.nan
    days = xr.Dataset({name: (("time", "y", "x"), field) for name, field in values.items()},
                      {"latitude": (("y", "x"), fine.latitude), "longitude": (("y", "x"), fine.longitude)})
    made = onto(days, fine, coarse, "here")
    for name, field in values.items():
        there = np.isfinite(field)
        sums, weights = ((area * sheet).reshape(2, 6, 2, 8, 2).sum((2, 4))
                         for sheet in (np.where(there, field, 0), there))  # fmt: skip
        expected = np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0)
        np.testing.assert_allclose(made[name], expected, atol=1e-12)
    np.testing.assert_array_equal(made["latitude"], coarse.latitude)


def test_a_constant_stays_what_it_is_between_kinds_of_grids():
    """From latitude and longitude to a projection and back, whatever the sizes of cells."""
    plain, turned = Domain(np.linspace(45, 60, 31), np.linspace(0, 20, 41)), rotated(np.arange(4.0), np.arange(5.0))
    days = xr.Dataset({"a": (("time", "latitude", "longitude"), np.full((1, 31, 41), 280.0))},
                      {"latitude": plain.latitude, "longitude": plain.longitude})
    made = onto(days, plain, turned, "here")
    np.testing.assert_allclose(made["a"], 280)
    inside = Domain(np.array([51.0, 52.0]), np.array([11.5, 12.5]))
    np.testing.assert_allclose(onto(made, turned, inside, "here")["a"], 280)


def test_a_grid_that_does_not_reach_is_one_sentence():
    small, large = (Domain(np.linspace(45, top, 4), np.linspace(0, 20, 5)) for top in (50, 60))
    days = xr.Dataset({"a": (("latitude", "longitude"), np.zeros((4, 5)))})
    with pytest.raises(DataError, match=r"^here does not reach 55 north, 0 east, and 9 more of the model's points; it"):
        onto(days, small, large, "here")
