"""A small made-up climate in a file, and the experiment that trains on it in a second a stage."""

import itertools
import os

import numpy as np
import pytest
import xarray as xr

from sparta_core.data.variables import UNITS
from sparta_core.experiment import Experiment
from sparta_core.training.device import PRECISION, prepare_process
from tests.linear import GLOBE

prepare_process()  # as every program does

# Where the made-up variables lie, and how much of the same waves they take.
LEVELS = {"2m_temperature": (280, 1), "u_component_of_wind": (0, 1), "v_component_of_wind": (0, 1),
          "geopotential": (13000, 100), "specific_humidity": (0.006, 2e-4)}  # fmt: skip


def made_up_weather(days=600, rows=16, columns=32, seed=0):
    """Seasons and slowly moving waves in the five variables' units, from 2001 on."""
    generator = np.random.default_rng(seed)
    latitude = -90 + 180 / rows * (np.arange(rows) + 0.5)
    longitude = np.arange(columns) * 360 / columns
    time = np.datetime64("2001-01-01") + np.arange(days)
    t, y, x = np.meshgrid(np.arange(days), np.deg2rad(latitude), np.deg2rad(longitude), indexing="ij")
    data = {}
    for k, (name, units) in enumerate(UNITS.items()):
        season = np.sin(2 * np.pi * t / 365.25) * np.sin(y)
        wave = np.cos((k + 1) * x - 2 * np.pi * t / (10 + 3 * k)) * np.cos(y)
        mean, scale = LEVELS[name]
        values = mean + scale * (10 * season + 5 * wave + generator.normal(size=t.shape))
        data[name] = (("time", "latitude", "longitude"), values.astype(np.float32), {"units": units})
    return xr.Dataset(data, {"time": time.astype("datetime64[ns]"), "latitude": latitude, "longitude": longitude})


@pytest.fixture(scope="session")
def write_weather(tmp_path_factory):
    """Writes made-up weather of a given size to a NetCDF file and returns its path."""

    def write(**size):
        path = tmp_path_factory.mktemp("weather") / "weather.nc"
        made_up_weather(**size).to_netcdf(path, engine="h5netcdf")
        return path

    return write


@pytest.fixture(scope="session")
def weather(write_weather):
    """Path of the made-up climate, 600 days on a 16x32 grid."""
    return write_weather()


@pytest.fixture
def tiny(tiny_in, tmp_path):
    """Experiments on the made-up climate, each test in a runs folder of its own."""
    return tiny_in(tmp_path / "runs")


@pytest.fixture(scope="session")
def tiny_in(weather):
    """Makes of a runs folder what makes `tiny` experiments there."""

    def make_in(runs):
        settings = {
            "data": str(weather), "runs": str(runs), "device": "cpu",
            "precision": os.environ.get(PRECISION, "32-true"),
            "checkpoint_every": 0.0,
            "view_size": (16, 32), "crop_from": (18, 36), "smoothing": 3, "width": 4, "norm_groups": 2,
            "head": "flatten", "embedding": 16, "projection": 8, "soft_gap": 45, "autoencoder_epochs": 3,
            "pretrain_epochs": 3, "blend_epochs": 3, "decoder_epochs": 3, "forecast_epochs": 3,
            "forecast_hidden": 8, "look_back": 5, "stride": 1, "leads": 10,
        }  # fmt: skip
        return lambda **changes: Experiment(**(settings | changes))

    return make_in


@pytest.fixture(scope="session")
def globe(tiny_in, tmp_path_factory):
    """Tiny experiments with the linear path, in one runs folder for all tests: what one trained, the next loads."""
    make = tiny_in(tmp_path_factory.mktemp("globe"))
    return lambda **changes: make(**(GLOBE | changes))


@pytest.fixture(scope="session")
def flags():
    """Makes of an experiment what a person types to get it, where it differs from the paper's."""

    def words(experiment):
        changed = {name: value for name, value in experiment.changed(experiment.flat).items() if name != "preset"}
        pairs = [[f"--{name}", ",".join(map(str, v)) if isinstance(v, tuple) else str(v)]
                 for name, v in changed.items()]  # fmt: skip
        return ["--preset", "paper", *itertools.chain(*pairs)]

    return words
