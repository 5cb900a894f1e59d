"""Places of grid mappings against cartopy's own projections."""

import cartopy.crs as ccrs
import numpy as np
import pytest
import xarray as xr

from sparta_core.data.domain import Domain
from sparta_core.data.grid import ordered
from sparta_core.data.names import named
from sparta_core.data.projections import with_places
from sparta_core.errors import DataError

SPHERE = ccrs.Globe(semimajor_axis=6371e3, semiminor_axis=6371e3, ellipse=None)
RADIUS = {"earth_radius": 6371e3}
METRES = ("projection_y_coordinate", "projection_x_coordinate")
CASES = {
    "stereographic": ({"grid_mapping_name": "polar_stereographic", "straight_vertical_longitude_from_pole": 0.0,
                       "latitude_of_projection_origin": 90.0, "standard_parallel": 60.0},
                      ccrs.NorthPolarStereo(0, 60, SPHERE), METRES, (-4.4e6, -3.7e6), (0, 7e5)),
    "Lambert": ({"grid_mapping_name": "lambert_conformal_conic", "standard_parallel": [30.0, 60.0],
                 "longitude_of_central_meridian": 10.0, "latitude_of_projection_origin": 45.0},
                ccrs.LambertConformal(10, 45, standard_parallels=(30, 60), globe=SPHERE), METRES, (-5e5, 5e5),
                (-8e5, 8e5)),
    "rotated": ({"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25,
                 "grid_north_pole_longitude": -162.0}, ccrs.RotatedPole(-162, 39.25, globe=SPHERE),
                ("grid_latitude", "grid_longitude"), (-20, 20), (-18, 30)),
}  # fmt: skip


def fields(case, factor=1.0, units=None):
    mapping, _, names, rows, columns = CASES[case]
    y, x = np.linspace(*rows, 5), np.linspace(*columns, 7)
    attributes = [{"standard_name": name} | ({"units": units} if units else {}) for name in names]
    made = xr.Dataset({"rain_rate": (("time", "y", "x"), np.zeros((2, 5, 7)), {"grid_mapping": "crs"}), "crs": 0},
                      {"y": ("y", y / factor, attributes[0]), "x": ("x", x / factor, attributes[1])})
    made["crs"].attrs = mapping | RADIUS
    return made, y, x


@pytest.mark.parametrize("case", CASES)
def test_places_are_cartopys(case):
    made, y, x = fields(case)
    expected = ccrs.PlateCarree(globe=SPHERE).transform_points(CASES[case][1], *np.meshgrid(x, y))
    found = with_places(made)
    np.testing.assert_allclose(found["longitude"], expected[..., 0], atol=1e-6)
    np.testing.assert_allclose(found["latitude"], expected[..., 1], atol=1e-6)
    assert "crs" not in found


def test_kilometres_are_metres():
    np.testing.assert_allclose(with_places(fields("Lambert", 1000.0, "km")[0])["latitude"],
                               with_places(fields("Lambert", 1.0, "m")[0])["latitude"])  # fmt: skip
    with pytest.raises(DataError, match="the coordinate y is in 'hPa'; write it in m"):
        with_places(fields("Lambert", 1.0, "hPa")[0])


@pytest.mark.parametrize("case", CASES)
def test_a_file_with_a_grid_mapping_becomes_a_domain(case):
    found = ordered(named(fields(case)[0]), "here")
    domain = Domain(found["latitude"].values, found["longitude"].values)
    assert domain.projected and domain.shape == (5, 7) and found["rain_rate"].dims == ("time", "y", "x")
    assert (np.diff(domain.latitude, axis=0) > 0).all()


def test_a_grid_mapping_that_nobody_knows_is_one_sentence():
    made, *_ = fields("Lambert")
    made["crs"].attrs["grid_mapping_name"] = "flat_earth"
    with pytest.raises(DataError, match=r"the grid mapping 'flat_earth' cannot be read .*; add latitude and longitude"):
        with_places(made)
