"""Every name in CHOICES has its branch wherever the setting is acted on; a name without one is refused, by name."""

import numpy as np
import pytest
import torch

from sparta_core import experiment as settings
from sparta_core.data.fields import load_fields
from sparta_core.downstream import classification, diffusion, forecast, plan
from sparta_core.errors import ExperimentError
from sparta_core.evaluation.comparison import models
from sparta_core.evaluation.interpolation import ObservationGrid
from sparta_core.experiment import CHOICES, Experiment
from sparta_core.models.sparta import Sparta, build_decoder, build_encoder
from sparta_core.presets import COMPARISONS, PAPERS, PRESETS
from sparta_core.ranges import placed
from sparta_core.training import stages
from sparta_core.training.device import make_fabric
from sparta_core.training.workbench import Workbench
from sparta_core.views.augment import Views
from sparta_core.views.sparsity import Sparsity

AXES = np.linspace(-84, 84, 16), np.arange(32) * 11.25


def encoder(experiment):
    build_encoder(experiment, 5)


def decoder(experiment):
    build_decoder(experiment, 5, (16, 32), None, False)


def fresh(experiment, stage="decoder"):
    """A bench whose views and days are those of the plain experiment."""
    return Workbench.of(experiment), Sparta.build(experiment, stage, 5, (16, 32)).eval()


def one_epoch(experiment):
    """The loss of a step of stage 2, on an encoder that is built without the fusion that is asked for."""
    bench, model = fresh(experiment.replace(fusion="early"), "blend")
    objective = stages.OBJECTIVES["blend"](bench, model.parts)
    objective.experiment = experiment
    generator = torch.Generator().manual_seed(0)
    objective.losses(objective.load(objective.batches("train", generator)[0]), 0, generator)


# Of each setting, all that acts on its name.
PIECES = {
    "objective": [lambda e: e.representation, lambda e: e.digest("forecast"), stages.representation],
    "fusion": [encoder, lambda e: Sparta.build(e, "pretrain", 5, (16, 32)), one_epoch],
    "backbone": [encoder],
    "decoder_backbone": [decoder, lambda e: Sparta.build(e, "autoencoder", 5, (16, 32))],
    "departures": [load_fields],
    "forecaster": [lambda e: e.learns_from("forecast"), lambda e: forecast.forecast(e, 0),
                   lambda e: forecast.job(*fresh(e), 0), lambda e: list(plan.costs(e, ["forecast"])),
                   lambda e: plan.train(e, "forecast")],
    "classifier": [lambda e: e.learns_from("classification"), lambda e: plan.train(e, "classification"),
                   lambda e: plan._jobs(Workbench.of(e), "classification"),
                   lambda e: classification.season_probabilities(e, 0.5)],
    "diffusion_of": [lambda e: e.learns_from("diffusion"), lambda e: e.ancestry("diffusion"), diffusion._build,
                     lambda e: diffusion.job(*fresh(e))],
    "sparsity": [lambda e: Sparsity(e, *AXES), lambda e: placed(vars(e)), models],
    "head": [encoder],
    "mask_grid": [lambda e: Views(e, *AXES),
                  lambda e: ObservationGrid.of(e.mask_grid, load_fields(e), Views(Experiment(), *AXES))],
    "device": [make_fabric, Workbench.of],
    "precision": [make_fabric],
    "storage": [load_fields],
    "sampler": [diffusion.scheduler,
                lambda e: diffusion.sample(torch.nn.Identity(), e, torch.zeros(2, 4), torch.Generator())],
}  # fmt: skip
EVERY = [pytest.param(name, piece, id=f"{name}-{k}") for name, pieces in PIECES.items() for k, piece in
         enumerate(pieces)]  # fmt: skip


@pytest.mark.parametrize(("name", "piece"), EVERY)
def test_a_name_without_a_branch_is_refused_and_all_others_have_one(tiny, monkeypatch, name, piece):
    """As if a name had been added to CHOICES and nothing else: what is listed are the names that have a branch."""
    experiment, known = tiny(), CHOICES[name]
    monkeypatch.setattr(settings, "check_ranges", lambda given: None)
    monkeypatch.setitem(settings.CHOICES, name, (*known, "unheard"))
    with pytest.raises(ExperimentError) as error:
        piece(experiment.replace(**{name: "unheard"}))
    assert str(error.value) == f"{name} is 'unheard'; choose one of: {', '.join(known)}"


def test_no_choice_is_left_out():
    assert PIECES.keys() == CHOICES.keys()


def test_ranges_tell_a_new_sparsity_from_points(monkeypatch):
    monkeypatch.setitem(settings.CHOICES, "sparsity", (*CHOICES["sparsity"], "unheard"))
    with pytest.raises(ExperimentError, match="sparsity is 'unheard'; choose one of: points, stations, swaths, blocks"):
        Experiment(sparsity="unheard")


@pytest.mark.parametrize("name", ["demmo", 3, ["demo"], None])
def test_tables_of_presets_refuse_what_is_none(name):
    for table in (PAPERS, COMPARISONS):
        with pytest.raises(ExperimentError, match=r"preset is .*; choose one of: paper, "):
            table[name]
    assert PAPERS.keys() == PRESETS.keys()
    assert {COMPARISONS[papers] for papers in PAPERS.values()} == set(COMPARISONS.values())


def test_a_stage_that_is_none_is_not_built():
    with pytest.raises(ExperimentError, match="stage is 'decode'; choose one of: autoencoder, pretrain, blend, decoder "
                                              r"\(did you mean decoder\?\)"):
        Sparta.build(Experiment(), "decode", 5, (16, 32))
