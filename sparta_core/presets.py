"""What each preset changes of the paper's settings."""

from typing import Any, NamedTuple

from sparta_core.typed import Table

# The paper's model on the bundled climate's own grid, where the encoder's last map is 1x2: one-channel
# norms would leave only signs there and pooling would lose the place, hence the norm groups and the
# flattened head.
_PAPER: dict[str, Any] = {
    "view_size": (32, 64), "crop_from": (36, 72), "smoothing": 3, "norm_groups": 8, "head": "flatten",
    "pretrain_rate": 1e-3, "blend_rate": 1e-3, "decoder_rate": 1e-3, "noise_skip": True, "sampler": "dpm-solver++",
}  # fmt: skip
# SPARTA-OI, which goes beyond the paper: a model that starts as optimal interpolation and as a linear inverse model.
_BEYOND: dict[str, Any] = {
    "view_size": (32, 64), "crop_from": (32, 64), "smoothing": 1, "mask_grid": "native", "mask_ratio": (0.3, 0.95),
    "mask_input": True, "departures": "climatology", "backbone": "globe", "width": 32, "linear_path": True,
    "soft_gap": 365, "objective": "autoencoder", "autoencoder_epochs": 1, "pretrain_epochs": 1, "blend_epochs": 1,
    "decoder_epochs": 1, "pretrain_rate": 1e-3, "blend_rate": 1e-3, "decoder_rate": 1e-3, "forecaster": "dynamics",
    "forecast_hidden": 96, "forecast_epochs": 4, "forecast_steps": 2, "forecast_rate": 1e-3, "forecast_batch_size": 32,
    "classifier": "date", "diffusion_of": "forecast", "diffusion_widths": (512, 256), "noise_skip": True,
    "diffusion_epochs": 8, "diffusion_rate": 3e-4, "sampler": "dpm-solver++", "quick_steps": 20,
}  # fmt: skip
_SMOKE: dict[str, Any] = {
    "days": 800, "split": (0.5, 0.2), "soft_gap": 41, "downstream_split": (0.45, 0.2), "leads": 25, "draws": 5,
}  # fmt: skip
# All days of the last split but a few, which nothing needs to learn from; of forecasts one in twelve days.
_ALL_OF_THE_LAST: dict[str, Any] = {"downstream_split": (0.05, 0.05), "start_every": 12}
_BEYOND_SMOKE = _BEYOND | _SMOKE | {
    "embedding": 48, "width": 8, "forecast_hidden": 8, "forecast_epochs": 1, "diffusion_widths": (32, 16),
    "diffusion_epochs": 1, "quick_steps": 5,
}  # fmt: skip
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"data": "data/era5_5.625deg.zarr"},
    "demo": _BEYOND,
    "smoke": _BEYOND_SMOKE,
    "bars": _BEYOND | _ALL_OF_THE_LAST,
    "bars_smoke": _BEYOND_SMOKE | _ALL_OF_THE_LAST,
    "paper_demo": _PAPER | {
        "width": 16, "embedding": 256, "soft_gap": 365, "autoencoder_epochs": 14, "pretrain_epochs": 6,
        "blend_epochs": 4, "blend_decay": 0.6, "decoder_epochs": 6, "diffusion_widths": (256, 128, 64),
        "diffusion_epochs": 200, "forecast_epochs": 60, "classification_epochs": 40,
    },
    "paper_smoke": _PAPER | _SMOKE | {
        "width": 8, "embedding": 32, "autoencoder_epochs": 1, "pretrain_epochs": 1, "blend_epochs": 1,
        "decoder_epochs": 1, "forecast_epochs": 2, "diffusion_widths": (64, 32, 16), "diffusion_epochs": 2,
        "quick_steps": 10, "classification_epochs": 2,
    },
}  # fmt: skip
# Of each preset the one with the paper's own model, on the same days.
PAPERS = Table("preset", {
    "paper": "paper", "demo": "paper_demo", "smoke": "paper_smoke", "bars": "paper_demo", "bars_smoke": "paper_smoke",
    "paper_demo": "paper_demo", "paper_smoke": "paper_smoke",
})  # fmt: skip


class Comparison(NamedTuple):
    """How notebooks 09 and 10 compare many of the paper's models in the time that suits a preset."""

    share: float  # of its epochs that every model and task trains
    seeds: str
    equal_steps: str  # the variants that also train for as many steps as those with hard negatives


COMPARISONS = Table("preset", {
    "paper": Comparison(1.0, "0,1,2", "sparta_early,sparta_early_cycle"),
    "paper_demo": Comparison(0.25, "0,1", "sparta_early_cycle"),
    "paper_smoke": Comparison(1.0, "0", ""),
})
