"""Stage 3: the decoder alone, on the frozen embeddings of masked days."""

from collections.abc import Mapping

from torch import nn

from sparta_core.objectives.contrastive import Contrasted
from sparta_core.objectives.days import DayObjective, Reconstruction
from sparta_core.settings import Epochs, Positive, setting
from sparta_core.training.workbench import Workbench


class DecoderStage(Contrasted, name="decoder"):
    """The encoder stays as it is."""

    parts = ("encoder", "decoder")
    after = "blend"
    decoder_epochs: Epochs = setting(200, "epochs of stage 3")
    decoder_rate: Positive = setting(1e-4, "learning rate of stage 3")

    def objective(self, bench: Workbench, parts: Mapping[str, nn.Module]) -> DayObjective:
        return DecoderReconstruction(bench, parts)


class DecoderReconstruction(Reconstruction):
    """Reconstruction with an encoder that does not learn."""

    trains: tuple[str, ...] = ("decoder",)

    def __init__(self, bench: Workbench, parts: Mapping[str, nn.Module]) -> None:
        self.hard_negatives = bench.experiment.hard_negatives
        super().__init__(bench, parts)
