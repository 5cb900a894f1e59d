"""Where a field is, as xarray, cfgrib, Copernicus and CMIP leave it: taken where it agrees, refused where not."""

import numpy as np
import pytest
import xarray as xr

from sparta_core.data.levels import at_level
from sparta_core.errors import DataError

DIMS = ("time", "latitude", "longitude")


def days(*names, levels=None, dim="level", units=None):
    """Fields of ones, or of the numbers of their levels."""
    count = [] if levels is None else [len(levels)]
    values = np.ones((2, *count, 2, 4)) * (1 if levels is None else np.arange(len(levels))[:, None, None])
    made = xr.Dataset({name: ((DIMS[0], *[dim] * len(count), *DIMS[1:]), values) for name in names})
    return made if levels is None else made.assign_coords({dim: (dim, levels, {"units": units} if units else {})})


def scalar(name, value, dataset=None, **attrs):
    dataset = days("geopotential") if dataset is None else dataset
    return dataset.assign_coords({name: ((), value, attrs)})


AGREES = {
    "level": scalar("level", 850), "Copernicus": scalar("pressure_level", 850.0, units="hPa"),
    "cfgrib": scalar("isobaricInhPa", 850.0), "cfgrib in Pa": scalar("isobaricInPa", 85000.0),
    "CMIP": scalar("plev", 85000.00000001), "CMIP with units": scalar("plev", 85000.0, units="Pa"),
    "lev": scalar("lev", 850.0, units="millibar"), "level in Pa": scalar("level", 85000, units="Pa"),
    "another name": scalar("p", 0.85, units="bar", standard_name="air_pressure"), "axis": scalar("p", 850, units="mb",
                                                                                                axis="Z"),
    "nothing": days("geopotential"), "not vertical": scalar("number", 3),
    "2 m beside it": scalar("heightAboveGround", 2.0, scalar("isobaricInhPa", 850.0)),
    "the ground beside it": scalar("surface", 0.0, scalar("isobaricInhPa", 850.0)),
    "2m": scalar("heightAboveGround", 2.0, days("2m_temperature")),
    "2m, CMIP": scalar("height", 2.0, days("2m_temperature"), units="m", positive="up"),
    "10m": scalar("height", 10, days("10m_u_component_of_wind"), units="m"),
    "the ground": scalar("surface", 0.0, days("2m_temperature")),
    "the sea": scalar("meanSea", 0.0, days("mean_sea_level_pressure")),
    "orography": days("geopotential").assign_coords(altitude=(DIMS[1:], np.ones((2, 4)), {"units": "m"})),
    **{f"attribute {said!r}": days("geopotential").assign_attrs(level=said)
       for said in (850, 850.0, "850", [850], "850 hPa", np.array([850.0]), np.float32(850))},
}  # fmt: skip


@pytest.mark.parametrize("case", AGREES)
def test_what_is_at_the_level_is_taken(case):
    made = at_level(AGREES[case], 850, "here")
    for name, field in made.items():
        assert field.dims == DIMS and (field == 1).all(), name
    assert not {"level", "plev", "p", "height", "isobaricInhPa", "surface"} & {*made.coords}


ELSEWHERE = {
    "level": (scalar("level", 500), "here holds level 500 hPa, not 850; use that level or other data"),
    "Copernicus": (scalar("pressure_level", 500.0), "here holds level 500 hPa"),
    "cfgrib": (scalar("isobaricInhPa", 500.0), "here holds level 500 hPa"),
    "CMIP": (scalar("plev", 50000.0), "here holds level 500 hPa"),
    "every day": (days("geopotential").assign_coords(plev=("time", [85000.0, 50000.0])), "holds level 500, 850 hPa"),
    "Pa as hPa": (scalar("level", 850, units="Pa"), "here holds level 8.5 hPa"),
    "2m with a level": (scalar("level", 500, days("2m_temperature")), "here holds level 500 hPa"),
    "10 m": (scalar("heightAboveGround", 10.0), "geopotential in here is at 10 m above the ground, not at 850 hPa; "
             "give it at that level, or drop the coordinate heightAboveGround if it is of something else"),
    "height of pressure": (scalar("height", 2.0, days("mean_sea_level_pressure")), "mean_sea_level_pressure in here is "
                           "at 2 m above the ground"),
    "10 m and not 2": (scalar("height", 10.0, days("2m_temperature")), "2m_temperature in here is at 10 m above the "
                       "ground; give it at 2 m"),
    "ground": (scalar("surface", 0.0), "geopotential in here is of the surface, not at 850 hPa"),
    "soil": (scalar("depth", 0.07, units="m", positive="down"), "has the vertical coordinate depth, which is no pr"),
    "sigma": (scalar("lev", 0.995, units="1"), "has the vertical coordinate lev, which is no pressure"),
    "model levels": (scalar("lev", 850.0, units="hPa", standard_name="atmosphere_hybrid_sigma_pressure_coordinate"),
                     "has the vertical coordinate lev, which is no pressure"),
    "words": (scalar("level", "high"), "has the vertical coordinate level, which is no pressure"),
    **{f"attribute {said!r}": (days("geopotential").assign_attrs(level=said), f"here holds level {shown} hPa, not 850;")
       for said, shown in ((500, "500"), ("500 hPa", "500"), ([850, 500], "850, 500"), ("high", "high"))},
}  # fmt: skip


@pytest.mark.parametrize("case", ELSEWHERE)
def test_what_is_elsewhere_is_refused(case):
    dataset, said = ELSEWHERE[case]
    with pytest.raises(DataError) as error:
        at_level(dataset, 850, "here")
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("dim", "levels", "units"), [
    ("level", [500, 850, 1000], None), ("plev", [100000.0, 85000.0], None), ("isobaricInhPa", [850.0], None),
    ("lev", [1000.0, 850.0], "hPa"), ("level", [50000, 85000], "Pa")])
def test_the_level_is_picked_from_a_dimension(dim, levels, units):
    made = at_level(days("geopotential", levels=levels, dim=dim, units=units), 850, "here")
    assert made["geopotential"].dims == DIMS and dim not in made.coords
    assert (made["geopotential"] == np.flatnonzero(np.isin(levels, (850, 85000)))[0]).all()


@pytest.mark.parametrize(("levels", "said"), [
    ([500, 1000], "here has no level 850 hPa; choose among its levels: 500, 1000"),
    ([850, 850], "here has no single level 850 hPa; choose among its levels: 850, 850"),
    ([500], "here has no level 850 hPa; choose among its levels: 500")])
def test_a_dimension_without_the_level_is_refused(levels, said):
    with pytest.raises(DataError, match=f"^{said}$"):
        at_level(days("geopotential", levels=levels), 850, "here")


def test_a_height_is_picked_by_the_name():
    dataset = days("2m_temperature", levels=[10.0, 2.0], dim="height", units="m")
    assert (at_level(dataset, 850, "here")["2m_temperature"] == 1).all()
    with pytest.raises(DataError, match="10m_wind in here has no height of 10 m; its heights are: 20, 2"):
        at_level(days("10m_wind", levels=[20.0, 2.0], dim="height", units="m"), 850, "here")
    with pytest.raises(DataError, match="geopotential in here is at 10, 2 m above the ground, not at 850 hPa"):
        at_level(dataset.rename({"2m_temperature": "geopotential"}), 850, "here")
