"""Objectives at as much work, and winners worked by hand."""

import pandas as pd
import pytest
import torch

from sparta_core.errors import ExperimentError
from sparta_core.evaluation.comparison import Measure
from sparta_core.evaluation.objectives import CONTRAST, NONE, means, objective_variants, winners
from sparta_core.experiment import Experiment
from sparta_core.objectives.blend import BlendedLoss
from sparta_core.objectives.contrastive import Contrast
from sparta_core.training.records import open_record
from sparta_core.training.stages import fresh
from tests.stages import OBJECTIVES

MEASURE = Measure("reconstruction", "mse", "error", "native_mask0.7")


def table(values):
    """Rows of the scorecard: {model: a value a seed}."""
    return pd.DataFrame([
        {"task": "reconstruction", "metric": "mse", "setup": "native_mask0.7", "model": model, "seed": seed, "value": v}
        for model, own in values.items() for seed, v in enumerate(own)])  # fmt: skip


def test_every_objective_encodes_as_many_views_in_as_many_steps(tiny):
    """Counted on the batches themselves: the encoder's calls of all stages, less those that train no encoder."""
    base = tiny(pretrain_epochs=2, blend_epochs=1, decoder_epochs=3)
    views = {}
    for name, one in objective_variants({"globe": base}).items():
        record, total = open_record(one), 0
        stages = ("autoencoder",) if one.objective == "autoencoder" else ("pretrain", "blend", "decoder")
        for stage in stages:
            objective = OBJECTIVES[stage](record, fresh(one, stage))
            days = sum(batch.shape[1] for batch in objective.batches("train", torch.Generator().manual_seed(0)))
            each = 4 if isinstance(objective, BlendedLoss) else 3 if isinstance(objective, Contrast) else 1
            total += each * days * getattr(one, f"{stage}_epochs")
        views[name] = total
    assert list(views) == [f"globe, {name}" for name in (NONE, *CONTRAST)]
    assert min(views.values()) == pytest.approx(max(views.values()), rel=0.05)  # last batches are smaller


def test_the_winner_its_gain_and_its_interval():
    """None 2, 4; cycle 1, 3: a gain of 1 and 1 of 3, with no spread. Of globe none wins: -1 and -3 of 2."""
    others = dict.fromkeys(CONTRAST, (9.0, 9.0))
    values = {f"resnet18, {k}": v for k, v in ({NONE: (2.0, 4.0)} | others | {"+ cycle": (1.0, 3.0)}).items()}
    values |= {f"globe, {k}": v for k, v in ({NONE: (2.0, 2.0)} | others | {"all": (3.0, 5.0)}).items()}
    made = winners(table(values), [MEASURE])
    assert made.loc[("error", "resnet18")].tolist() == ["+ cycle", "+ cycle", "33.3 ± 0.0"]
    # -50 and -150 %: mean -100, standard error 50, Student's quantile of one degree of freedom 12.706
    assert made.loc[("error", "globe")].tolist() == [NONE, "all", "-100.0 ± 635.3"]


def test_means_and_their_intervals():
    """Of 1, 2, 3: standard error 1 / sqrt(3), Student's quantile of two degrees of freedom 4.3027."""
    made = means(table({"globe, all": (1.0, 2.0, 3.0), "globe, none": (0.5,)}), [MEASURE])
    assert made["error"].to_dict() == {"globe, all": "2 ± 2.48", "globe, none": "0.5"}


def test_one_seed_has_no_interval():
    values = {f"globe, {name}": (3.0,) for name in CONTRAST} | {f"globe, {NONE}": (2.0,)}
    assert winners(table(values), [MEASURE])["gain over none (%)"].tolist() == ["-50.0"]


def test_variants_differ_in_nothing_but_the_objective_and_its_work():
    variants = objective_variants({"a": Experiment()})
    made = {name: (one.hard_negatives, one.cycle_weight) for name, one in variants.items() if NONE not in name}
    assert list(made.values()) == list(CONTRAST.values())
    assert variants["a, all"] == Experiment(cycle_weight=1.0)


def test_some_objectives_and_none_that_there_is_not():
    assert list(objective_variants({"a": Experiment()}, ["all"])) == ["a, none", "a, all"]
    with pytest.raises(ExperimentError, match="objective is 'simclr'; choose one of: SimCLR, "):
        objective_variants({"a": Experiment()}, ["simclr"])
