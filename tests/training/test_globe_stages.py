"""The globe's backbone and the linear path through all stages, on anomalies from the climatology."""

import pytest
import torch

from sparta_core.baselines.climatology import Climatology
from sparta_core.baselines.interpolation import EofInterpolation
from sparta_core.training.modes import modes_of
from sparta_core.training.records import open_record, views_of
from sparta_core.training.stages import fresh
from tests.linear import LINEAR
from tests.stages import OBJECTIVES, STAGES

SETTINGS = LINEAR | dict.fromkeys((f"{stage}_epochs" for stage in STAGES), 1)
SETTINGS |= {"backbone": "globe", "width": 8, "anomalies": "climatology"}


def errors(experiment, model, ratio=0.5):
    """Mean squared errors on the test days at 50 % masked: of the model, optimal interpolation, and climatology."""
    record, views = open_record(experiment), model.views
    truth = record.split("downstream_test")
    with torch.no_grad():
        made = model(views.sparse(truth, torch.Generator().manual_seed(0), ratio))
    observed = views.observe(truth, torch.Generator().manual_seed(0), ratio)
    linear = EofInterpolation(Climatology.fit(record), record, experiment.embedding)(observed, views)
    return [float((x - truth.values).square().mean()) for x in (made, linear, torch.zeros_like(made))]


def moved(before, after):
    """The names of the parameters that training has changed."""
    return {name for (name, a), b in zip(before.named_parameters(), after.parameters(), strict=True)
            if not torch.equal(a, b)}  # fmt: skip


@pytest.fixture(scope="module")
def coarse(write_weather):
    """A grid of which five encoders take seconds."""
    return {"data": str(write_weather(rows=8, columns=16)), "view_size": (8, 16), "crop_from": (8, 16)}


@pytest.mark.parametrize("fusion", ["early", "gnn"])
def test_all_stages_train_the_whole_model(tiny, coarse, fusion):
    experiment = tiny(**SETTINGS | coarse, fusion=fusion)
    before = fresh(experiment, "pretrain")
    first, second, third = (STAGES[name](experiment) for name in ("pretrain", "blend", "decoder"))
    every = {name for name, _ in before.encoder.named_parameters()}
    assert moved(before.encoder, first.encoder) == moved(first.encoder, second.encoder) == every
    assert not moved(second.encoder, third.encoder)
    assert moved(second.decoder, third.decoder) == {name for name, _ in third.decoder.named_parameters()}
    made, linear, usual = errors(experiment, third)
    assert made < 1.02 * linear < 0.2 * usual


def test_the_autoencoder_is_as_good_as_optimal_interpolation(tiny):
    """The made-up weather is linear in ten waves, beneath white noise: which leaves a network nothing to find.

    It starts there, but for what damping the covariance with distance costs where weather goes round the whole globe.
    """
    experiment = tiny(**SETTINGS)
    model = STAGES["autoencoder"](experiment)
    made, linear, usual = errors(experiment, model)
    assert made < 1.005 * linear < 0.2 * usual
    assert moved(fresh(experiment, "autoencoder"), model) == {name for name, _ in model.named_parameters()}


def test_a_finished_model_comes_back_with_its_modes(tiny):
    experiment = tiny(**SETTINGS)
    model = STAGES["autoencoder"](experiment)
    view = model.views.shown(open_record(experiment).take(slice(0, 3)))
    with torch.no_grad():
        assert torch.equal(STAGES["autoencoder"](experiment)(view), model(view))


def test_contrast_is_of_scores_in_units_of_their_modes(globe):
    """Written out from the encoder's embeddings of the same views: the cycle loss of z over the modes' std."""
    experiment = globe(objective="contrastive")
    record, views = open_record(experiment), views_of(experiment)
    objective = OBJECTIVES["pretrain"](record, fresh(experiment, "pretrain"))
    batch = objective.load(objective.batches("train", torch.Generator().manual_seed(0))[0])
    made = objective.losses(batch, 0, torch.Generator().manual_seed(1))["cycle"]
    g, encoder = torch.Generator().manual_seed(1), objective.modules["encoder"]
    shown = [views.augmented(batch.roles[0], g), *(views.augmented_sparse(x, g) for x in batch.roles[1:])]
    now, after, before = (encoder(view).double() / modes_of(experiment, record).variance.double().sqrt()
                          for view in shown)  # fmt: skip
    torch.testing.assert_close(made.double(), (after - 2 * now + before).square().mean(), rtol=1e-4, atol=0)
    assert 0.1 < made < 10  # not the square of the first modes' scores


def test_what_is_observed_of_what_the_modes_leave_out_is_rebuilt(coarse, tiny):
    """Observed values come back but for a hundredth; the others hardly move, where what is left is noise."""
    experiment = tiny(**SETTINGS | coarse | {"backbone": "none", "autoencoder_epochs": 0})
    model, truth = STAGES["autoencoder"](experiment), open_record(experiment).split("downstream_test")
    observed = model.views.observe(truth, torch.Generator().manual_seed(0), 0.5)
    view, seen = model.views.shown(observed), observed.observed > 0
    before, after = (made - truth.values for made in (model(view), model.reconstructed(view)))
    assert float(after[seen].square().mean()) < 1e-3 * float(before[seen].square().mean())
    assert float(after[~seen].square().mean()) < 1.05 * float(before[~seen].square().mean())
