"""The modes of an experiment's training days, fitted once and kept beside its runs."""

import hashlib
import json
from pathlib import Path

from torch import Tensor

from sparta_core.data.checksums import checksum
from sparta_core.data.fields import Fields
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.modes import EARTH_RADIUS, Modes, eofs, localised_eofs
from sparta_core.processes import agreed
from sparta_core.training.fit import MODEL
from sparta_core.training.runs import Run
from sparta_core.training.tensors import Tensors
from sparta_core.typed import plain

MOST_VALUES = 20480  # of a day whose covariance fits into memory


def modes_of(experiment: Experiment, fields: Fields) -> Modes:
    """As many modes as the embedding has dimensions, on the device of `fields`; fitted if they are not there yet."""

    def fit() -> Tensors:
        print(f"fitting {experiment.embedding} modes of the training days, once", flush=True)
        return fit_modes(fields, experiment.embedding, experiment.localisation)._asdict()

    tensors = _run(experiment, fields).once(MODEL, fit)
    return Modes(**{name: tensors[name].to(fields.device) for name in Modes._fields})


def modes_checksum(experiment: Experiment, fields: Fields) -> str:
    """What tells these modes from others of the same days: on another machine their signs may differ."""
    run = _run(experiment, fields)
    if not agreed(run.finished):
        modes_of(experiment, fields)
    return checksum(run.path(MODEL))[:16]


def _run(experiment: Experiment, fields: Fields) -> Run:
    """Where the modes are kept."""
    days = fields.fingerprint
    settings = {name: plain(getattr(experiment, name)) for name in ("data", "split", "embedding", "localisation")}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
    return Run(Path(experiment.runs) / "modes" / f"{experiment.embedding}-{days}-{digest}", "modes", settings, days)


def fit_modes(fields: Fields, count: int, length: float) -> Modes:
    """`count` modes of the training days, of their covariance damped over `length` km, or as it is where that is 0.

    The covariance is of standardised departures, not weighted by area, as the losses are. What the modes leave
    unexplained is measured on the validation days, because they fit the training days too well. ExperimentError for
    more modes than there are, or too large a grid, DataError for days with gaps.
    """
    days, held_out = fields.split("train").flatten(1), fields.split("validation")
    if days.isnan().any() or held_out.isnan().any():
        raise DataError(f"the training or validation days of {fields.source} have gaps, and modes need whole days; set "
                        "linear_path=False, or use data without gaps")
    if length:
        patterns, variance = _localised(fields, days, count, length)
    else:
        patterns = eofs(days, count)
        variance = (days @ patterns.T).square().mean(0)
    if len(patterns) < count:
        raise ExperimentError(f"embedding is {count}, and the {len(days)} training days have {len(patterns)} modes; "
                              "choose a smaller one, or use more days")
    flat = held_out.flatten(1)
    rest = (flat - flat @ patterns.T @ patterns).view_as(held_out)
    return Modes(patterns, variance, rest.square().mean((0, 2, 3)))


def _localised(fields: Fields, days: Tensor, count: int, length: float) -> tuple[Tensor, Tensor]:
    values = days.shape[1]
    if values > MOST_VALUES:
        raise ExperimentError(f"localisation is {length:g} km, which takes the covariance of all {values} values of a "
                              f"day, at most {MOST_VALUES}; set it to 0, or use a coarser grid")
    places = fields.domain.positions().flatten(0, 1)
    return localised_eofs(days, count, places.to(days.device), length / EARTH_RADIUS)
