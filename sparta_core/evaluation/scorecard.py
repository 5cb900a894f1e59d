"""One table of every task for every run: tidy rows of task, model, setup, metric, value, as the paper's numbers.

What is read are the scores that each task keeps beside its run; nothing is trained or scored here.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from sparta_core.downstream.dynamics import LAGS
from sparta_core.errors import DataError, RunError
from sparta_core.evaluation.kept import load_scores
from sparta_core.experiment import Experiment
from sparta_core.presets import PRESETS
from sparta_core.training.runs import Run, describe

COLUMNS = ("preset", "task", "model", "training", "changes", "setup", "metric", "seed", "value")
# What other columns say, and what `shortened` and `at_equal_steps` set with the epochs.
TOLD = ("seed", "fusion", "hard_negatives", "cycle_weight", "downstream_mask_ratio", "blend_decay", "plateau_patience")
LEADS = (1, 5, 10, 25, 50, 75, 100)
OURS = "SPARTA-OI"  # our model, which starts as optimal interpolation; SPARTA alone is the paper's method
# What a model that is not the paper's has of ours: the setting, the paper's value, and the word in the model's name.
PIECES = {"backbone": ("resnet18", "{}"), "decoder_backbone": ("same", "{}-decoder"),
          "mask_input": (False, "mask-input"), "departures": ("mean", "departures")}  # fmt: skip
WHOLE_FIELDS = "whole fields"  # the set-up of forecasts that see them
DIFFUSION = ("rrmse", "direct_rrmse", "std", "conditional_std", "latent_density", "realism", "ssim", "psnr",
             "crps_skill", "spread_skill")  # fmt: skip
# What the paper's numbers are called, and what brings ours to their unit.
IN_THE_PAPER = {"rrmse": ("rrmse_percent", 1.0), "direct_rrmse": ("direct_rrmse_percent", 1.0),
                "ssim": ("ssim_percent", 100.0), "psnr": ("psnr_db", 1.0)}  # fmt: skip
Rows = Iterator[tuple[str, str, float]]  # setup, metric, value


def method(settings: dict[str, Any]) -> str:
    """The model's name by its `settings`: of the paper's as its numbers have it, sparta_early_hn_cycle or autoencoder.

    With the linear path it is OURS, with what contrast it learns from: SPARTA-OI_early_hn_cycle. Without it, but with
    other PIECES that are not the paper's, they stand before the name: globe_mask-input_autoencoder.
    """
    contrast = ""
    if "fusion" in settings:
        losses = ("_hn" if settings["hard_negatives"] else "") + ("_cycle" if settings["cycle_weight"] else "")
        contrast = f"_{settings['fusion']}{losses}"
    if settings.get("linear_path"):
        return OURS + contrast
    own = {name: settings.get(name, papers) for name, (papers, _) in PIECES.items()}
    if own["decoder_backbone"] == own["backbone"]:
        own["decoder_backbone"] = "same"
    ours = [word.format(own[name]) for name, (papers, word) in PIECES.items() if own[name] != papers]
    return "_".join([*ours, f"sparta{contrast}" if contrast else "autoencoder"])


def forecast_setup(settings: dict[str, Any]) -> str:
    """What a forecaster is given, by its settings: days of look-back and between the windows that it learns from.

    Dynamics take LAGS days and learn from every window, whatever the experiment's look-back and stride.
    """
    dynamics = settings.get("forecaster", "lstm") == "dynamics"
    return f"LB{LAGS}_S1" if dynamics else f"LB{settings['look_back']}_S{settings['stride']}"


def training(settings: dict[str, Any]) -> str:
    """How long the representation trained: the epochs of its stages, 6/4/6."""
    stages = ("pretrain", "blend", "decoder") if "fusion" in settings else ("autoencoder",)
    return "/".join(str(settings[f"{stage}_epochs"]) for stage in stages if f"{stage}_epochs" in settings)


def changes(preset: str, settings: dict[str, Any]) -> str:
    """What else is not the preset's in a run's days or representation: embedding=128, width=8."""
    if preset not in PRESETS:
        return "a preset that is no more"
    experiment = Experiment.from_preset(preset)
    usual = {name: value for stage in ("autoencoder", "decoder", "baselines")
             for name, value in experiment.settings(stage).items() if not name.endswith("_epochs")}  # fmt: skip
    return ", ".join(f"{name}={settings[name]}" for name, value in usual.items()
                     if name not in TOLD and settings.get(name, value) != value)  # fmt: skip


def forecast_rows(scores: xr.Dataset, settings: dict[str, Any]) -> Rows:
    model = "stride" in settings
    setup, usual = WHOLE_FIELDS, 0.0
    if model:
        setup, usual = forecast_setup(settings), settings["downstream_mask_ratio"]
    hidden = scores.attrs.get("mask_ratio", usual)
    if hidden != usual:
        setup = f"{setup if model else 'analyses'}_mask{hidden:g}"
    for lead in (lead for lead in LEADS if lead in scores.lead):
        yield setup, f"rrmse_percent_T{lead}", float(scores.rrmse.sel(lead=lead))
        yield setup, f"skill_T{lead}", float(scores.skill.sel(lead=lead).mean())


def ensemble_rows(scores: xr.Dataset, settings: dict[str, Any]) -> Rows:
    drawn = "_diffusion" if "diffusion_of" in settings else ""
    setup = f"{forecast_setup(settings)}_mask{scores.attrs['mask_ratio']:g}{drawn}"
    for lead in (lead for lead in LEADS if lead in scores.lead):
        for name in _comparable(scores, ("crps_skill", "spread_skill")):
            yield setup, f"{name}_T{lead}", float(scores[name].sel(lead=lead).mean())


def reconstruction_rows(scores: xr.Dataset, settings: dict[str, Any]) -> Rows:
    for grid in scores.mask_grid.values:
        for ratio in scores.ratio.values:
            yield f"{grid}_mask{ratio:g}", "mse", float(scores.mse.sel(mask_grid=grid, ratio=ratio))


def diffusion_rows(scores: xr.Dataset, settings: dict[str, Any]) -> Rows:
    for name in _comparable(scores, DIFFUSION):
        if name in scores:
            metric, factor = IN_THE_PAPER.get(name, (name, 1.0))
            yield f"mask{settings['downstream_mask_ratio']:g}", metric, factor * float(scores[name].mean())


def _comparable(scores: xr.Dataset, names: Sequence[str]) -> list[str]:
    """The scores `names` less the skill over days of the season, which was kept before the reference had a window."""
    windowed = "window" in json.loads(scores.attrs.get("scored_with", "{}"))
    return [name for name in names if windowed or name != "crps_skill"]


def classification_rows(scores: xr.Dataset, settings: dict[str, Any]) -> Rows:
    low, high = float(scores.ratio.min()), float(scores.ratio.max())
    for name in ("cross_entropy", "accuracy", "macro_f1"):
        if not scores[name].isnull().all():
            yield f"mask{low:g}-{high:g}", name, float(scores[name].mean("ratio"))


def latent_rows(scores: xr.Dataset, settings: dict[str, Any]) -> Rows:
    for name in scores:
        if not scores[name].dims:
            yield f"mask{scores.attrs['mask_ratio']:g}_{scores.attrs['days']}days", str(name), float(scores[name])


# Which files, as a pattern, beside which stage hold the scores of which task.
TASKS: dict[str, tuple[tuple[str, ...], str, Callable[[xr.Dataset, dict[str, Any]], Rows]]] = {
    "forecast": (("forecast", "baselines"), "scores*.nc", forecast_rows),
    "ensemble forecast": (("forecast", "diffusion"), "ensemble*.nc", ensemble_rows),
    "reconstruction": (("decoder", "autoencoder", "baselines"), "reconstruction.nc", reconstruction_rows),
    "diffusion": (("diffusion", "baselines"), "diffusion.nc", diffusion_rows),
    "classification": (("classification", "baselines"), "classification.nc", classification_rows),
    "latent": (("decoder", "autoencoder"), "latents.nc", latent_rows),
}


def scorecard(runs: str | Path) -> pd.DataFrame:
    """Every score that is kept under the folder `runs`: columns COLUMNS. DataError where there is none."""
    found = [row for path in sorted(Path(runs).glob("*/*/experiment.json")) for row in _rows(path)]
    if not found:
        raise DataError(f"{runs} holds no scores; run notebooks 05 to 08 or the tasks' score functions first")
    return pd.DataFrame(found, columns=list(COLUMNS)).sort_values(list(COLUMNS[:-1]), ignore_index=True)


def rows_of(run: Run, task: str) -> pd.DataFrame:
    """The rows of one task's scores beside `run`."""
    made = [row for row in _rows(run.folder / "experiment.json") if row[1] == task]
    return pd.DataFrame(made, columns=list(COLUMNS))


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """The table as CSV, six significant digits; RunError where that cannot be written."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, index=False, float_format="%.6g")
    except OSError as error:
        raise RunError(f"the scorecard {path} cannot be written ({error.strerror or error}); choose another folder"
                       ) from error  # fmt: skip
    return path


def _rows(record: Path) -> Iterator[tuple[Any, ...]]:
    content = describe(record.parent)
    stage, settings = content["stage"], content["settings"]
    preset = record.parent.parent.name.split("-")[0]
    epochs, changed = "" if stage == "baselines" else training(settings), changes(preset, settings)
    for task, (stages, pattern, rows) in TASKS.items():
        for path in sorted(record.parent.glob(pattern)) if stage in stages else ():
            scores = load_scores(path)
            named = {str(name): scores.sel(model=name) for name in scores.model.values} if "model" in scores.dims else {
                method(settings): scores}  # fmt: skip
            for model, own in named.items():
                for setup, metric, value in rows(own, settings):
                    yield preset, task, model, epochs, changed, setup, metric, settings["seed"], value
