"""What forecasts have wrong, for diffusion to draw, given the look-back: an ensemble forecaster, not the paper's.

The dynamics forecast, diffusion draws around them: errors are nearly normal, and a small network learns them (Mardani
et al., 2025). They are in units of their std at each lead and component; the condition is the last day seen, the
forecast, and its lead.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from sparta_core.downstream import trust
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.forecast.latent_dynamics import LAGS
from sparta_core.training.workbench import Workbench

LEADS = 10  # days ahead
EVERY = 2  # days between two forecasts to learn from
SMALLEST = 1e-6  # std, of a component that no forecast moves


class ForecastErrors:
    """Scaled errors (N, E) and conditions of all leads of a part's forecasts from sparse days; the same every epoch.

    To forecast again with other masks would take longer than the epoch.
    """

    def __init__(self, bench: Workbench, model: Sparta) -> None:
        self.bench, self.model = bench, model
        self.made: dict[str, tuple[Tensor, Tensor]] = {}

    def __call__(self, part: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if part not in self.made:
            self.made[part] = self._forecast(part)
        return self.made[part]

    @torch.no_grad()
    def _forecast(self, part: str) -> tuple[Tensor, Tensor]:
        experiment, bench, days = self.bench.experiment, self.bench, self.bench.fields.splits[part]
        starts = torch.arange(0, len(days) - LAGS - LEADS + 1, EVERY, device=bench.device)
        if len(starts) < 2:
            raise DataError(f"the {part} days are {len(days)}, too few for two look-backs of {LAGS} days and {LEADS} "
                            "leads; use more days")
        generator = torch.Generator(bench.device).manual_seed(experiment.seed)
        ratio, truth = experiment.downstream_mask_ratio, bench.fields.split(part)
        seen, whole = (embed(self.model, bench.views, truth, own, generator) for own in (ratio, 0.0))
        last = starts + LAGS - 1
        past = seen[starts[:, None] + torch.arange(LAGS, device=bench.device)]
        made = trust.forecasts(experiment, experiment.forecast_seeds[0], past, last + days.start, LEADS, ratio)
        wrong = whole[last[:, None] + torch.arange(1, LEADS + 1, device=bench.device)] - made
        scaled = wrong / wrong.square().mean(0).sqrt().clamp_min(SMALLEST)
        return scaled.flatten(0, 1), conditions_on(past[:, -1], made)


def condition_size(experiment: Experiment) -> int:
    return 2 * experiment.embedding + LEADS


def conditions_on(seen: Tensor, forecasts: Tensor) -> Tensor:
    """What errors are drawn on, (N leads, 2 E + LEADS): last days seen (N, E), forecasts (N, leads, E), the lead."""
    leads = forecasts.shape[1]
    which = F.one_hot(torch.arange(leads, device=seen.device), LEADS).to(seen).expand(len(seen), -1, -1)
    return torch.cat([seen[:, None].expand_as(forecasts), forecasts, which], 2).flatten(0, 1)
