"""VICReg (Bardes et al., 2022): views that agree, features that vary, and do not vary together."""

from torch import Tensor

from sparta_core.losses import vicreg
from sparta_core.objectives import Recipe
from sparta_core.objectives.two_views import TwoViewStage
from sparta_core.settings import Amount, Epochs, Positive, setting


class VicregStage(TwoViewStage, name="vicreg"):
    """Variance, invariance and covariance of two views' projections."""

    vicreg_epochs: Epochs = setting(100, "epochs of VICReg")
    vicreg_rate: Positive = setting(1e-3, "learning rate of VICReg")
    vicreg_invariance: Amount = setting(25.0, "weight of the views' difference in VICReg")
    vicreg_variance: Amount = setting(25.0, "weight of features that vary too little in VICReg")
    vicreg_covariance: Amount = setting(1.0, "weight of covariances between features in VICReg")

    def compared(self, p: Tensor, q: Tensor, times: Tensor) -> Tensor:
        return vicreg(p, q, self.vicreg_invariance, self.vicreg_variance, self.vicreg_covariance)


class Vicreg(Recipe, name="vicreg"):
    """VICReg, then the decoder."""

    stages = ("vicreg", "decoder")
