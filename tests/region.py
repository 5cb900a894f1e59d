"""A made-up region: 24 x 36 points, every 12 hours, of three variables, one with bounds and one never negative."""

import numpy as np
import xarray as xr

LATITUDE, LONGITUDE = np.linspace(35, 69.5, 24), np.linspace(-20, 37.5, 36)  # across Greenwich
VARIABLES = ("2m_temperature", "cloud_cover", "rain")
# The durations that 12-hourly data take, and networks that train in a second.
SETTINGS = {
    "device": "cpu", "precision": "32-true", "checkpoint_every": 0.0, "variables": VARIABLES,
    "edges": (("2m_temperature", "rain"),), "width": 8, "embedding": 12, "projection": 8, "max_offset": "36h",
    "hard_gap": ("2d", 6), "soft_gap": "7d", "look_back": "36h", "stride": "12h", "leads": "60h", "draws": 3,
    "start_every": "1d", "calibration_horizon": "2d", "split": (0.6, 0.2), "downstream_split": (0.4, 0.3),
    "autoencoder_epochs": 1, "pretrain_epochs": 1, "blend_epochs": 1, "decoder_epochs": 1, "forecast_epochs": 1,
    "forecast_hidden": 8, "classification_epochs": 1, "diffusion_epochs": 1, "diffusion_widths": (8, 8),
    "climatology_window": 40, "sampler": "dpm-solver++", "quick_steps": 4,
}  # fmt: skip


def made_up_region(count=320, longitude=LONGITUDE):
    """Fields (time, latitude, longitude) every 12 hours from 2001 on: waves that travel over a day and a season."""
    times = np.datetime64("2001-01-01T00") + 12 * np.arange(count)
    days = times.astype(float)[:, None, None] / 24
    y, x = np.linspace(0, 3, 24)[:, None], np.linspace(0, 6, 36)
    generator = np.random.default_rng(0)
    slow, fast = np.sin(x - 2 * np.pi * days / 6) * np.cos(y), np.cos(1.5 * x + y - 2 * np.pi * days / 4)
    season, clock = np.cos(2 * np.pi * days / 365.2425), np.cos(2 * np.pi * days)
    rough = [0.3 * generator.normal(size=(count, 24, 36)) for _ in range(3)]
    fields = {"2m_temperature": (285 - 10 * season + 3 * clock + 4 * slow + 2 * fast + rough[0], "K"),
              "cloud_cover": (np.clip(0.5 + 0.2 * slow + 0.1 * fast + rough[1] / 6, 0, 1), "1"),
              "rain": (np.maximum(0, 2 * fast + slow + rough[2]), "mm day-1")}  # fmt: skip
    return xr.Dataset({name: (("time", "latitude", "longitude"), values.astype("f4"), {"units": units})
                       for name, (values, units) in fields.items()},
                      {"time": times.astype("M8[ns]"), "latitude": LATITUDE, "longitude": longitude})  # fmt: skip
