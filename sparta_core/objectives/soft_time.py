"""Contrast that is soft in time (Lee et al., 2024): days are positives by how near they are."""

import torch
from torch import Tensor

from sparta_core.data.clock import DAY, SECOND
from sparta_core.losses import weighted_contrast
from sparta_core.objectives import Recipe
from sparta_core.objectives.two_views import TwoViewStage
from sparta_core.settings import Amount, Epochs, Positive, setting


class SoftTimeStage(TwoViewStage, name="soft_time"):
    """Contrast whose positives are days near in time, by their distance."""

    soft_time_epochs: Epochs = setting(100, "epochs of contrast soft in time")
    soft_time_rate: Positive = setting(1e-4, "learning rate of contrast soft in time")
    soft_time_temperature: Positive = setting(0.3, "of similarities, in contrast soft in time")
    soft_time_decay: Amount = setting(0.5, "weight 2 sigmoid(-decay d) of a day's distance d", "1 / days")

    def compared(self, p: Tensor, q: Tensor, times: Tensor) -> Tensor:
        """A day's other view has the weight 1, and so has it of others as near as the same moment."""
        apart = (times[:, None] - times).abs() / (DAY / SECOND)
        weights = 2 * torch.sigmoid(-self.soft_time_decay * apart)
        return weighted_contrast(torch.cat([p, q]), weights.to(p).repeat(2, 2), self.soft_time_temperature)


class SoftTime(Recipe, name="soft_time"):
    """Contrast soft in time, then the decoder."""

    stages = ("soft_time", "decoder")
