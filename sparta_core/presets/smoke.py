"""`demo` with small networks on few days, to see that everything runs."""

BASED_ON = "demo"
PAPER = "paper_smoke"
FEW_DAYS = {
    "days": 800,
    "split": (0.5, 0.2),
    "soft_gap": 41,
    "downstream_split": (0.45, 0.2),
    "leads": 25,
    "draws": 5,
}
SETTINGS = FEW_DAYS | {
    "embedding": 48,
    "forecast_hidden": 8,
    "forecast_epochs": 1,
    "diffusion_widths": (32, 16),
    "diffusion_epochs": 1,
    "quick_steps": 5,
}
