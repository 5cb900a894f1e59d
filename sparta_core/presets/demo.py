"""SPARTA-OI on the bundled climate: optimal interpolation, and dynamics that start as a linear inverse model."""

PAPER = "paper_demo"
SETTINGS = {
    # Views are whole days on the data's own grid, beside what is observed of them.
    "view_size": None,
    "crop_from": None,
    "smoothing": 1,
    "mask_grid": "native",
    "mask_ratio": (0.3, 0.95),
    "mask_input": True,
    "anomalies": "climatology",
    # The encoder and the decoder.
    "backbone": "none",
    "linear_path": True,
    # The training of the representation: none; on validation days a network beside the linear path does not pay.
    "soft_gap": 365,
    "objective": "autoencoder",
    "autoencoder_epochs": 0,
    "pretrain_epochs": 1,
    "blend_epochs": 1,
    "decoder_epochs": 1,
    "pretrain_rate": 1e-3,
    "barlow_twins_epochs": 1,
    "vicreg_epochs": 1,
    "supcon_epochs": 1,
    "soft_time_epochs": 1,
    "blend_rate": 1e-3,
    "decoder_rate": 1e-3,
    # The forecasts, the season, and the diffusion of what forecasts have wrong.
    "forecaster": "dynamics",
    "forecast_hidden": 64,
    "forecast_epochs": 5,
    "forecast_steps": 2,
    "forecast_rate": 2e-3,
    "forecast_batch_size": 16,
    "classifier": "date",
    "diffusion_of": "forecast",
    "diffusion_widths": (512, 256),
    "noise_skip": True,
    "diffusion_epochs": 6,
    "diffusion_rate": 3e-4,
    "sampler": "dpm-solver++",
    "quick_steps": 20,
}
