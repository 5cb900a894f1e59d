"""Which field is which variable: levels that differ by variable, versions, and questions where nothing says it."""

import warnings

import numpy as np
import pytest
import xarray as xr

from sparta_core.data import grid
from sparta_core.data.labelled import labelled
from sparta_core.data.record import load_record
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from tests.data.test_record import weather

HEIGHTS = {500: 54000.0, 850: 14000.0, 1000: 1000.0}
BOTH = ("geopotential_500", "geopotential_850", "2m_temperature")


def levels(dim="level", units="hPa", factor=1, order=(500, 850, 1000)):
    """Days with a geopotential on levels, and what they are one by one."""
    days = weather(days=40)
    fields = {level: days["geopotential"] - 14000 + HEIGHTS[level] for level in HEIGHTS}
    along = xr.IndexVariable(dim, [level * factor for level in order], {"units": units} if units else {})
    stacked = xr.concat([fields[level] for level in order], along).transpose("time", ...)
    return days.assign(geopotential=stacked.assign_attrs(units="m2 s-2")), fields


def named_levels(*names):
    days, fields = levels()
    days = days.drop_vars(["geopotential", "level"])
    return days.assign({name: fields[level].assign_attrs(units="m2 s-2") for name, level in zip(
        names, (500, 850), strict=True)})  # fmt: skip


