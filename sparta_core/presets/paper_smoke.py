"""`paper_demo` with small networks on the few days of `smoke`, to see that everything runs."""

from sparta_core.presets.smoke import FEW_DAYS

BASED_ON = "paper_demo"
SETTINGS = FEW_DAYS | {
    "width": 8,
    "embedding": 32,
    "autoencoder_epochs": 1,
    "pretrain_epochs": 1,
    "barlow_twins_epochs": 1,
    "vicreg_epochs": 1,
    "supcon_epochs": 1,
    "soft_time_epochs": 1,
    "blend_epochs": 1,
    "blend_decay": 0.01,
    "decoder_epochs": 1,
    "forecast_epochs": 2,
    "diffusion_widths": (64, 32, 16),
    "diffusion_epochs": 2,
    "quick_steps": 10,
    "classification_epochs": 2,
}
COMPARISON = {"share": 1.0, "seeds": "0", "equal_steps": ""}
