"""Stage 3: the decoder alone, on the frozen embeddings of masked days."""


from sparta_core.data.record import Record
from sparta_core.models.sparta import Sparta
from sparta_core.objectives.contrastive import Contrasted
from sparta_core.objectives.days import DayObjective, Reconstruction
from sparta_core.settings import Epochs, Positive, setting


class DecoderStage(Contrasted, name="decoder"):
    """The encoder stays as it is."""

    parts = ("encoder", "decoder")
    after = "blend"
    decoder_epochs: Epochs = setting(200, "epochs of stage 3")
    decoder_rate: Positive = setting(1e-4, "learning rate of stage 3")

    def objective(self, record: Record, model: Sparta) -> DayObjective:
        return DecoderReconstruction(record, model)


class DecoderReconstruction(Reconstruction):
    """Reconstruction with an encoder that does not learn."""

    trains: tuple[str, ...] = ("decoder",)

    def __init__(self, record: Record, model: Sparta) -> None:
        self.hard_negatives = model.experiment.hard_negatives
        super().__init__(record, model)
