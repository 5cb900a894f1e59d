"""Headers of tables as people write them: which column is meant, and in what units."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sparta_core.data.conventions import recognised
from sparta_core.data.units import way_of
from sparta_core.data.variables import variable
from sparta_core.errors import DataError

PLACES = {"latitude": "lat", "longitude": "lon"}  # what the columns of places are called in here
TIME = "time"
ALIKE = {"lng": "longitude", "lats": "latitude", "lons": "longitude", "latitudes": "latitude",
         "longitudes": "longitude"}  # fmt: skip
BRACKETED = re.compile(r"[\[({<]([^\[\](){}<>]*)[\])}>]")
BEFORE_UNITS = re.compile(r"\s*(?:[/,:;|]|\bin\b|[\s_.-])\s*", re.IGNORECASE)
DEGREES = re.compile(r"(?:decimal|dec|dd|wgs ?84)?[\s_]*(?:°|deg|degs|degree|degrees|decimal|dec|dd)?\.?[\s_]*"
                     r"(?P<side>n|north|e|east|s|south|w|west)?", re.IGNORECASE)  # fmt: skip
HEIGHT = re.compile(r"\d+m")
MEANS = {"mean", "average", "avg", "daily", "station"}  # words that change nothing of what a column is
MOST_LETTERS = 80  # of a header; what is longer is prose
SHORTEST = 4  # letters of a word that is cut short
EXACT, RECOGNISED_AS, PROBABLY = range(3)  # how sure a reading is


class Column(NamedTuple):
    """What a header means: the name that is known here, the units that it says ("": none), and how sure that is."""

    name: str
    units: str = ""
    rank: int = EXACT


def column(header: str, wanted: Mapping[str, str]) -> Column | None:
    """Find what a header means.

    Args:
        header: "t2m [degC]", "Temperature (°C)", "lat_deg", "Lon.".
        wanted: the units of all names that it could mean.

    Returns:
        The name, the units in its brackets or at its end, and how sure that is; None where it is none of them, or
        may be several.

    Example:
        >>> column("Temperature (°C)", {"2m_temperature": "K"})
        Column(name='2m_temperature', units='°C', rank=2)
    """
    inside = [text.strip() for text in BRACKETED.findall(header)]
    remarks = [text for text in inside if set(_words(text)) <= MEANS or HEIGHT.fullmatch("".join(_words(text)))]
    bare = " ".join([BRACKETED.sub(" ", header).strip(), *remarks])
    units = next((text for text in reversed(inside) if text not in remarks), "")
    found = meant(bare, wanted)
    if found:
        return found._replace(units=units)
    for gap in reversed(list(BEFORE_UNITS.finditer(bare))):
        found, end = meant(bare[: gap.start()], wanted), bare[gap.end() :].strip()
        if found and end and is_units(end, found.name, wanted[found.name]):
            return found._replace(units=end)
    return None


def meant(text: str, wanted: Collection[str]) -> Column | None:
    """Find which of the names a text without units means, as `column`: by itself, or cut short, or without a height."""
    words = _words(text)
    small = "_".join(words)
    meanings = recognised(small)
    first = [name for name in meanings if name in wanted] or meanings
    known = ALIKE.get(small, first[0] if len(first) == 1 else small)
    if known in wanted:
        return Column(known, rank=EXACT if small == known else RECOGNISED_AS)
    spelt = [_parts(words), _parts(_words(known))]
    near = [name for name in wanted for other in {name, variable(name).standard_name} - {""}
            if any(_short_for(rest, _parts(_words(other))[1]) and heights <= _parts(_words(name))[0]
                   for heights, rest in spelt)]  # fmt: skip
    return Column(near[0], rank=PROBABLY) if len(set(near)) == 1 else None


def is_units(text: str, name: str, wanted: str) -> bool:
    """Say whether a text can be the units of a column."""
    if name in PLACES:
        return DEGREES.fullmatch(text) is not None
    return name != TIME and way(text, wanted, name) is not None


def way(written: str, wanted: str, name: str) -> tuple[float, float] | None:
    """Give the conversion, `way_of`, of a variable's units as people write them, "deg C" or "k"; None without one."""
    plain = re.sub(r"[º˚]\s*", "°", " ".join(written.replace("° ", "°").split())).strip(" .[]()")
    if plain.casefold() == wanted.casefold():
        return 1.0, 0.0
    close = plain.replace(" ", ""), plain.replace(" ", "_"), plain[:-1].lower() + plain[-1:].upper()
    ways = (way_of(name, text, wanted) for text in dict.fromkeys((plain, *close)) if text)
    return next((found for found in ways if found is not None), None)


def chosen(headers: Sequence[str], wanted: Mapping[str, str], where: str) -> dict[str, tuple[str, Column]]:
    """Choose for each of the `wanted` names the header that means it most surely.

    Raises:
        DataError: two headers mean one thing equally surely.
    """
    found: dict[str, list[tuple[str, Column]]] = {}
    for header in headers:
        if header and (read := column(header, wanted)):
            found.setdefault(read.name, []).append((header, read))
    best = {}
    for name, pairs in found.items():
        least = min(read.rank for _, read in pairs)
        again = [header for header, read in pairs if read.rank == least or (name in PLACES and read.rank < PROBABLY)]
        if len(again) > 1:
            raise DataError(f"{where} has the columns {' and '.join(again[:2])}; keep one")
        best[name] = next(pair for pair in pairs if pair[1].rank == least)
    return best


def names_places(row: Sequence[str]) -> bool:
    """Say whether a row of a table is its header: it names a latitude and a longitude."""
    likely = [header for header in row if len(header) < MOST_LETTERS and any(map(str.isalpha, header))]
    found = [read.name for header in likely if (read := column(header, dict.fromkeys(PLACES, "")))]
    return set(found) == set(PLACES)


def _words(text: str) -> list[str]:
    """The words of a name in small letters; "2 m" is one."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    return re.sub(r"\b(\d+) m\b", r"\1m", re.sub(r"[\W_]+", " ", apart).casefold()).split()


def _parts(words: Sequence[str]) -> tuple[set[str], list[str]]:
    """The heights among the words of a name, and the others that count."""
    heights = {word for word in words if HEIGHT.fullmatch(word)}
    return heights, [word for word in words if word not in heights | MEANS]


def _short_for(words: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether they are these words, or each of them cut short."""
    alike = len(words) == len(whole) > 0
    return alike and all(word == long or (len(word) >= SHORTEST and long.startswith(word))
                         for word, long in zip(words, whole, strict=True))  # fmt: skip
