"""The smallest of experiments: its settings, and what there is to be done."""

from functools import partial

from sparta_core.catalogue import names
from sparta_core.evaluation.plan import STAGES, train
from sparta_core.tasks.reconstruction.scores import baseline_reconstruction

TRAINS = [name for name in STAGES if f"{name}_epochs" in names()]  # the others only score
SETTINGS = {
    "variables": ("2m_temperature", "geopotential"), "device": "cpu", "precision": "32-true", "checkpoint_every": 0.0,
    "split": (0.5, 0.2), "downstream_split": (0.5, 0.2), "view_size": (4, 8), "crop_from": (6, 12), "smoothing": 3,
    "width": 2, "norm_groups": 1, "head": "flatten", "embedding": 8, "projection": 4, "batch_size": 36,
    "max_offset": 1, "hard_gap": (2, 3), "soft_gap": 4, "forecast_hidden": 4, "look_back": 2, "leads": 2,
    "diffusion_widths": (8, 4), "diffusion_steps": 10, "classification_widths": (8, 4),
} | {f"{name}_epochs": 2 for name in TRAINS}  # fmt: skip

# What is done, by the stage whose folder it fills; the baselines' scores train nothing.
WORKS = {name: partial(train, name=name) for name in TRAINS} | {
    "baselines": partial(baseline_reconstruction, ratios=(0.5,), days=2)}  # fmt: skip


def contents(folder):
    """Every file under a folder, masked ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
