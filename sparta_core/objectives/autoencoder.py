"""The autoencoder, the paper's baseline: masked days in, whole days out."""

from typing import ClassVar

from sparta_core.data.record import Record
from sparta_core.decoders import Decoder
from sparta_core.models.sparta import Sparta
from sparta_core.objectives import Recipe
from sparta_core.objectives.days import DayObjective, Reconstruction
from sparta_core.settings import Epochs, Positive, Uses, setting
from sparta_core.training.stages import REPRESENTATION, Stage


class Autoencoder(Stage, name="autoencoder"):
    """Encoder and decoder on masked input, always of early fusion and on batches with negatives."""

    uses: ClassVar[Uses] = (*REPRESENTATION, Decoder)
    parts = ("encoder", "decoder")
    baseline = True
    family = "autoencoder"
    autoencoder_epochs: Epochs = setting(180, "epochs of the autoencoder")
    autoencoder_rate: Positive = setting(1e-3, "learning rate of the autoencoder")

    def objective(self, record: Record, model: Sparta) -> DayObjective:
        return Reconstruction(record, model)


class Autoencoding(Recipe, name="autoencoder"):
    """Reconstruction alone."""

    stages = ("autoencoder",)
