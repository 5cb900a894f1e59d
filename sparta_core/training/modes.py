"""The modes of an experiment's training days, fitted once and kept beside its runs."""

import hashlib
import json
from pathlib import Path

from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.localised import localised_eofs
from sparta_core.modes import EARTH_RADIUS, Modes, eofs
from sparta_core.processes import first_process
from sparta_core.progress import Told
from sparta_core.residuals import residual_moments
from sparta_core.tensors import Tensors
from sparta_core.training.fit import MODEL
from sparta_core.training.runs import Run
from sparta_core.typed import plain

METHOD = 2  # of localised modes: another number where the same days get other ones


def modes_of(experiment: Experiment, record: Record) -> Modes:
    """As many modes as the embedding has dimensions, on the device of `record`; fitted if they are not there yet."""

    def fit() -> Tensors:
        print(f"fitting {experiment.embedding} modes of the training days, once", flush=True)
        made = fit_modes(record, experiment.embedding, experiment.localisation, experiment.residual_reach)
        return made.tensors()

    tensors = _run(experiment, record).once(MODEL, fit)
    return Modes(**{name: tensors[name].to(record.device) for name in Modes._fields})


def _run(experiment: Experiment, record: Record) -> Run:
    """Where the modes are kept."""
    days = record.fingerprint
    settings = {name: plain(getattr(experiment, name))
                for name in ("data", "split", "anomalies", "embedding", "localisation", "residual_reach")}  # fmt: skip
    if experiment.localisation:
        settings["method"] = METHOD
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return Run(Path(experiment.runs) / "modes" / f"{experiment.embedding}-{days}-{digest}", "modes", settings, days)


def fit_modes(record: Record, count: int, length: float, reach: float) -> Modes:
    """`count` modes of the training days, of their covariance damped over `length` km, or as it is where that is 0.

    The covariance is of standardised anomalies, not weighted by area, as the losses are. What the modes leave
    unexplained, and how that is correlated over less than `reach` km, is measured on the validation days, because they
    fit the training days too well. ExperimentError for more modes than there are, DataError for days with gaps.
    """
    parts = record.split("train"), record.split("validation")
    if not all(part.observed.all() for part in parts):
        raise DataError(f"the training or validation days of {record.source} have gaps, and modes need whole days; set "
                        "linear_path=False, or use data without gaps")
    days, held_out = parts[0].values.flatten(1), parts[1].values
    if length:
        patterns, variance = _localised(record, days, count, length)
    else:
        patterns = eofs(days, count)
        variance = (days @ patterns.T).square().mean(0)
    if len(patterns) < count:
        raise ExperimentError(f"embedding is {count}, and the {len(days)} training days have {len(patterns)} modes; "
                              "choose a smaller one, or use more days")
    flat = held_out.flatten(1)
    rest = (flat - flat @ patterns.T @ patterns).view_as(held_out)
    positions = record.domain.positions().flatten(0, 1)
    return Modes(patterns, variance, rest.square().mean((0, 2, 3)), *residual_moments(rest, positions, reach))


def _localised(record: Record, days: Tensor, count: int, length: float) -> tuple[Tensor, Tensor]:
    progress = Told(1)

    def told(share: float) -> None:
        if first_process():
            progress(share, f"modes: {share:.0%} of the products")

    places = record.domain.positions().flatten(0, 1)
    return localised_eofs(days, count, places, length / EARTH_RADIUS, told)
