"""A corpus of broken inputs, each with a name: files, datasets, stations, words."""

import json
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

from tests.conftest import made_up_weather

CUTS = 40


def small_weather() -> xr.Dataset:
    return made_up_weather(days=40, rows=4, columns=8)


def datasets() -> Iterator[tuple[str, xr.Dataset]]:
    """Days of the right names that are wrong in one way each."""
    days = small_weather()
    name, other = "2m_temperature", "geopotential"
    odd = {
        "strings": days[name].astype(str), "complex": days[name].astype(complex), "booleans": days[name] > 280,
        "dates": days[name].astype("M8[s]"), "objects": days[name].astype(object),
        "all NaN": days[name] * np.nan, "infinite": days[name] / 0, "enormous": days[name] * np.float32(1e35),
        "codes": days[name].where(days[name] > 280, -9999),
        "constant": days[name] * 0 + 280, "celsius": days[name] - 273.15, "without dims": days[name].mean(),
        "a dimension more": days[name].expand_dims(member=2), "a dimension less": days[name].mean("time"),
        "renamed": days[name].rename(time="x"),
    }  # fmt: skip
    for kind, field in odd.items():
        yield f"values: {kind}", days.drop_vars(name).assign({name: field.assign_attrs(units="K")})
    for units in ("", "degC", "K K", "m s-1", "K**", 5, [1, 2], "🌡", "K" * 10_000):
        yield f"units: {units!r:.20}", days.assign({other: days[other].assign_attrs(units=units)})
    yield from ((f"coordinates: {kind}", changed) for kind, changed in _coordinates(days))
    yield "no variables", days.drop_vars(list(days.data_vars))
    yield "no days", days.isel(time=slice(0))
    yield "one day", days.isel(time=[3])
    yield "no rows", days.isel(latitude=slice(0))
    yield "one row", days.isel(latitude=[1])
    yield "no columns", days.isel(longitude=slice(0))
    above = days[other].expand_dims(level=2)
    heights = {"others": [500, 1000], "words": ["high", "low"], "NaN": [np.nan, 850], "twice": [850, 850]}
    for kind, levels in heights.items():
        yield f"levels: {kind}", days.drop_vars(other).assign({other: above}).assign_coords(level=levels)
    yield "levels: no coordinate", days.drop_vars(other).assign({other: above})
    for level in ("high", 500, -1, [850, 500], "850"):
        yield f"level: {level}", days.assign_attrs(level=level)


