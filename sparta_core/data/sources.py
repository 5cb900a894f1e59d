"""Sources of days as xarray opens them: NetCDF files, Zarr stores, GRIB files (by cfgrib), the bundled climate."""

import importlib
import warnings
from importlib.util import find_spec
from pathlib import Path

import xarray as xr

from sparta_core.data import bundled, checksums
from sparta_core.data.levels import verticals
from sparta_core.data.names import named
from sparta_core.errors import DataError, one_line

if find_spec("eccodes"):  # brings a PROJ of its own, which xarray loads; maps abort unless pyproj has loaded its first
    importlib.import_module("pyproj")
GRIB = (".grib", ".grib2", ".grb", ".grb2", ".grb1", ".grib1")
MAGIC = b"GRIB"


def opened(data: str) -> xr.Dataset:
    """Open what `data` names, without dask: each block is read once, so a task graph would only cost time."""
    if data == bundled.NAME:
        return bundled.open_bundled()
    path = Path(data)
    if not path.exists():
        raise DataError(
            f"there is no data at {data}; make a local store of ERA5 with "
            f"python -m sparta_core prepare --target {data}, or use 'bundled'")
    kind = "NetCDF"
    try:
        if path.is_dir():
            checksums.check_folder(path)
            store: xr.Dataset = xr.open_zarr(path, chunks=None, consolidated=(path / checksums.CHECKSUMS).exists())
            return store
        with path.open("rb") as file:
            begin = file.read(len(MAGIC))
        if begin == MAGIC or path.suffix.lower() in GRIB:
            kind = "GRIB"
            return _grib(path)
        return xr.open_dataset(path)
    except DataError:
        raise
    except Exception as error:  # each file format raises its own
        raise DataError(f"{data} is neither a Zarr store nor a {kind} file that can be read ({one_line(error)}); "
                        "make it again") from error


def _grib(path: Path) -> xr.Dataset:
    """A GRIB file's fields under this house's names, which say at what height they are.

    cfgrib gives a dataset for each kind of level, whose coordinates would contradict each other in one.
    """
    try:
        import cfgrib
    except ImportError as error:
        raise DataError(f"{path} is a GRIB file, which needs cfgrib; pip install 'sparta-core[grib]', or convert the "
                        "file to NetCDF") from error
    parts = cfgrib.open_datasets(str(path), backend_kwargs={"indexpath": ""})
    if not parts:
        raise DataError(f"{path} has no fields that cfgrib can read; make it again")
    fields: dict[str, xr.DataArray] = {}
    for count, part in enumerate(map(named, parts)):
        for name, field in ((str(name), field) for name, field in part.data_vars.items()):
            if name in fields:
                warnings.warn(f"{path} has {name} several times, of other levels or times; the first is used",
                              stacklevel=4)  # fmt: skip
                continue
            # Levels of one part are not those of the next: along a dimension of its own each field keeps its own.
            for vertical in verticals(field):
                if vertical.kind not in ("pressure", "height"):
                    field = field.drop_vars(vertical.name)
                    continue
                field = field if vertical.along else field.expand_dims(vertical.name)
                field = field.rename({vertical.name: f"{vertical.name}_{count}"}) if count else field
            fields[name] = field
    merged = xr.merge([field.rename(name) for name, field in fields.items()], compat="override", join="outer",
                      combine_attrs="override")  # fmt: skip
    return merged.drop_attrs(deep=False).assign_attrs(parts[0].attrs)
