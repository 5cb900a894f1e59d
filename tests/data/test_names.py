"""Files of every convention, made here by hand, come to the numbers of the house's own file."""

import warnings

import numpy as np
import pytest
import xarray as xr

from sparta_core.data import grid
from sparta_core.data.given import given_days, known
from sparta_core.data.record import load_record
from sparta_core.data.times import of_fields
from sparta_core.experiment import Experiment

G = 9.80665
DAYS, LATITUDE, LONGITUDE = 40, -78.75 + 22.5 * np.arange(8), 22.5 * np.arange(16)
TIME = np.datetime64("2001-01-01", "ns") + np.arange(DAYS) * np.timedelta64(1, "D")
OWN = {"2m_temperature": (280.0, 10, "K"), "geopotential": (14500.0, 300, "m2 s-2"),
       "specific_humidity": (6e-3, 1e-3, "kg kg-1"), "u_component_of_wind": (2.0, 5, "m s-1"),
       "mean_sea_level_pressure": (1.01e5, 900, "Pa"), "total_precipitation": (3e-5, 1e-6, "kg m-2 s-1")}  # fmt: skip
ALOFT = ("geopotential", "specific_humidity", "u_component_of_wind")
NAMES = tuple(OWN)


def own():
    """The house's file: days at 850 hPa and the surface."""
    random = np.random.default_rng(0)
    data = {name: (grid.DIMENSIONS, mean + std * random.normal(size=(DAYS, 8, 16)), {"units": units})
            for name, (mean, std, units) in OWN.items()}  # fmt: skip
    return xr.Dataset(data, {"time": TIME, "latitude": LATITUDE, "longitude": LONGITUDE})


HOUSE = own()


def levels(days, dim, values, wanted, names=ALOFT, **attrs):
    """The same with a vertical dimension before latitude, on which other levels are nonsense."""
    places = np.asarray(values)
    made = days.copy()
    for name in names:
        field = days[name].transpose("time", ...)
        stack = [field if place == wanted else field * 0 - 1 for place in places]
        made[name] = xr.concat(stack, xr.IndexVariable(dim, places, attrs)).transpose("time", dim, ...)
        made[name].attrs = days[name].attrs
    return made


def units(days, **conversions):
    """Fields as (their units, times, plus): values there are (values - plus) / times."""
    for name, (written, times, plus) in conversions.items():
        days = days.assign({name: ((days[name] - plus) / times).assign_attrs(days[name].attrs, units=written)})
    return days


def cds_old():
    """Copernicus until 2024: short names, packed units, expver as a dimension whose entries complete each other."""
    days = levels(HOUSE, "level", np.array([500, 850, 1000], "i4"), 850, units="millibars", long_name="pressure_level")
    days = days.rename({"2m_temperature": "t2m", "geopotential": "z", "specific_humidity": "q",
                        "u_component_of_wind": "u", "mean_sea_level_pressure": "msl", "total_precipitation": "tp"})
    days["z"].attrs["units"], days["q"].attrs["units"], days["u"].attrs["units"] = "m**2 s**-2", "kg kg**-1", "m s**-1"
    early = (days.time < TIME[30]).broadcast_like(days["t2m"])
    for name in ("t2m", "msl"):
        both = [days[name].where(early), days[name].where(~early)]
        days[name] = xr.concat(both, xr.IndexVariable("expver", [1, 5])).transpose("time", "expver", ...)
        days[name].attrs = {"units": days[name].isel(expver=0).attrs.get("units", OWN["2m_temperature"][2])}
    days["msl"].attrs["units"] = "Pa"
    return days.isel(latitude=slice(None, None, -1))


def cds_new():
    """Copernicus from 2024 on: valid_time, pressure_level, expver and number as coordinates."""
    days = levels(HOUSE, "pressure_level", [1000.0, 850.0], 850, units="hPa", positive="down", standard_name="air_pre")
    days = days.rename({"time": "valid_time", "2m_temperature": "t2m", "geopotential": "z", "specific_humidity": "q",
                        "u_component_of_wind": "u", "mean_sea_level_pressure": "msl", "total_precipitation": "tp"})
    return days.assign_coords(number=0, expver=("valid_time", ["0001"] * DAYS))


