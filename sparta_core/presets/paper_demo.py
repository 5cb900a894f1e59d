"""The paper's method on the bundled climate, in minutes on two CPU cores."""

SETTINGS = {
    # Views on the climate's own grid, where the encoder's last map is 1x2: one-channel norms would leave only signs
    # there and pooling would lose the place, hence the norm groups and the flattened head.
    "view_size": (32, 64),
    "crop_from": (36, 72),
    "smoothing": 3,
    "norm_groups": 8,
    "head": "flatten",
    "width": 16,
    "embedding": 256,
    # The training of the representation.
    "soft_gap": 365,
    "autoencoder_epochs": 14,
    "pretrain_epochs": 6,
    "pretrain_rate": 1e-3,
    "barlow_twins_epochs": 6,
    "vicreg_epochs": 6,
    "supcon_epochs": 6,
    "soft_time_epochs": 6,
    "blend_epochs": 4,
    "blend_rate": 1e-3,
    "blend_decay": 0.6,
    "decoder_epochs": 6,
    "decoder_rate": 1e-3,
    # The tasks.
    "forecast_epochs": 60,
    "diffusion_widths": (256, 128, 64),
    "diffusion_epochs": 200,
    "noise_skip": True,
    "sampler": "dpm-solver++",
    "classification_epochs": 40,
}
COMPARISON = {"share": 0.25, "seeds": "0,1", "equal_steps": "sparta_early_cycle"}
