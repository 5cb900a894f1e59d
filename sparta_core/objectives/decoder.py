"""The decoder alone, on the frozen embeddings of masked days: the paper's stage 3, and other objectives' last."""

from typing import ClassVar

from sparta_core.data.record import Record
from sparta_core.decoders import Decoder
from sparta_core.experiment import Experiment
from sparta_core.fusions import Fusion
from sparta_core.models.sparta import Sparta
from sparta_core.objectives import Recipe
from sparta_core.objectives.contrastive import Contrastive
from sparta_core.objectives.days import DayObjective, Reconstruction
from sparta_core.settings import Epochs, Positive, Uses, setting
from sparta_core.training.stages import REPRESENTATION, Stage, stage_of


class DecoderStage(Stage, name="decoder"):
    """The encoder stays as it is."""

    uses: ClassVar[Uses] = (*REPRESENTATION, Fusion, Decoder)
    parts = ("encoder", "decoder")
    decoder_epochs: Epochs = setting(200, "epochs of stage 3")
    decoder_rate: Positive = setting(1e-4, "learning rate of stage 3")

    def before(self, experiment: Experiment) -> str:
        """Of the objective's stages the last but one, or stage 2 of an objective that has no such stage."""
        stages = experiment.of(Recipe).stages
        return (stages if self.name in stages else Contrastive.stages)[-2]

    def folder(self, experiment: Experiment) -> str:
        return stage_of(experiment, self.before(experiment)).folder(experiment)

    def variant(self, experiment: Experiment) -> str:
        return stage_of(experiment, self.before(experiment)).variant(experiment)

    def family_of(self, experiment: Experiment) -> str:
        return stage_of(experiment, self.before(experiment)).family_of(experiment)

    def objective(self, record: Record, model: Sparta) -> DayObjective:
        return DecoderReconstruction(record, model)


class DecoderReconstruction(Reconstruction):
    """Reconstruction with an encoder that does not learn."""

    trains: tuple[str, ...] = ("decoder",)

    def __init__(self, record: Record, model: Sparta) -> None:
        experiment = model.experiment
        before = experiment.of(DecoderStage).before(experiment)
        self.hard_negatives = stage_of(experiment, before).negatives(experiment)
        super().__init__(record, model)
