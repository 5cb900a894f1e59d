"""The globe's backbone and the linear path through all stages, on departures from the climatology."""

import pytest
import torch

from sparta_core.baselines.climatology import Climatology
from sparta_core.baselines.interpolation import EofInterpolation, ObservationGrid, Observed
from sparta_core.training.modes import modes_of
from sparta_core.training.workbench import Workbench
from tests.linear import LINEAR
from tests.stages import OBJECTIVES, STAGES

SETTINGS = LINEAR | dict.fromkeys((f"{stage}_epochs" for stage in STAGES), 1)
SETTINGS |= {"backbone": "globe", "width": 8, "departures": "climatology"}


def errors(experiment, model, ratio=0.5):
    """Mean squared errors on the test days at 50 % hidden: of the model, optimal interpolation, and climatology."""
    bench = Workbench.of(experiment)
    fields, test = bench.fields, bench.fields.splits["downstream_test"]
    days = torch.arange(test.start, test.stop)
    truth, generator = fields.take(days), torch.Generator().manual_seed(0)
    with torch.no_grad():
        made = model(bench.views.sparse(truth, generator, ratio))
    observed = Observed.draw(ObservationGrid.of("native", fields, bench.views), fields, days, ratio, seed=0)
    linear = EofInterpolation(Climatology.fit(fields), fields, experiment.embedding)(observed)
    return [float((x - truth).square().mean()) for x in (made, linear, torch.zeros_like(truth))]


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
    fresh = Workbench.of(experiment).build("pretrain")
    first, second, third = (STAGES[name](experiment) for name in ("pretrain", "blend", "decoder"))
    every = {name for name, _ in fresh.encoder.named_parameters()}
    assert moved(fresh.encoder, first.encoder) == moved(first.encoder, second.encoder) == every
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
    assert moved(Workbench.of(experiment).build("autoencoder"), model) == {name for name, _ in model.named_parameters()}


def test_a_finished_model_comes_back_with_its_modes(tiny):
    experiment = tiny(**SETTINGS)
    model = STAGES["autoencoder"](experiment)
    view = Workbench.of(experiment).views.full(Workbench.of(experiment).fields.take(slice(0, 3)))
    with torch.no_grad():
        assert torch.equal(STAGES["autoencoder"](experiment)(view), model(view))


def test_contrast_is_of_scores_in_units_of_their_modes(globe):
    """Written out from the encoder's embeddings of the same views: the cycle loss of z over the modes' std."""
    bench = Workbench.of(globe(objective="contrastive"))
    objective = OBJECTIVES["pretrain"](bench, bench.build("pretrain").parts)
    batch = objective.load(objective.batches("train", torch.Generator().manual_seed(0))[0])
    made = objective.losses(batch, 0, torch.Generator().manual_seed(1))["cycle"]
    g, encoder = torch.Generator().manual_seed(1), objective.modules["encoder"]
    views = [bench.views.augmented(batch.roles[0], g), *(bench.views.augmented_sparse(x, g) for x in batch.roles[1:])]
    now, after, before = (encoder(view).double() / modes_of(bench.experiment, bench.fields).variance.double().sqrt()
                          for view in views)  # fmt: skip
    torch.testing.assert_close(made.double(), (after - 2 * now + before).square().mean(), rtol=1e-4, atol=0)
    assert 0.1 < made < 10  # not the square of the first modes' scores
