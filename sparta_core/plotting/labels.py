"""What variables are called in figures, in which units and colours they are shown."""

from typing import NamedTuple


class Label(NamedTuple):
    """How a variable is shown: value * factor, in units."""

    name: str
    units: str
    colours: str = "viridis"
    factor: float = 1.0
    signed: bool = False


LABELS = {
    "2m_temperature": Label("2 m temperature", "K", "plasma"),
    "u_component_of_wind": Label("u wind, {level} hPa", "m/s", "PuOr_r", signed=True),
    "v_component_of_wind": Label("v wind, {level} hPa", "m/s", "PuOr_r", signed=True),
    "geopotential": Label("geopotential, {level} hPa", "m²/s²", "viridis"),
    "specific_humidity": Label("specific humidity, {level} hPa", "g/kg", "YlGnBu", factor=1000.0),
}


def label(variable: str, level: int, units: str = "") -> Label:
    """How `variable` is shown at `level` hPa; one that is not in LABELS keeps its name and `units`."""
    known = LABELS.get(variable, Label(variable.replace("_", " "), units))
    return known._replace(name=known.name.format(level=level))


def short_name(variable: str) -> str:
    """What `variable` is called where its level goes without saying."""
    return label(variable, 0).name.split(",")[0]
