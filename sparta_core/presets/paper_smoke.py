"""`paper_demo` with small networks on the few days of `smoke`, to see that everything runs."""

BASED_ON = "paper_demo"
SETTINGS = {
    "days": 800,
    "split": (0.5, 0.2),
    "soft_gap": 41,
    "downstream_split": (0.45, 0.2),
    "leads": 25,
    "draws": 5,
    "width": 8,
    "embedding": 32,
    "autoencoder_epochs": 1,
    "pretrain_epochs": 1,
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
