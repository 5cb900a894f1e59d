"""The paper's classifier: a small network on embeddings."""

from typing import Annotated, ClassVar

from pydantic import Field

from sparta_core.settings import Amount, Count, Epochs, Positive, Share, Uses, setting
from sparta_core.tasks.season import Classifier
from sparta_core.training.schedules import PlateauSettings


class MLP(Classifier, name="mlp"):
    """The paper's network."""

    uses: ClassVar[Uses] = (PlateauSettings,)
    learns_from = "downstream_train"
    classification_widths: Annotated[tuple[Count, ...], Field(min_length=1)] = setting(
        (250, 62), "of the classifier's layers")
    classification_dropout: Share = setting(0.5, "of the classifier")
    classification_epochs: Epochs = setting(100, "epochs of the classifier")
    classification_rate: Positive = setting(1e-3, "learning rate of the classifier")
    classification_batch_size: Count = setting(64, "of the classifier", "days")
    classification_weight_decay: Amount = setting(1e-2, "of the classifier")
