"""The circulation model that simulates days: JCM, set up as for the bundled climate."""

import warnings
from importlib import metadata, resources

import numpy as np
import xarray as xr

from sparta_core.data.bundled import LEVEL
from sparta_core.data.conventions import GRAVITY
from sparta_core.data.regrid import regrid
from sparta_core.errors import DataError

SETTINGS = ("SPEEDY physics, T31, 8 levels, its packaged T30 climatological boundary conditions, 36-minute step, "
            "from isothermal rest")
BEGIN = np.datetime64("2000-01-01")
STEP = 36.0  # minutes
SPACING = 5.625  # degrees, of the grid that is regridded to
PRESSURE = "normalized_surface_pressure"  # at the ground, in units of
REFERENCE_PRESSURE = 1000.0  # hPa
# What the model calls them.
NAMES = {"2m_temperature": "surface_flux.t0", "u_component_of_wind": "u_wind", "v_component_of_wind": "v_wind",
         "geopotential": "geopotential", "specific_humidity": "specific_humidity"}  # fmt: skip
LONG_NAMES = {"2m_temperature": "near-surface air temperature", "u_component_of_wind": f"eastward wind at {LEVEL} hPa",
              "v_component_of_wind": f"northward wind at {LEVEL} hPa", "geopotential": f"geopotential at {LEVEL} hPa",
              "specific_humidity": f"specific humidity at {LEVEL} hPa"}  # fmt: skip


class Circulation:
    """A day at a time from rest at `BEGIN`, in which only `state` changes. DataError without jcm.

    `static` are the land-sea mask and the surface geopotential, on the grid of the days.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # xarray's, for jcm to heed
            try:
                from jcm.forcing import ForcingData
                from jcm.model import Model
                from jcm.physics.speedy.speedy_coords import get_speedy_coords
                from jcm.terrain import TerrainData
            except ImportError as error:
                raise DataError(f"simulating needs the package jcm, which cannot be imported ({error}); "
                                "pip install 'sparta-core[simulate]'") from error
            coords, boundary = get_speedy_coords(), resources.files("jcm.data.bc.t30.clim")
            terrain = TerrainData.from_file(boundary / "terrain.nc", coords=coords)
            self._forcing = ForcingData.from_file(boundary / "forcing.nc", coords=coords, align_mode="wrap_year")
            self._model = Model(coords=coords, terrain=terrain, time_step=STEP, start_time=str(BEGIN))
            self._model.bootstrap_state()
            self.state = self.state  # as arrays from a file are, so that whoever goes on compiles the same program
            self.name = f"JCM {metadata.version('jcm')}"
            with xr.open_dataset(str(boundary / "terrain.nc")) as packaged:
                self.static = static_fields(packaged.load())

    @property
    def day(self) -> int:
        """How many are over."""
        return int(self._model.run_state.step) // round(24 * 60 / STEP)

    @property
    def state(self) -> dict[str, np.ndarray]:
        """All that the next day is computed from."""
        import jax

        leaves = jax.tree.leaves(self._model.run_state)
        return {f"{index:03d}": np.array(leaf, order="C") for index, leaf in enumerate(leaves)}

    @state.setter
    def state(self, arrays: dict[str, np.ndarray]) -> None:
        import jax

        structure = jax.tree.structure(self._model.run_state)
        state = jax.tree.unflatten(structure, [jax.numpy.asarray(arrays[name]) for name in sorted(arrays)])
        self._model.restore_state(state.dynamics, state.physics, time=state.time, step=state.step)

    def advance(self) -> xr.Dataset:
        """The next day's means, float32 (latitude, longitude)."""
        means = self._model.resume(self._forcing, save_interval=1.0, total_time=1.0, output_averages=True)
        return day_fields(means.to_xarray()[[*NAMES.values(), PRESSURE]].isel(time=0).as_numpy())


def static_fields(terrain: xr.Dataset) -> xr.Dataset:
    """Regrid the land-sea mask and the surface geopotential (m2 s-2) of a terrain file of JCM's."""
    ground = GRAVITY * terrain["orog"].astype(np.float64)  # JCM itself computes with 9.81
    return _regridded(xr.Dataset({"land_sea_mask": terrain["lsm"].assign_attrs(units="1"),
                                  "geopotential_at_surface": ground.assign_attrs(units="m2 s-2")}))


def day_fields(means: xr.Dataset) -> xr.Dataset:
    """Regrid a day's means on JCM's own grid and levels; the bundled variables, float32 (latitude, longitude)."""
    means = means.sortby("level")  # the model's top first
    pressure = means["level"] * means[PRESSURE] * REFERENCE_PRESSURE
    fields = xr.Dataset()
    for name, theirs in NAMES.items():
        field = means[theirs].drop_attrs()
        aloft = "level" in field.dims
        fields[name] = at_pressure(field, pressure, LEVEL, name == "geopotential") if aloft else field
    return _regridded(fields).drop_attrs()


def at_pressure(field: xr.DataArray, pressure: xr.DataArray, level: float, extrapolate: bool) -> xr.DataArray:
    """Interpolate a field to a pressure, linearly in the logarithm of the pressure.

    Args:
        field: values (level, ...).
        pressure: of each of them (level, ...), hPa, ascending along the levels.
        level: the pressure that is wanted, hPa.
        extrapolate: whether the line goes on beyond the first and the last level; else the value there holds.

    Returns:
        The values (...).

    Example:
        >>> height, pressure = (xr.DataArray(values, dims="level") for values in ([5.0, 1.0], [100.0, 1000.0]))
        >>> round(float(at_pressure(height, pressure, 10.0, extrapolate=True)), 6)
        9.0
    """
    logarithm = xr.ufuncs.log(pressure)
    upper = (pressure < level).sum("level").clip(1, field.sizes["level"] - 1) - 1
    above, below = (logarithm.isel(level=upper + step) for step in (0, 1))
    share = (np.log(level) - above) / (below - above)
    if not extrapolate:
        share = share.clip(0, 1)
    return (1 - share) * field.isel(level=upper) + share * field.isel(level=upper + 1)


def _regridded(fields: xr.Dataset) -> xr.Dataset:
    fields = fields.reset_coords(drop=True).rename(lat="latitude", lon="longitude")
    return regrid(fields, SPACING, "the model").astype(np.float32)