def cmip():
    """CMIP: plev in Pa, heights in m, 2 m as a scalar coordinate, fluxes of precipitation, bounds."""
    days = units(levels(HOUSE, "plev", [100000.0, 85000.0, 50000.0], 85000, units="Pa", axis="Z", positive="down",
                        standard_name="air_pressure"), geopotential=("m", G, 0),
                 specific_humidity=("1", 1, 0))  # fmt: skip
    days = days.rename({"2m_temperature": "tas", "geopotential": "zg", "specific_humidity": "hus", "latitude": "lat",
                        "u_component_of_wind": "ua", "mean_sea_level_pressure": "psl", "total_precipitation": "pr",
                        "longitude": "lon"})  # fmt: skip
    days["tas"] = days["tas"].assign_coords(height=((), 2.0, {"units": "m", "positive": "up", "axis": "Z"}))
    return days.assign(lat_bnds=(("lat", "bnds"), np.zeros((8, 2)))).assign_coords(member_id="r1i1p1f1")


def ncep():
    """NCEP: air and hgt, degK, levels falling, latitudes from the north, the height in words."""
    days = units(levels(HOUSE, "level", np.array([1000, 850, 500], "f4"), 850, units="millibar", axis="Z"),
                 geopotential=("m", G, 0))  # fmt: skip
    days = days.rename({"2m_temperature": "air", "geopotential": "hgt", "specific_humidity": "shum",
                        "u_component_of_wind": "uwnd", "mean_sea_level_pressure": "slp",
                        "total_precipitation": "prate", "latitude": "lat", "longitude": "lon"})  # fmt: skip
    days["air"].attrs |= {"units": "degK", "level_desc": "2 m", "var_desc": "Air temperature"}
    days["prate"].attrs["units"] = "Kg/m^2/s".lower()
    return days.isel(lat=slice(None, None, -1))


def grib():
    """What cfgrib makes: time of the analysis, step, valid_time, isobaricInhPa, heights and surfaces as scalars."""
    days = levels(HOUSE, "isobaricInhPa", [850.0, 500.0], 850, units="hPa", positive="down",
                  stored_direction="decreasing", standard_name="air_pressure")  # fmt: skip
    days = days.rename({"2m_temperature": "t2m", "geopotential": "gh", "specific_humidity": "q", "total_precipitation":
                        "tp", "u_component_of_wind": "u", "mean_sea_level_pressure": "msl"})  # fmt: skip
    days = units(days, gh=("gpm", G, 0), msl=("hPa", 100, 0))
    initial = ("time", TIME - np.timedelta64(1, "D"), {"standard_name": "forecast_reference_time"})
    days = days.assign_coords(time=initial, step=np.timedelta64(24, "h"), valid_time=("time", TIME),
                              surface=0.0, meanSea=0.0)
    return days.assign_coords(number=0)


def grib_steps():
    """One forecast of many steps."""
    days = grib().drop_vars(["time", "step", "valid_time"]).rename(time="step")
    return days.assign_coords(time=TIME[0] - np.timedelta64(1, "D"), valid_time=("step", TIME),
                              step=("step", TIME - TIME[0] + np.timedelta64(1, "D")))  # fmt: skip


def standard_names():
    """Names that nobody knows, with the CF conventions' standard names and axes."""
    days = levels(HOUSE, "p", [500.0, 850.0], 850, units="hPa")
    said = {"2m_temperature": "air_temperature", "geopotential": "geopotential", "specific_humidity":
            "specific_humidity", "u_component_of_wind": "eastward_wind", "mean_sea_level_pressure":
            "air_pressure_at_mean_sea_level", "total_precipitation": "precipitation_flux"}  # fmt: skip
    for name, words in said.items():
        days[name].attrs["standard_name"] = words
    days["2m_temperature"] = days["2m_temperature"].assign_coords(h=((), 2.0, {"units": "m", "positive": "up"}))
    days = days.rename({name: f"v{count}" for count, name in enumerate(said)} | {
        "latitude": "breite", "longitude": "laenge", "time": "t"})
    for name, words in {"breite": "degrees_north", "laenge": "degrees_east"}.items():
        days[name].attrs["units"] = words
    days["t"].attrs["standard_name"] = "time"
    return days


