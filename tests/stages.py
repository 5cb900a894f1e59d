"""The paper's stages: what trains each, and the loss that each trains on."""

from functools import partial

from sparta_core.objectives.blend import BlendedLoss
from sparta_core.objectives.contrastive import Contrast
from sparta_core.objectives.days import Reconstruction
from sparta_core.objectives.decoder import DecoderReconstruction
from sparta_core.training.stages import train_stage

OBJECTIVES = {"autoencoder": Reconstruction, "pretrain": Contrast, "blend": BlendedLoss,
              "decoder": DecoderReconstruction}  # fmt: skip
STAGES = {name: partial(train_stage, name=name) for name in OBJECTIVES}
