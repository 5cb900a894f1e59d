"""The days and the run of an experiment; days are loaded once, however many models learn from them."""

from functools import lru_cache
from pathlib import Path

from sparta_core.data.anomalies import Anomalies
from sparta_core.data.checksums import checksum
from sparta_core.data.days import DataSettings, DownstreamSplit, Storage
from sparta_core.data.record import Record, load_record
from sparta_core.experiment import Experiment
from sparta_core.training.device import join_launch, local_device
from sparta_core.training.runs import Run
from sparta_core.views.augment import Views

DAYS = (Storage, DataSettings, DownstreamSplit)  # the sections that say which days there are


def open_record(experiment: Experiment) -> Record:
    """The days of an experiment, as anomalies from what it says, on the device that computes.

    Experiments that differ elsewhere share them in memory.

    Raises:
        DataError: For data that is not what the experiment says.
    """
    join_launch(experiment)
    chosen = {name: getattr(experiment, name) for section in DAYS for name in section.model_fields}
    record = _loaded(Experiment(mask_grid="native", **chosen), local_device(experiment.device))
    return experiment.of(Anomalies).applied(record)


@lru_cache(maxsize=1)
def _loaded(experiment: Experiment, device: str) -> Record:
    return load_record(experiment, device)


def views_of(experiment: Experiment) -> Views:
    """How an experiment observes and shows its days, for those who have no model, on the device that computes."""
    record = open_record(experiment)
    return Views(experiment, record.domain).to(record.device)


def run_of(experiment: Experiment, stage: str, variant: str = "") -> Run:
    """Where `stage` of an experiment lives, on the days and stations that it names.

    Args:
        experiment: Whose run it is.
        stage: Of a stage or task the name.
        variant: Tells repetitions apart that share all settings, as "-seed1".
    """
    marks, stations = [open_record(experiment).fingerprint], experiment.stations
    if stations:
        marks.append(checksum(Path(stations))[:16])
    return Run.of(experiment, stage, "-".join(marks), variant)
