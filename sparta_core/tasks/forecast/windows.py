"""Test windows: the look-backs after which forecasts are scored."""

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.clock import Clock
from sparta_core.data.record import Record
from sparta_core.data.sample import Sample
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.forecast import trained_forecaster
from sparta_core.training.records import open_record


def forecast_starts(experiment: Experiment, days: range, clock: Clock) -> Tensor:
    """First days of the look-back windows of `days`, every start_every, that leave `leads` to score; (N,).

    Raises DataError where there is none.
    """
    look_back, leads, every = (clock.steps(name, getattr(experiment, name))
                               for name in ("look_back", "leads", "start_every"))  # fmt: skip
    count = len(days) - look_back - leads + 1
    if count < 1:
        raise DataError(
            f"the downstream test days are {len(days)}, too few for a look-back of {look_back} and "
            f"{leads} leads; lower leads or look_back, or use more days")
    return torch.arange(days.start, days.start + count, every)


def last_observed(experiment: Experiment, record: Record) -> Tensor:
    """The last days (N,) of the look-backs of all test windows, in the record."""
    starts = forecast_starts(experiment, record.splits["downstream_test"], record.clock)
    return (starts + record.clock.steps("look_back", experiment.look_back) - 1).to(record.device)


def starts(days: Sample, look_back: int, clock: Clock, every: int | None) -> np.ndarray:
    """The last days of look-backs in a series of anybody's: numbers (N,) of its days.

    Args:
        days: The series (T, C, H, W).
        look_back: How many days in a row a look-back has.
        clock: Of the model, which tells what follows where the series does not.
        every: Take every so many of them; None: the last day's alone.

    Raises:
        DataError: Where there is none, or the last day has none.
    """
    dates = days.dates
    if np.isnat(dates).any():
        raise DataError("the dataset has no coordinate time of dates, and a forecast needs days in a row; add it")
    numbers = clock.count(dates)
    follows = np.diff(numbers, prepend=numbers[0]) == 1 if days.follows is None else days.follows.cpu().numpy()
    behind = np.arange(len(dates)) - np.maximum.accumulate(np.where(follows, 0, np.arange(len(dates))))
    last = np.flatnonzero(behind >= look_back - 1)
    if every is not None and last.size:
        return last[::every]
    if last.size and last[-1] == len(dates) - 1:
        return last[-1:]
    missing = clock.at(numbers[len(dates) - 1 - behind[-1]] - 1)
    raise DataError(f"a forecast takes {look_back} {clock.fields} in a row, and the dataset has {behind[-1] + 1} up to "
                    f"{clock.text(dates[-1])}; give {clock.text(missing)}, too")


def look_backs(record: Record, model: Sparta, ratio: float) -> tuple[Tensor, Tensor]:
    """Every test window's embeddings (N, L, E), a share `ratio` of each day masked, and its last day (N,)."""
    experiment, first = model.experiment, record.splits["downstream_test"].start
    last_days, generator = last_observed(experiment, record), torch.Generator(record.device)
    past = embed(model, record.split("downstream_test"), ratio, generator.manual_seed(experiment.seed))
    before = torch.arange(1 - record.clock.steps("look_back", experiment.look_back), 1, device=record.device)
    return past[last_days[:, None] - first + before], last_days


def forecast_embeddings(experiment: Experiment, seed: int, ratio: float | None = None) -> Tensor:
    """Forecast after every test window in latent space, (N, leads, E); trains what is missing.

    Args:
        experiment: Whose forecaster it is.
        seed: Of the forecaster.
        ratio: The share of the look-backs' values that is masked; None: the experiment's downstream ratio.
    """
    ratio = experiment.downstream_mask_ratio if ratio is None else ratio
    forecaster, record = trained_forecaster(experiment, seed), open_record(experiment)
    past, last_days = look_backs(record, forecaster.model, ratio)
    return forecaster.forecasts(past, record.dates(last_days), record.clock.steps("leads", experiment.leads), ratio)
