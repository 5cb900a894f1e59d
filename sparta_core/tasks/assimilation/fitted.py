"""Systems of trained models: what filters need is measured once, and kept beside the forecaster."""

from itertools import repeat

import numpy as np
import torch
from torch import Tensor

from sparta_core.data.normaliser import Normaliser
from sparta_core.data.record import Record
from sparta_core.errors import DataError, ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.progress import say
from sparta_core.tasks.assimilation.cycle import Cycle
from sparta_core.tasks.assimilation.ensemble import Ensemble
from sparta_core.tasks.assimilation.model_errors import (
    ModelErrors,
    covariance_of,
    step_errors,
    taper_of,
)
from sparta_core.tasks.assimilation.networks import points
from sparta_core.tasks.assimilation.observed import analyses, by_variable
from sparta_core.tasks.assimilation.system import System
from sparta_core.tasks.forecast import Forecaster, TrainedForecaster, trained_forecaster
from sparta_core.tasks.forecast.dynamics import Dynamics
from sparta_core.tasks.forecast.latent_dynamics import LatentDynamics
from sparta_core.training.records import open_record, run_of

TASK = "assimilation"
FILE = "errors.safetensors"
LENGTHS = (2500.0, 4000.0, 6000.0)  # km
INFLATIONS = (0.7, 1.4)  # of the errors, besides 1
SPIN_UP, DAYS = 15, 45  # validation days that a choice is made on
LEAST = 0.1  # of what the members say of the errors' variance is kept
EVERY = 5  # days between two whose spread is reckoned, which takes as long as an analysis
STEPS = 64  # members whose step is computed at once


def lack_of_dynamics(experiment: Experiment) -> str:
    """What to set for a model that has no dynamics in the scores of modes; "" for one that has."""
    if isinstance(experiment.of(Forecaster), Dynamics):
        return ""
    return (f"forecaster is {experiment.forecaster!r}, and assimilation takes the modes and dynamics of SPARTA-OI; set "
            "linear_path=True and forecaster='dynamics'")


def trained_system(experiment: Experiment) -> System:
    """The system of an experiment's first forecaster; errors as `trained_errors`'."""
    return system_of(*trained_errors(experiment))


def trained_errors(experiment: Experiment) -> tuple[TrainedForecaster, ModelErrors]:
    """The first forecaster of an experiment, and its errors; trains and measures what is missing.

    Raises:
        ExperimentError: For a model without dynamics.
    """
    if lack := lack_of_dynamics(experiment):
        raise ExperimentError(lack)
    record, forecaster = open_record(experiment), trained_forecaster(experiment, experiment.forecast_seeds[0])
    measured = run_of(experiment, TASK).once(FILE, lambda: measure(record, forecaster)._asdict())
    return forecaster, ModelErrors(**{name: x.to(record.device) for name, x in measured.items()})


def system_of(forecaster: TrainedForecaster, errors: ModelErrors) -> System:
    """The system of a forecaster whose errors are known."""
    network, modes, normaliser = forecaster.network, forecaster.model.modes, forecaster.model.normaliser
    residuals = forecaster.model.residuals
    assert isinstance(network, LatentDynamics) and modes is not None and residuals is not None
    factors = taper_of(normaliser, float(errors.length))
    return System(modes.patterns, modes.variance, residuals, _Step(network, normaliser), network.lags,
                  network.step, errors.inflation * errors.model_error, errors.linear_error, errors.damping,
                  errors.spread, factors)  # fmt: skip


class _Step:
    """A step of the dynamics."""

    def __init__(self, network: LatentDynamics, normaliser: Normaliser) -> None:
        self.network, self.normaliser = network, normaliser

    def __call__(self, past: Tensor, date: np.datetime64) -> Tensor:
        made = []
        for some in past.split(STEPS):
            coming = self.normaliser.climatology_ahead(np.repeat(np.array([date]), len(some)), 1)
            made.append(self.network(some, coming)[:, 0])
        return torch.cat(made)


def measure(record: Record, forecaster: TrainedForecaster) -> ModelErrors:
    """Measure a forecaster's errors, then choose, on validation days, what makes the best analyses of them.

    That are the taper's length, then the errors' inflation; in the end it is found how wrong the analyses are beside
    what the filter says.
    """
    experiment, network = forecaster.model.experiment, forecaster.network
    assert isinstance(network, LatentDynamics)
    damping = forecaster.calibration(experiment.downstream_mask_ratio)["damping"][0]
    one, patterns = torch.ones((), device=record.device), network.patterns
    learned, linear = step_errors(record, network)
    tried: dict[float, ModelErrors] = {}

    def attempt(errors: ModelErrors) -> None:
        error, said = _cycled(record, forecaster, errors)
        tried[error] = errors._replace(spread=said)
        say(f"{TASK}: error {error:.4g} of the climate's variance with a taper of {float(errors.length):g} km and "
            f"model errors times {float(errors.inflation):g}")  # fmt: skip

    for length in LENGTHS:
        covariance = covariance_of(learned, patterns, taper_of(record, length))
        attempt(ModelErrors(covariance, covariance, damping, length * one, one, torch.ones_like(damping)))
    best = tried[min(tried)]
    for inflation in INFLATIONS:
        attempt(best._replace(inflation=inflation * one, spread=torch.ones_like(damping)))
    best = tried[min(tried)]
    return best._replace(linear_error=covariance_of(linear, patterns, taper_of(record, float(best.length))))


@torch.no_grad()
def _cycled(record: Record, forecaster: TrainedForecaster, errors: ModelErrors) -> tuple[float, Tensor]:
    """Of analyses of validation days that are observed at some places the error, and over their spread (C,).

    Of the latter what the modes cannot hold is left out, in either.
    """
    system, days = system_of(forecaster, errors), record.splits["validation"][: SPIN_UP + DAYS]
    if len(days) <= SPIN_UP:
        raise DataError(f"the validation days are {len(days)}, too few to choose how to assimilate by, which takes "
                        f"{SPIN_UP + 1} at least; use more days")
    places = points(record.domain, len(record.variables), np.random.default_rng(0))
    cycle = Cycle(system, Ensemble(), record.clock, quality_control=False)
    squares, spread = [], []
    for number, (truth, analysis) in enumerate(analyses(record, cycle, days, repeat(places, len(days)))):
        if number < SPIN_UP:
            continue
        error = (analysis.mean @ system.patterns - truth).square()
        squares.append(by_variable(record, torch.stack([error, truth.square()])).mean(1))
        if number % EVERY == 0:
            spread.append(by_variable(record, torch.stack([error - system.error, analysis.held(system)])))
    (wrong, usual), (was, said) = torch.stack(squares).mean(0), torch.stack(spread).mean(0)
    return float(wrong / usual), (was / said).clamp_min(LEAST).sqrt().to(errors.damping)
