"""The day of the year that a sparse day belongs to, and so the season: not the paper's.

The anomaly from the climatology of the right date is weather, from that of a wrong date it is not. Every date's
likelihood is that of the anomaly from it, normal with the covariance of the linear path, on what is observed.
"""

import math

import numpy as np
import scipy  # whose parts load when they are asked for
import torch
from torch import Tensor
from torch.nn import functional as F

from sparta_core.data.anomalies import Anomalies, FromClimatology
from sparta_core.data.climatology import seasons_of
from sparta_core.data.clock import DAY, SECOND, Clock
from sparta_core.data.record import Record, spread_over
from sparta_core.data.sample import Sample
from sparta_core.encoders.linear_path import LinearPathEncoder
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.observe.masks import draw_ratios
from sparta_core.tasks.season import Classifier, Season
from sparta_core.tasks.season.labels import SEASONS, seasons
from sparta_core.tensors import Tensors
from sparta_core.training.records import open_record, run_of

YEAR = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]")
MONTHS = YEAR.astype("datetime64[M]").astype(int) % 12
CHUNK = 32  # days at once, with the climatology's patterns each
HOTTEST = 1000.0
MOST = 200  # validation days that a temperature is chosen by
FILE = "calendar.safetensors"


class Date(Classifier, name="date"):
    """The likelihood of every day of the year."""

    learns_from = "train"

    def check(self, experiment: Experiment) -> None:
        if not (experiment.linear_path and isinstance(experiment.of(Anomalies), FromClimatology)):
            raise ExperimentError("classifier is 'date', which tells weather from the climatology by the linear path's "
                                  "covariance; set linear_path=True and anomalies='climatology'")

    def state(self, model: Sparta) -> Tensors:
        """The temperature: by what log likelihoods are divided."""
        run = run_of(model.experiment, Season.name)
        return run.once(FILE, lambda: {"temperature": best_temperature(open_record(model.experiment), model)})

    def logits(self, model: Sparta, state: Tensors, days: Sample, ratio: float | Tensor = 0.0,
               generator: torch.Generator | None = None) -> Tensor:  # fmt: skip
        """Log probabilities (N, 4).

        Weather is not quite normal: likelihoods are tempered until the validation days are as likely as can be.
        """
        return _of_seasons(date_likelihoods(model, days, ratio, generator) / float(state["temperature"]))


@torch.no_grad()
def date_likelihoods(model: Sparta, days: Sample, ratio: float | Tensor = 0.0,
                     generator: torch.Generator | None = None) -> Tensor:  # fmt: skip
    """Log likelihoods (N, 365) of the days of a YEAR, up to a constant of each day; float64.

    Of full fields (N, C, H, W), of which a share `ratio` is masked before, one or one a day (N,), by a generator.
    """
    climatology, likelihoods = model.normaliser.climatology, []
    assert climatology is not None
    assert isinstance(model.encoder, LinearPathEncoder)
    clock = model.normaliser.clock
    ratios = torch.as_tensor(ratio, dtype=days.values.dtype, device=model.device).expand(len(days))
    for some, masked in zip(days.split(CHUNK), ratios.split(CHUNK), strict=True):
        observed = some if generator is None else model.views.observe(some, generator, masked)
        both = torch.cat([climatology.expand(len(some), *climatology.shape), observed.shown[:, None]], 1)
        products = model.encoder.interpolation.products(both, observed.observed)
        # An anomaly is the day less a sum of the climatology's patterns: one product for each pair gives all dates.
        basis = torch.from_numpy(clock.basis(_dates(some, clock).ravel())).to(model.device)
        basis = basis.view(len(some), len(YEAR), -1)
        sums = torch.cat([-basis, basis.new_ones(*basis.shape[:2], 1)], 2)
        likelihoods.append(-torch.einsum("ndi,nij,ndj->nd", sums, products.double(), sums) / 2)
    return torch.cat(likelihoods)


def _dates(days: Sample, clock: Clock) -> np.ndarray:
    """The dates of a YEAR for each of N days, at its time of day, which is known: (N, 365); noon where it is not."""
    known = np.where(np.isnat(days.dates), np.datetime64(12, "h"), days.dates)
    hours = (clock.time_of_day(known) * (DAY / SECOND)).astype("m8[s]")
    return YEAR.astype("datetime64[s]") + hours[:, None]


def best_temperature(record: Record, model: Sparta) -> Tensor:
    """That with which the validation days' seasons have the least cross-entropy; of many, of some all over."""
    experiment, validation = model.experiment, record.splits["validation"]
    which = spread_over(range(len(validation)), MOST, record.device)
    days = record.full(validation)[which]
    generator = torch.Generator(record.device).manual_seed(experiment.seed)
    ratios = draw_ratios(len(days), experiment.classification_mask_ratio, generator)
    logits, truth = date_likelihoods(model, days, ratios, generator), seasons(record, "validation")[which]

    def cross_entropy(logarithm: float) -> float:
        return float(F.cross_entropy(_of_seasons(logits / math.exp(logarithm)), truth))

    best = scipy.optimize.minimize_scalar(cross_entropy, bounds=(0, math.log(HOTTEST)), method="bounded")
    return torch.tensor(math.exp(best.x), dtype=torch.float64)


def _of_seasons(dates: Tensor) -> Tensor:
    """Log probabilities (N, 4) of seasons from logits (N, 365) of dates, all as likely before."""
    season = torch.from_numpy(seasons_of(MONTHS)).to(dates.device)
    logs = dates.log_softmax(1)
    return torch.stack([logs[:, season == k].logsumexp(1) for k in range(len(SEASONS))], 1)
