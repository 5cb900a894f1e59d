"""One table of every task for every run: tidy rows of task, model, setup, metric, value, as the paper's numbers.

What is read are the scores that each task keeps beside its run; nothing is trained or scored here.
"""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from sparta_core.data.anomalies import Anomalies
from sparta_core.decoders import Decoder
from sparta_core.encoders import Encoder
from sparta_core.errors import DataError, RunError
from sparta_core.experiment import Experiment
from sparta_core.presets import PRESETS
from sparta_core.settings import EPOCHS
from sparta_core.training.cached import load_scores
from sparta_core.training.runs import RECORD, Run, describe
from sparta_core.training.stages import Stage, stage_of

COLUMNS = ("preset", "task", "model", "training", "changes", "setup", "metric", "seed", "value")
# What other columns say, and what training for longer sets with the epochs.
TOLD = ("seed", "fusion", "hard_negatives", "cycle_weight", "downstream_mask_ratio", "blend_decay", "plateau_patience")
OURS = "SPARTA-OI"  # our model, which starts as optimal interpolation; SPARTA alone is the paper's method


def method(experiment: Experiment, stage: str | None = None) -> str:
    """The name of the model that a stage leaves, or that the tasks use: as the paper's numbers have theirs.

    These are sparta_early_hn_cycle and autoencoder. With the linear path it is OURS, with what contrast it learns from:
    SPARTA-OI_early_hn_cycle. Without it, but with other pieces that are not the paper's, they stand before the name:
    globe_mask-input_autoencoder.
    """
    trained = stage_of(experiment, stage or experiment.representation)
    variant = trained.variant(experiment)
    if experiment.linear_path:
        return OURS + variant
    encoder, decoder, anomalies = experiment.of(Encoder), experiment.of(Decoder), experiment.of(Anomalies)
    pieces = [encoder.name] * (encoder.name != encoder.default)
    pieces += [f"{decoder.name}-decoder"] * (decoder.name != encoder.decoder)
    pieces += ["mask-input"] * experiment.mask_input + ["anomalies"] * (anomalies.name != anomalies.default)
    return "_".join([*pieces, (trained.family_of(experiment) + variant).lstrip("_")])


def training(experiment: Experiment, stage: str | None = None) -> str:
    """How long the representation trained: the epochs of its stages, 6/4/6."""
    stages = map(experiment.trained, experiment.ancestry(stage or experiment.representation))
    return "/".join(str(trained.epochs) for trained in stages if isinstance(trained, Stage))


def changes(experiment: Experiment, stage: str | None = None) -> str:
    """What else is not the preset's in a run's days or representation: embedding=128, width=8."""
    preset = Experiment.from_preset(experiment.preset)
    told = {*TOLD, *(name for section in experiment.every for name, field in section.model_fields.items()
                     if EPOCHS in field.metadata)}  # fmt: skip
    settings = experiment.settings(stage or experiment.representation)
    return ", ".join(f"{name}={value}" for name, value in settings.items()
                     if name not in told and getattr(experiment, name) != getattr(preset, name))  # fmt: skip


def scorecard(runs: str | Path) -> pd.DataFrame:
    """Every score that is kept under the folder `runs`: columns COLUMNS. DataError where there is none."""
    found = [row for path in sorted(Path(runs).glob(f"*/*/{RECORD}")) for row in _rows(path.parent)]
    if not found:
        raise DataError(f"{runs} holds no scores; run notebooks 05 to 08 or the tasks' score functions first")
    return pd.DataFrame(found, columns=list(COLUMNS)).sort_values(list(COLUMNS[:-1]), ignore_index=True)


def rows_of(run: Run, task: str) -> pd.DataFrame:
    """The rows of one task's scores beside `run`."""
    return pd.DataFrame([row for row in _rows(run.folder) if row[1] == task], columns=list(COLUMNS))


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


def _rows(folder: Path) -> Iterator[tuple[Any, ...]]:
    record, files = describe(folder), sorted(folder.glob("*.nc"))
    if not files:  # of modes, which are no experiment's own, there are none
        return
    preset = record["experiment"]["preset"]
    if preset not in PRESETS:
        warnings.warn(f"the scores in {folder} are of the preset {preset!r}, which is no more; they are left out",
                      stacklevel=2)  # fmt: skip
        return
    experiment = Experiment(**record["experiment"])
    named = _of_model(experiment, record["stage"])
    for path in files:
        scores = load_scores(path)
        for model, setup, metric, value in json.loads(scores.attrs["rows"]):
            yield preset, scores.attrs["task"], model or named[0], *named[1:], setup, metric, experiment.seed, value


def _of_model(experiment: Experiment, name: str) -> tuple[str, str, str]:
    """The model, its training and its changes, of a run of a stage or a task; of one of the baselines the changes."""
    stages = [each for each in experiment.ancestry(name) if isinstance(experiment.trained(each), Stage)]
    if not stages:
        return "", "", changes(experiment, name)
    return method(experiment, stages[-1]), training(experiment, stages[-1]), changes(experiment, stages[-1])
