"""What others call axes, levels, members and times, and calendars; `variables` has what they call variables."""

from sparta_core.data.variables import GRAVITY as GRAVITY
from sparta_core.data.variables import VARIABLES, meanings

TIMES = ("valid_time", "date", "datetime", "date_time", "timestamp", "day", "dates", "times", "time_utc", "utc",
         "xtime", "time_counter", "initial_time0_hours", "mtime")  # fmt: skip
LATITUDES = ("lat", "lats", "xlat", "xlat_m", "nav_lat", "lat_0", "g0_lat_1", "gridlat_0", "tlat", "xlat_c")
LONGITUDES = ("lon", "lons", "long", "xlong", "xlong_m", "nav_lon", "lon_0", "g0_lon_2", "gridlon_0", "tlong")
AXES = {"valid_time": "time", "lat": "latitude", "lon": "longitude"}
# Names that mean one thing in any file.
NAMES = AXES | {"pressure_level": "level"} | {name: v.name for v in VARIABLES.values() for name in v.names}
MEMBERS = ("number", "ensemble", "ens", "member", "members", "realization", "realisation", "member_id",
           "ensemble_member", "ensemble_id", "perturbation_number", "record_ensemble")  # fmt: skip
REFERENCES = ("time", "forecast_reference_time", "reference_time", "reftime", "init_time", "initial_time")
STEPS = ("step", "forecast_period", "lead_time", "leadtime", "prediction_timedelta", "lead")
# Vertical coordinates by their usual names, with the units of those that say none.
VERTICAL_UNITS = {
    "level": "hPa", "pressure_level": "hPa", "isobaricInhPa": "hPa", "lev": "hPa", "pressure": "hPa", "plev": "Pa",
    "isobaricInPa": "Pa", "air_pressure": "Pa", "height": "m", "heightAboveGround": "m", "altitude": "m",
}  # fmt: skip
SURFACES = {"surface": "of the surface", "meanSea": "at sea level"}  # as cfgrib names them
VERTICAL_STANDARD_NAMES = ("air_pressure", "height", "altitude", "geopotential_height", "depth")


def recognised(name: str) -> tuple[str, ...]:
    """List what a name, of whatever letters, means in the files and tables of others.

    Example:
        >>> recognised("Date"), recognised("T2M"), recognised("x")
        (('time',), ('2m_temperature',), ())
    """
    small = name.lower()
    for ours, theirs in (("time", TIMES), ("latitude", LATITUDES), ("longitude", LONGITUDES)):
        if small in theirs:
            return (ours,)
    return ("level",) if small == "pressure_level" else meanings(name)
