"""VICReg (Bardes et al., 2022): views that agree, features that vary, and do not vary together."""

from torch import Tensor

from sparta_core.data.record import Record
from sparta_core.losses import vicreg
from sparta_core.models.sparta import Sparta
from sparta_core.objectives import Recipe
from sparta_core.objectives.two_views import TwoViews, TwoViewStage
from sparta_core.settings import Amount, Epochs, Positive, setting


class VicregStage(TwoViewStage, name="vicreg"):
    """Variance, invariance and covariance of two views' projections."""

    vicreg_epochs: Epochs = setting(100, "epochs of VICReg")
    vicreg_rate: Positive = setting(1e-3, "learning rate of VICReg")
    vicreg_invariance: Amount = setting(25.0, "weight of the views' difference in VICReg")
    vicreg_variance: Amount = setting(25.0, "weight of features that vary too little in VICReg")
    vicreg_covariance: Amount = setting(1.0, "weight of covariances between features in VICReg")

    def objective(self, record: Record, model: Sparta) -> TwoViews:
        return VicregLoss(record, model)


class Vicreg(Recipe, name="vicreg"):
    """VICReg, then the decoder."""

    stages = ("vicreg", "decoder")


class VicregLoss(TwoViews):
    """VICReg's."""

    def compared(self, p: Tensor, q: Tensor, times: Tensor) -> Tensor:
        own = self.experiment
        return vicreg(p, q, own.vicreg_invariance, own.vicreg_variance, own.vicreg_covariance)
