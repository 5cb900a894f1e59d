"""Every name that a setting may take stands for something; every other name is refused, and the known ones listed."""

from importlib.metadata import EntryPoint
from typing import get_args

import pytest

from sparta_core import catalogue, settings
from sparta_core.catalogue import all_sections, slots
from sparta_core.encoders import resnet18
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.fusions import Fusion
from sparta_core.fusions.gnn import GnnChoice
from sparta_core.presets import COMPARISONS, PAPERS, PRESETS
from sparta_core.tasks.diffusion import sampling
from sparta_core.training import device
from sparta_core.training.stages import stage_of, train_stage
from sparta_core.views import augment

KINDS = {
    "anomalies": "mean, climatology", "sparsity": "points, blocks, stations, swaths",
    "backbone": "resnet18, globe, none", "fusion": "early, attention, gnn, hybrid",
    "decoder_backbone": "same, globe, none, resnet18",
    "objective": "contrastive, autoencoder, barlow_twins, soft_time, supcon, vicreg",
         "diffusion_of": "day, forecast", "forecaster": "lstm, dynamics",
    "classifier": "mlp, date", "assimilator": "ensemble, constant, kalman, single_day",
}  # fmt: skip
# What the names of a setting stand for, where each is less than a file.
TABLES = {"device": [dict.fromkeys(device.DEVICES)], "precision": [device.PRECISIONS], "head": [resnet18.POOLED],
          "mask_grid": [augment.NATIVE], "sampler": [sampling.SAMPLERS]}  # fmt: skip


def test_folders_find_their_kinds_the_default_first():
    assert {slot: ", ".join(base.kinds()) for slot, base in slots().items()} == KINDS
    assert {slot: getattr(Experiment(), slot) for slot in KINDS} == {
        slot: kinds.split(", ")[0] for slot, kinds in KINDS.items()}


@pytest.mark.parametrize("slot", KINDS)
@pytest.mark.parametrize("name", ["unheard", 3, None, ["early"]])
def test_a_kind_that_is_none_is_refused(slot, name):
    with pytest.raises(ExperimentError) as error:
        Experiment(**{slot: name})
    said = tuple(name) if isinstance(name, list) else name
    assert str(error.value).startswith(f"{slot} is {said!r}; choose one of: {KINDS[slot]}")


@pytest.mark.parametrize("name", TABLES)
def test_the_names_of_a_setting_are_those_that_its_tables_hold(name):
    field = next(section.model_fields[name] for section in all_sections() if name in section.model_fields)
    for table in TABLES[name]:
        assert tuple(table) == get_args(field.annotation)


@pytest.mark.parametrize("name", ["demmo", 3, ["demo"], None])
def test_tables_of_presets_refuse_what_is_none(name):
    for table in (PAPERS, COMPARISONS):
        with pytest.raises(ExperimentError, match=r"preset is .*; choose one of: paper, "):
            table[name]
    assert PAPERS.keys() == PRESETS.keys()
    assert {COMPARISONS[papers] for papers in PAPERS.values()} == set(COMPARISONS.values())


def test_a_stage_that_is_none_is_not_built():
    with pytest.raises(ExperimentError, match=r"stage is 'decode'; choose one of: pretrain, blend, decoder, "
                                              r"autoencoder, .* \(did you mean decoder\?\)"):
        train_stage(Experiment(), "decode")
    with pytest.raises(ExperimentError, match="forecast is a task, not a stage of a representation"):
        stage_of(Experiment(), "forecast")


@pytest.fixture
def defined(monkeypatch):
    """What a test defines is forgotten after it."""
    monkeypatch.setattr(settings, "_DEFINED", list(settings._DEFINED))


def test_two_kinds_of_one_name_are_refused(defined):
    class Mine(Fusion, name="gnn"):
        pass

    said = r"^two kinds of fusion are called 'gnn', in sparta_core\.fusions\.gnn and in .*test_choices; rename one$"
    with pytest.raises(ExperimentError, match=said):
        Fusion.kinds()


def test_a_kind_may_build_on_another(defined):
    class Mine(GnnChoice, name="mine"):
        pass

    assert set(Fusion.kinds()) == {*KINDS["fusion"].split(", "), "mine"} and settings.base_of(Mine) is Fusion


def test_a_setting_of_two_sections_is_refused(monkeypatch):
    class Mine(settings.Section):
        look_back: int = settings.setting(3, "mine")

    monkeypatch.setattr(settings, "_DEFINED", [one for one in settings._DEFINED if one is not Mine])
    every = [*all_sections(), Mine]
    monkeypatch.setattr(catalogue, "all_sections", lambda: every)
    with pytest.raises(ExperimentError, match=r"^the setting look_back is sparta_core\.tasks\.forecast\.task's and "
                                              r".*test_choices's; only kinds of choices may share one"):
        catalogue.owners.__wrapped__()


def test_a_package_that_cannot_be_loaded_is_one_sentence(monkeypatch):
    point = EntryPoint("mine", "no_such_module", "sparta_core.fusions")
    monkeypatch.setattr(settings, "entry_points", lambda group: [point])
    said = (r"^the entry point mine = no_such_module of sparta_core\.fusions cannot be loaded "
            r"\(No module named 'no_such_module'\); mend or remove its package$")  # fmt: skip
    with pytest.raises(ExperimentError, match=said):
        settings.load.__wrapped__("sparta_core.fusions")
