"""The stages of SPARTA: what each trains on which loss (paper, section 5; SPEC of the losses in losses.py).

`stage(experiment) -> Sparta`: a finished stage is loaded, a half-trained one resumed, a missing
one trained, its prerequisites first.
"""

from collections.abc import Callable

from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.training.device import arrange
from sparta_core.training.fit import Schedule, fit
from sparta_core.training.objectives import (
    BaselineReconstruction,
    Blend,
    Contrast,
    DayObjective,
    DecoderReconstruction,
)
from sparta_core.training.workbench import Workbench


def autoencoder(experiment: Experiment) -> Sparta:
    """The baseline: encoder and decoder on masked input, hard-negative batches, reconstruction loss."""
    schedule = Schedule(experiment.autoencoder_epochs, experiment.autoencoder_rate)
    return _stage(experiment, "autoencoder", schedule, BaselineReconstruction)


def pretrain(experiment: Experiment) -> Sparta:
    """Stage 1: encoder and projector on the contrastive and cycle losses."""
    schedule = Schedule(experiment.pretrain_epochs, experiment.pretrain_rate)
    return _stage(experiment, "pretrain", schedule, Contrast)


def blend(experiment: Experiment) -> Sparta:
    """Stage 2: everything, from contrast to reconstruction as alpha decays."""
    schedule = Schedule(experiment.blend_epochs, experiment.blend_rate)
    return _stage(experiment, "blend", schedule, Blend, pretrain)


def decoder(experiment: Experiment) -> Sparta:
    """Stage 3: the decoder alone, on the frozen embeddings of masked days."""
    schedule = Schedule(experiment.decoder_epochs, experiment.decoder_rate)
    return _stage(experiment, "decoder", schedule, DecoderReconstruction, blend)


STAGES: dict[str, Callable[[Experiment], Sparta]] = {
    "autoencoder": autoencoder, "pretrain": pretrain, "blend": blend, "decoder": decoder,
}  # fmt: skip


def representation(experiment: Experiment) -> Sparta:
    """The encoder and decoder that the downstream tasks of `experiment` use, frozen."""
    return STAGES[experiment.representation](experiment)


def _stage(experiment: Experiment, name: str, schedule: Schedule, objective: type[DayObjective],
           before: Callable[[Experiment], Sparta] | None = None) -> Sparta:  # fmt: skip
    bench = Workbench.of(experiment)
    run = bench.run(name)
    if not run.finished:
        model = bench.build(name)
        if before:
            _continue(model, before(experiment))
        fabric = bench.fabric(run)
        arrange(model, fabric.device.type, fabric._precision.precision)
        parts = {part: fabric.setup_module(module) for part, module in model.parts.items()}
        fit(objective(bench, parts), schedule, experiment, run, fabric, experiment.seed)
    return bench.load(run)


def _continue(model: Sparta, earlier: Sparta) -> None:
    """Start every part that the earlier stage has from its weights."""
    for name, part in earlier.parts.items():
        if name in model.parts:
            model.parts[name].load_state_dict(part.state_dict())
