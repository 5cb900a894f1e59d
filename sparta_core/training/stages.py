"""The stages of SPARTA: what each trains on which loss (paper, section 5; SPEC of the losses in losses.py).

`stage(experiment) -> Sparta`: a finished stage is loaded, a half-trained one resumed, a missing
one trained, its prerequisites first.
"""

from collections.abc import Callable

from sparta_core.experiment import PREREQUISITES, Experiment
from sparta_core.models.sparta import Sparta
from sparta_core.training.device import arrange
from sparta_core.training.fit import Job, Schedule
from sparta_core.training.objectives import (
    BaselineReconstruction,
    Blend,
    Contrast,
    DayObjective,
    DecoderReconstruction,
)
from sparta_core.training.workbench import Workbench

OBJECTIVES: dict[str, type[DayObjective]] = {
    "autoencoder": BaselineReconstruction, "pretrain": Contrast, "blend": Blend, "decoder": DecoderReconstruction,
}  # fmt: skip


def autoencoder(experiment: Experiment) -> Sparta:
    """The baseline: encoder and decoder on masked input, hard-negative batches, reconstruction loss."""
    return _stage(experiment, "autoencoder")


def pretrain(experiment: Experiment) -> Sparta:
    """Stage 1: encoder and projector on the contrastive and cycle losses."""
    return _stage(experiment, "pretrain")


def blend(experiment: Experiment) -> Sparta:
    """Stage 2: everything, from contrast to reconstruction as alpha decays."""
    return _stage(experiment, "blend")


def decoder(experiment: Experiment) -> Sparta:
    """Stage 3: the decoder alone, on the frozen embeddings of masked days."""
    return _stage(experiment, "decoder")


STAGES: dict[str, Callable[[Experiment], Sparta]] = {
    "autoencoder": autoencoder, "pretrain": pretrain, "blend": blend, "decoder": decoder,
}  # fmt: skip


def representation(experiment: Experiment) -> Sparta:
    """The encoder and decoder that the downstream tasks of `experiment` use, frozen."""
    return STAGES[experiment.representation](experiment)


def _stage(experiment: Experiment, name: str) -> Sparta:
    bench = Workbench.of(experiment)
    run = bench.run(name)
    before = PREREQUISITES[name][-1]
    bench.finish(run, lambda: job(bench, name, STAGES[before](experiment) if before in STAGES else None))
    return bench.load(run)


def job(bench: Workbench, name: str, earlier: Sparta | None = None) -> Job:
    """The training of a stage, from the modules of the `earlier` one as far as it has them, else from fresh ones."""
    experiment, run = bench.experiment, bench.run(name)
    model, fabric = bench.build(name), bench.fabric(run)
    for part, module in (earlier.parts if earlier else {}).items():
        if part in model.parts:
            model.parts[part].load_state_dict(module.state_dict())
    arrange(model, fabric.device.type, fabric._precision.precision)
    parts = {part: fabric.setup_module(module) for part, module in model.parts.items()}
    schedule = Schedule(getattr(experiment, f"{name}_epochs"), getattr(experiment, f"{name}_rate"))
    return Job(OBJECTIVES[name](bench, parts), schedule, experiment, run, fabric, experiment.seed)
