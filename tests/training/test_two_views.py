"""Objectives on two views of a day train encoder and projector, then the decoder, and are told apart."""

import numpy as np
import pytest
import torch

from sparta_core.evaluation.scorecard import method
from sparta_core.losses import barlow_twins, supervised_contrast, vicreg, weighted_contrast
from sparta_core.training.records import open_record
from sparta_core.training.stages import fresh, representation, stage_of, train_stage
from tests.linear import LINEAR

NAMES = ("barlow_twins", "vicreg", "supcon", "soft_time")


def expected(name, experiment, p, q, dates):
    """Their losses of projections of days on dates."""
    if name == "barlow_twins":
        return barlow_twins(p, q, experiment.barlow_twins_weight)
    if name == "vicreg":
        return vicreg(p, q, 25.0, 25.0, 1.0)
    if name == "supcon":
        seasons = torch.tensor([date.astype(object).month % 12 // 3 for date in dates.astype("M8[D]")])
        return supervised_contrast(torch.cat([p, q]), seasons.repeat(2), experiment.supcon_temperature)
    days = torch.from_numpy((dates - dates[0]) / np.timedelta64(1, "D"))
    weights = 2 * torch.sigmoid(-experiment.soft_time_decay * (days[:, None] - days).abs())
    return weighted_contrast(torch.cat([p, q]), weights.repeat(2, 2).float(), experiment.soft_time_temperature)


@pytest.fixture
def small(tiny):
    def make(name, **changes):
        return tiny(objective=name, **{f"{name}_epochs": 1, "decoder_epochs": 1} | changes)

    return make


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_loss_is_that_of_two_views_of_each_day(small, name, sparse):
    experiment = small(name, sparse_views=sparse)
    record, model = open_record(experiment), fresh(experiment, name)
    objective = stage_of(experiment, name).objective(record, model)
    (batch, *_), generator = objective.batches("train", torch.Generator().manual_seed(0)), torch.Generator()
    assert batch.shape[0] == 1  # no neighbours in time
    made = objective.losses(objective.load(batch), 0, generator.manual_seed(1))["loss"]
    generator.manual_seed(1)
    sample, projections = record.take(batch[0]), []
    for view in (model.views.augmented, model.views.augmented_sparse if sparse else model.views.augmented):
        projections.append(model.projector(model.encoder(view(sample, generator))))
    torch.testing.assert_close(made, expected(name, experiment, *projections, sample.dates))


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_learns_first_and_the_decoder_then(small, name):
    experiment = small(name)
    model, before = representation(experiment), fresh(experiment, name)
    first = train_stage(experiment, name)
    weights, same, learned = (next(each.encoder.parameters()) for each in (before, model, first))
    assert torch.equal(same, learned) and not torch.equal(weights, learned)
    assert set(model.parts) == {"encoder", "decoder"} and set(first.parts) == {"encoder", "projector"}
    assert method(experiment) == f"{name}_early" and experiment.name("decoder").endswith(f"early-{name}-seed0")


def test_they_go_with_the_linear_path_and_other_fusions(tiny):
    experiment = tiny(objective="barlow_twins", barlow_twins_epochs=1, decoder_epochs=1, fusion="attention",
                      attention_heads=4, **LINEAR)  # fmt: skip
    assert representation(experiment).modes is not None


def test_what_no_stage_uses_does_not_change_their_folders(small):
    """Contrast's settings are not theirs; nor are another's."""
    plain = small("vicreg")
    for changes in ({"hard_negatives": False}, {"temperature": 0.5}, {"barlow_twins_weight": 0.1}):
        assert plain.replace(**changes).digest("decoder") == plain.digest("decoder")
    for changes in ({"sparse_views": False}, {"vicreg_variance": 10.0}):
        assert plain.replace(**changes).digest("decoder") != plain.digest("decoder")
