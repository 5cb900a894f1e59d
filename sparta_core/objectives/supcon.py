"""SupCon (Khosla et al., 2020): all days of a season are each other's positives."""

import torch
from torch import Tensor

from sparta_core.data.climatology import seasons_of
from sparta_core.losses import supervised_contrast
from sparta_core.objectives import Recipe
from sparta_core.objectives.two_views import TwoViewStage
from sparta_core.settings import Epochs, Positive, setting


class SupconStage(TwoViewStage, name="supcon"):
    """Supervised contrast, by seasons."""

    supcon_epochs: Epochs = setting(100, "epochs of SupCon")
    supcon_rate: Positive = setting(1e-4, "learning rate of SupCon")
    supcon_temperature: Positive = setting(0.1, "of SupCon's similarities")

    def compared(self, p: Tensor, q: Tensor, times: Tensor) -> Tensor:
        months = times.cpu().numpy().astype("datetime64[s]").astype("datetime64[M]").astype(int) % 12
        labels = torch.from_numpy(seasons_of(months)).to(p.device)
        return supervised_contrast(torch.cat([p, q]), labels.repeat(2), self.supcon_temperature)


class Supcon(Recipe, name="supcon"):
    """SupCon by seasons, then the decoder."""

    stages = ("supcon", "decoder")