SOURCES = {
    "levels": levels()[0], "levels falling": levels(order=(1000, 850, 500))[0],
    "levels in Pa": levels("plev", None, 100)[0], "isobaricInhPa": levels("isobaricInhPa")[0],
    "of any name": levels("p", "mbar")[0], "the house's names": named_levels("geopotential_500", "geopotential_850"),
    "z500": named_levels("z500", "z850"), "Z500": named_levels("Z500", "Z850"),
    "zg": named_levels("zg500", "zg_850hPa"), "NCEP": named_levels("HGT_500mb", "HGT_850mb"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES)
def test_a_level_may_differ_by_variable(kind, tmp_path):
    SOURCES[kind].to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    record = load_record(Experiment(data=str(tmp_path / "days.nc"), variables=BOTH, split=(0.5, 0.2),
                                    downstream_split=(0.4, 0.3)))  # fmt: skip
    physical = record.physical(record.values).numpy()
    _, fields = levels()
    for channel, level in enumerate((500, 850)):
        np.testing.assert_allclose(physical[:, channel], fields[level], rtol=1e-5)
    assert record.units == ("m2 s-2", "m2 s-2", "K") and record.variables == BOTH


def test_the_setting_holds_for_names_without_a_level():
    chosen = grid.select(levels()[0], ("geopotential", "geopotential_500"), 850, "here")
    assert chosen["geopotential"].mean() < 20000 < 50000 < chosen["geopotential_500"].mean()
    chosen = grid.select(grid.named(SOURCES["z500"]), ("geopotential",), 500, "here")
    assert chosen["geopotential"].mean() > 50000


def test_bounds_are_those_of_its_own_level(tmp_path):
    days = SOURCES["the house's names"]
    days["geopotential_500"] = days["geopotential_850"]
    days.to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    with pytest.raises(DataError, match=r"geopotential_500 in .* reaches from .*, beyond 3.*; check its"):
        load_record(Experiment(data=str(tmp_path / "days.nc"), variables=BOTH))


@pytest.mark.parametrize("said, outcome", [
    ({}, "does not say its level; rename it to geopotential_500 if it is at 500 hPa"),
    ({"level": 850}, "holds level 850 hPa, not 500"), ({"level": 500}, None)])  # fmt: skip
def test_one_field_without_a_level_is_not_taken_for_several(said, outcome):
    days = weather(days=3).assign_attrs(said)
    if outcome is None:
        assert "geopotential_500" in grid.select(days, ("geopotential_500",), 850, "here")
    else:
        with pytest.raises(DataError, match=outcome):
            grid.select(days, BOTH, 850, "here")


def test_what_is_given_back_says_the_level_of_each_variable_and_is_read_again(tmp_path):
    SOURCES["levels"].to_netcdf(tmp_path / "days.nc", engine="h5netcdf")
    settings = {"data": str(tmp_path / "days.nc"), "split": (0.5, 0.2), "downstream_split": (0.4, 0.3)}
    record = load_record(Experiment(variables=BOTH, **settings))
    made = labelled(record, record.physical(record.values), {"time": record.time}, "days")
    assert [made[name].attrs.get("level") for name in BOTH] == [500, 850, None] and "level" not in made.attrs
    assert made["geopotential_500"].attrs["long_name"] == "geopotential, 500 hPa"
    assert made["geopotential_500"].attrs["standard_name"] == "geopotential"
    again = grid.select(grid.named(made), BOTH, 850, "here")
    xr.testing.assert_equal(again["geopotential_500"], made["geopotential_500"])
    plain = load_record(Experiment(variables=("geopotential", "2m_temperature"), level=500, **settings))
    made = labelled(plain, plain.physical(plain.values), {"time": plain.time}, "days")
    assert made.attrs["level"] == made["geopotential"].attrs["level"] == 500


def test_conversions_are_said_once_in_one_sentence():
    days = weather(days=3)
    days["geopotential"] = (days["geopotential"] / 9.80665).assign_attrs(units="m")
    days["2m_temperature"] = (days["2m_temperature"] - 273.15).assign_attrs(units="degC")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        chosen = grid.select(days, ("2m_temperature", "geopotential"), 850, "here")
    assert [str(each.message) for each in said] == [
        "2m_temperature in here is in 'degC'; it is converted to 'K', plus 273.15; geopotential in here is in 'm'; "
        "it is converted to 'm2 s-2', times 9.80665"]
    np.testing.assert_allclose(chosen["geopotential"], weather(days=3)["geopotential"], rtol=1e-6)


def test_missing_units_are_asked_for_with_the_line_that_adds_them():
    days = weather(days=3)
    del days["geopotential"].attrs["units"]
    with pytest.raises(DataError, match=r"^geopotential in here says no units; write 'm2 s-2' into its attribute "
                                        r"'units': dataset\['geopotential'\].attrs\['units'\] = 'm2 s-2'$"):
        grid.select(days, ("geopotential",), 850, "here")


@pytest.mark.parametrize("name, wanted, may", [
    ("air", "temperature", "2m_temperature or temperature"), ("air", "2m_temperature", "2m_temperature or temperature"),
    ("uwnd", "u_component_of_wind", "u_component_of_wind or 10m_u_component_of_wind or 100m_u_component_of_wind")])
def test_a_name_that_may_be_two_variables_is_asked_for(name, wanted, may):
    days = grid.named(weather(days=3).rename({"2m_temperature": name}))
    with pytest.raises(DataError, match=f"{name} in here may be {may}, as it does not say where it is; rename it"):
        grid.select(days, (wanted,), 850, "here")


def test_extremes_and_other_temperatures_are_no_means():
    days = weather(days=3).rename({"2m_temperature": "tasmax"}).assign_coords(height=2.0)
    days["tasmax"].attrs |= {"standard_name": "air_temperature", "cell_methods": "time: maximum"}
    assert "tasmax" in grid.named(days)
    days["tasmax"].attrs = {"units": "K", "long_name": "Potential temperature"}
    assert "ta" in grid.named(days.rename(tasmax="ta"))


def test_precipitation_is_a_rate_or_an_amount_as_it_says():
    def precipitation(units):
        days = weather(days=2)["2m_temperature"].to_dataset(name="tp")
        days["tp"].attrs["units"] = units
        chosen = grid.select(grid.named(days), ("total_precipitation",), 850, "here")["total_precipitation"]
        return chosen.attrs["units"], float(chosen.mean() / days["tp"].mean())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert precipitation("m") == ("m", 1) and precipitation("kg m**-2 s**-1") == ("kg m-2 s-1", 1)
        assert precipitation("mm/day") == ("kg m-2 s-1", pytest.approx(1 / 86400, rel=1e-6))
        assert precipitation("mm") == ("m", pytest.approx(1e-3, rel=1e-6))
    with pytest.raises(DataError, match="is in 'K'; convert it to 'kg m-2 s-1' or 'm'"):
        precipitation("K")


def test_a_land_sea_mask_in_percent_is_a_share():
    days = weather(days=2).rename(land_sea_mask="sftlf")
    days["sftlf"] = (100 * days["sftlf"]).assign_attrs(units="%")
    mask = grid.static_fields(grid.named(days))["land_sea_mask"]
    np.testing.assert_allclose(mask, weather(days=2)["land_sea_mask"], rtol=1e-12)
