"""What a user adds, a file each: none of it is known to sparta_core. `test_extending` installs and uses them."""

OBJECTIVE = '''
from sparta_core.decoders import Decoder
from sparta_core.fusions import Fusion
from sparta_core.objectives import Recipe
from sparta_core.objectives.days import DayObjective
from sparta_core.settings import Amount, Epochs, Positive, setting
from sparta_core.training.stages import REPRESENTATION, Stage


class Robust(Stage, name="robust"):
    """Encoder and decoder on the mean absolute error."""

    uses = (*REPRESENTATION, Fusion, Decoder)
    parts = ("encoder", "decoder")
    robust_epochs: Epochs = setting(3, "epochs of the robust objective")
    robust_rate: Positive = setting(1e-3, "learning rate of the robust objective")
    robust_floor: Amount = setting(0.01, "error that counts as none", "training standard deviations")

    def objective(self, record, model):
        return AbsoluteError(record, model)


class RobustRecipe(Recipe, name="robust"):
    """Mean absolute error alone."""

    stages = ("robust",)


class AbsoluteError(DayObjective):
    def losses(self, batch, epoch, generator):
        (days,) = batch.roles
        embedding = self.modules["encoder"](self.views.sparse(days, generator, part=batch.part))
        error = (self.modules["decoder"](embedding) - days.values).abs()
        floor = self.experiment.of(Robust).robust_floor
        return {"loss": self.share.weighted((error - floor).clamp_min(0).mean(), batch.part)}
'''
ENCODER = '''
from torch import nn

from sparta_core.encoders import Encoder
from sparta_core.settings import Count, setting


class Plain(Encoder, name="plain"):
    """One convolution and a linear layer."""

    plain_width: Count = setting(4, "maps of the plain encoder", "channels")

    def build(self, channels, outputs, view_size):
        size = (view_size[0] // 2) * (view_size[1] // 2) * self.plain_width
        return nn.Sequential(nn.Conv2d(channels, self.plain_width, 3, 2, 1), nn.GELU(), nn.Flatten(),
                             nn.Linear(size, outputs))
'''
FUSION = '''
from torch import nn

from sparta_core.fusions import Fusion, LateFusion, one_each
from sparta_core.settings import Positive, setting


class Averaged(Fusion, name="averaged"):
    """The mean of the variables' embeddings."""

    averaged_scale: Positive = setting(2.0, "factor of the mean embedding", "1")

    def build(self, backbone, variables, planes, embedding):
        return LateFusion(one_each(backbone, variables, planes), Mean(self.averaged_scale))


class Mean(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, embeddings):
        return self.scale * embeddings.mean(1)
'''
SPARSITY = '''
import torch
from torch import nn

from sparta_core.observe import Observation
from sparta_core.settings import Count, setting


class BandsChoice(Observation, name="bands"):
    """All but circles of latitude."""

    bands_width: Count = setting(2, "rows of a missing band", "grid points")

    def build(self, domain):
        return Bands(self.bands_width)


class Bands(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, shape, ratio, generator):
        rows = torch.rand(shape[0], 1, -(-shape[2] // self.width), 1, generator=generator, device=generator.device)
        seen = rows >= torch.as_tensor(ratio, device=rows.device).view(-1, 1, 1, 1)
        return seen.repeat_interleave(self.width, 2)[:, :, : shape[2]].float().expand(*shape)
'''
BASELINE = '''
from dataclasses import dataclass
from typing import ClassVar

from sparta_core.baselines import ForecastBaseline
from sparta_core.settings import Share, setting


class FadingPersistence(ForecastBaseline):
    """Today's anomaly, less of it every day."""

    title: ClassVar[str] = "fading persistence"
    fading_share: Share = setting(0.5, "share of today's anomaly that a day leaves", "1 / days")

    def fit(self, record, leads):
        return Fading(self.fading_share)


@dataclass
class Fading:
    share: float

    def forecast(self, record, last_days, leads, analyses=None):
        now = record.take(last_days).values if analyses is None else analyses
        left = now.new_tensor([self.share**lead for lead in range(1, leads + 1)])
        return left.view(1, -1, 1, 1, 1) * now[:, None]
'''
TASK = '''
import xarray as xr
from torch import nn

from sparta_core.settings import Epochs, Positive, setting
from sparta_core.tasks import Measure
from sparta_core.tasks.network import NetworkObjective, NetworkTask
from sparta_core.training.cached import cached
from sparta_core.training.records import run_of


class Warmth(NetworkTask, name="warmth"):
    """How warm a day is, from its embedding."""

    warmth_epochs: Epochs = setting(3, "epochs of the warmth task")
    warmth_rate: Positive = setting(1e-2, "learning rate of the warmth task", "1 / steps")

    def build(self, model):
        return nn.Linear(model.experiment.embedding, 1)

    def objective(self, record, model, network):
        return SquaredError(record, model, network)

    def score(self, experiment):
        self.train(experiment)
        run = run_of(experiment, "warmth")
        error = xr.Dataset({"mse": run.history()["validation_loss"][-1]})
        return cached(run, "warmth.nc", "warmth", lambda: error, lambda scores: [("all", "mse", float(scores.mse))])

    def measures(self, experiment):
        return (Measure("warmth", "mse", "warmth, MSE"),)


class SquaredError(NetworkObjective):
    def batches(self, part, generator):
        days = self.record.split(f"downstream_{part}")
        return [(self.embed(part, days, 0.7, generator), days.values[:, 0].mean((1, 2)))]

    def losses(self, batch, epoch, generator):
        return {"loss": (self.network(batch[0])[:, 0] - batch[1]).square().mean()}
'''