def in_names():
    """Levels and heights in the names, as wgrib2 and MERRA-2 write them; other units."""
    days = HOUSE.rename({"2m_temperature": "TMP_2maboveground", "geopotential": "HGT_850mb", "specific_humidity":
                         "Q850", "u_component_of_wind": "ua_850hPa", "mean_sea_level_pressure": "SLP",
                         "total_precipitation": "precip", "latitude": "lat_0", "longitude": "lon_0"})  # fmt: skip
    return units(days, TMP_2maboveground=("degC", 1, 273.15), HGT_850mb=("dam", 10 * G, 0), Q850=("g/kg", 1e-3, 0),
                 ua_850hPa=("kt", 1852 / 3600, 0), SLP=("mb", 100, 0), precip=("mm/day", 1 / 86400, 0))  # fmt: skip


CONVENTIONS = {made.__name__: made for made in (cds_old, cds_new, cmip, ncep, grib, grib_steps, standard_names,
                                                in_names)}  # fmt: skip
CONVERTED = {"cmip": ["geopotential"], "ncep": ["geopotential"], "grib": ["geopotential", "mean_sea_level_pressure"],
             "in_names": list(NAMES)} | {"grib_steps": ["geopotential", "mean_sea_level_pressure"]}  # fmt: skip


def selected(dataset, names=NAMES, level=850):
    chosen = grid.select(grid.named(dataset), names, level, "here")
    return grid.ordered(chosen, "here")


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_files_of_every_convention_are_the_houses_own(convention, tmp_path):
    CONVENTIONS[convention]().to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")
    with warnings.catch_warnings(record=True) as caught, xr.open_dataset(tmp_path / "theirs.nc") as theirs:
        warnings.simplefilter("always")
        made = selected(theirs).load()
        when = of_fields(grid.named(theirs), "here")
    for name, (_, std, written) in OWN.items():
        np.testing.assert_allclose(made[name], HOUSE[name], atol=1e-5 * std, rtol=1e-6, err_msg=name)
        assert made[name].attrs["units"] == written and made[name].dims == grid.DIMENSIONS
    assert (when.moments == TIME.astype("M8[us]")).all()
    said = [str(each.message) for each in caught if issubclass(each.category, UserWarning)]
    conversions = [text for text in said if "converted" in text]
    assert len(conversions) == (convention in CONVERTED)
    assert all(f"{name} in here is in '" in conversions[0] for name in CONVERTED.get(convention, []))
    assert len(said) == len(conversions) + (convention == "cds_old"), said
    assert convention != "cds_old" or "here has 2 versions along expver" in said[0]


@pytest.fixture(scope="module")
def normaliser(tmp_path_factory):
    path = tmp_path_factory.mktemp("house") / "days.nc"
    HOUSE.to_netcdf(path, engine="h5netcdf")
    settings = {"variables": NAMES, "split": (0.5, 0.2), "downstream_split": (0.4, 0.3)}
    return load_record(Experiment(data=str(path), **settings)).normaliser


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_users_days_of_every_convention_are_read(convention, normaliser):
    made = given_days(CONVENTIONS[convention](), normaliser, known(normaliser))
    expected = np.stack([HOUSE[name] for name in NAMES], 1)
    np.testing.assert_allclose(made.values, expected, rtol=1e-5, atol=1e-7)
    assert (made.dates == TIME.astype("M8[D]")).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_model_is_trained_on_every_convention(convention, normaliser, tmp_path):
    CONVENTIONS[convention]().to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")
    settings = {"variables": NAMES, "split": (0.5, 0.2), "downstream_split": (0.4, 0.3)}
    record = load_record(Experiment(data=str(tmp_path / "theirs.nc"), **settings))
    np.testing.assert_allclose(record.mean, normaliser.mean, rtol=1e-5)
    np.testing.assert_allclose(record.std, normaliser.std, rtol=1e-4)
    assert record.units == normaliser.units
