"""What comes with the package: a climate, SIMULATED by JCM 3.0.0, not observed, and a small model of it.

Eleven years (2001-01-01..2011-12-28, 4,014 days) of daily means on a 5.625 degree grid, 32 x 64,
with the paper's five variables, so that everything runs on a fresh clone without a download. The
dates are the model's calendar: no day of it is the weather of that day. The model is that of the preset
`quickstart`, as `python -m sparta_core export --preset quickstart --tasks forecast,classification,assimilation
--scores on --output quickstart.safetensors` writes it, with its card.
"""

from importlib.resources import files
from pathlib import Path

import xarray as xr

from sparta_core.errors import DataError

NAME = "bundled"  # by which the setting data asks for it
FILE = "jcm_t31_daily_5.625deg.nc"
SOURCE = "simulated by JCM 3.0.0, not observed"
LEVEL = 850
MODEL = "quickstart.safetensors"


def path() -> Path:
    """Find the bundled NetCDF file; DataError if the installation lacks it."""
    return _found(FILE, "simulated climate")


def model_path() -> Path:
    """Find the bundled model, which `load` reads; DataError if the installation lacks it."""
    return _found(MODEL, "model")


def _found(name: str, what: str) -> Path:
    found = Path(str(files("sparta_core.data") / name))
    if not found.is_file():
        raise DataError(f"the bundled {what} is missing at {found}; install sparta_core again")
    return found


def open_bundled() -> xr.Dataset:
    """Open the simulated days lazily: (time, latitude, longitude), physical units, level 850 hPa.

    Example:
        >>> open_bundled()["geopotential"].shape
        (4014, 32, 64)
    """
    # The file names its level in words only; as an attribute it is checked like a prepared store's.
    return xr.open_dataset(path(), engine="h5netcdf").assign_attrs(level=LEVEL, source=SOURCE)
