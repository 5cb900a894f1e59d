"""Barlow Twins (Zbontar et al., 2021): features that two views share, and that are not each other's."""

from torch import Tensor

from sparta_core.losses import barlow_twins
from sparta_core.objectives import Recipe
from sparta_core.objectives.two_views import TwoViewStage
from sparta_core.settings import Amount, Epochs, Positive, setting


class BarlowTwinsStage(TwoViewStage, name="barlow_twins"):
    """The cross-correlation of two views' projections, towards the identity."""

    barlow_twins_epochs: Epochs = setting(100, "epochs of Barlow Twins")
    barlow_twins_rate: Positive = setting(1e-3, "learning rate of Barlow Twins")
    barlow_twins_weight: Amount = setting(0.01, "of squared correlations between features, in Barlow Twins")

    def compared(self, p: Tensor, q: Tensor, times: Tensor) -> Tensor:
        return barlow_twins(p, q, self.barlow_twins_weight)


class BarlowTwins(Recipe, name="barlow_twins"):
    """Barlow Twins, then the decoder."""

    stages = ("barlow_twins", "decoder")