def _coordinates(days: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    count = days.sizes["time"]
    times = {
        "numbers": np.arange(count), "words": [f"day {i}" for i in range(count)],
        "the same": np.full(count, np.datetime64("2001-01-01", "ns")), "backwards": days.time.values[::-1],
        "360 days": xr.date_range("2001-01-15", periods=count, calendar="360_day", use_cftime=True),
        "with offsets": [f"2001-02-01T{hour % 24:02}:00+02:00" for hour in range(count)],
        "not a time": np.full(count, np.datetime64("NaT", "ns")), "a century apart": days.time.values[0]
        + np.arange(count) * np.timedelta64(36525, "D"), "shuffled": np.roll(days.time.values, 7),
    }  # fmt: skip
    for kind, values in times.items():
        yield f"time: {kind}", days.assign_coords(time=values)
    for axis in ("latitude", "longitude"):
        size = days.sizes[axis]
        places = {"NaN": np.full(size, np.nan), "far": np.arange(size) * 1000.0, "words": list("abcdefgh")[:size],
                  "the same": np.zeros(size), "infinite": np.full(size, np.inf)}  # fmt: skip
        for kind, values in places.items():
            yield f"{axis}: {kind}", days.assign_coords({axis: values})
        yield f"{axis}: none", days.drop_vars(axis)
        yield f"{axis}: renamed", days.rename({axis: "y"})


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """NetCDF files and Zarr stores that are broken, or hold what is."""
    folder.mkdir(parents=True)
    whole = folder / "whole.nc"
    small_weather().to_netcdf(whole, engine="h5netcdf")
    content = whole.read_bytes()
    for cut in np.linspace(0, len(content) - 1, CUTS).astype(int):
        yield f"NetCDF cut at {cut}", _written(folder / f"cut{cut}.nc", content[:cut])
    others = {"text": b"hello", "zip": b"PK\3\4", "hdf": b"\x89HDF\r\n\x1a\n" + bytes(99), "pickle": b"\x80\4.",
              "classic": b"CDF\1" + bytes(64), "grib": b"GRIB" + bytes(64), "nothing": b""}  # fmt: skip
    for kind, text in others.items():
        yield f"a file of {kind}", _written(folder / f"{kind}.nc", text)
        yield f"a file of {kind} called zarr", _written(folder / f"{kind}.zarr", text)
    with h5py.File(folder / "empty.nc", "w"):
        pass
    yield "an empty HDF5 file", folder / "empty.nc"
    for index, (kind, dataset) in enumerate(datasets()):
        path = folder / f"dataset{index}.nc"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset.to_netcdf(path, engine="h5netcdf")
        except (TypeError, ValueError, AttributeError):  # NetCDF has no way to say this
            continue
        yield f"NetCDF with {kind}", path
    yield from _stores(folder)


def _stores(folder: Path) -> Iterator[tuple[str, Path]]:
    """Zarr stores of both formats whose metadata or chunks are not what they were."""
    for version in (2, 3):
        whole = folder / f"whole{version}.zarr"
        small_weather().to_zarr(whole, zarr_format=version, consolidated=False)
        parts = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
        for index, part in enumerate(parts):
            for kind, change in _damages(part.suffix == ".json" or part.name.startswith(".z")).items():
                path = folder / f"store{version}-{index}-{kind}.zarr"
                shutil.copytree(whole, path)
                change(path / part)
                yield f"Zarr {version}, {part} {kind}", path
    (folder / "bare.zarr").mkdir()
    yield "an empty folder", folder / "bare.zarr"


def _damages(metadata: bool) -> dict:
    damages = {"cut": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
               "emptied": lambda path: path.write_bytes(b"")}  # fmt: skip
    if metadata:
        damages |= {
            "a list": lambda path: path.write_text("[]"), "deep": lambda path: path.write_text("[" * 9999),
            "null": lambda path: path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text() or "{}")))),
        }  # fmt: skip
    return damages


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def stations() -> Iterator[tuple[str, bytes]]:
    """Lists of stations with measured temperatures that are wrong in one place."""
    lines = [b"time,lat,lon,2m_temperature", b"2001-01-01,50,8,280", b"2001-01-02,-20,130,300"]
    wrong = [("", "later", "2001-13-01", "99999-01-01", "NaT"), ("", "north", "91", "-inf", "nan"),
             ("", "east", "361", "1e99", "0x10"), ("warm", "inf", "1,000", "2 80")]  # fmt: skip
    for column, values in enumerate(wrong):
        for value in values:
            words = [b"2001-01-03", b"1", b"2", b"281"]
            words[column] = value.encode()
            yield f"{lines[0].split(b',')[column].decode()} is {value!r}", b"\n".join([*lines, b",".join(words)])
    yield from {
        "nothing": b"", "a header": lines[0], "no header": b"\n".join(lines[1:]), "binary": bytes(range(256)),
        "zip": b"PK\3\4" + bytes(99), "UTF-16": "lat,lon\n1,2\n".encode("utf-16"), "a quote": b'lat,lon\n"1,2',
        "no variable": b"lat,lon,rain\n1,2,3", "no lon": b"lat,2m_temperature\n1,280",
        "long rows": lines[0] + b"\n1,2,3,4,5", "zeros": bytes(500),
        "twice lat": b"lat,lat,lon,2m_temperature\n95,95,2,280", "a long first row": lines[0] + b"\n1,2,3,4,5\n1,2,3,4",
        "a short row": b"\n".join([*lines, b"2001-01-03,1"]), "celsius": lines[0] + b"\n2001-01-01,1,2,7",
        "dates": b"date" + b"\n".join(lines)[4:] + b"\n01/02/2001,1,2,281",
        "no time": b"lat,lon,2m_temperature\n1,2,280\n1,2,281",
        "a code": lines[0] + b"\n2001-01-01,1,2,-999", "not measured": lines[0] + b"\n2001-01-01,1,2,",
        "a comment": b"# only\n", "tabs": b"lat\tlon\n1\t2\t3",
    }.items()  # fmt: skip
