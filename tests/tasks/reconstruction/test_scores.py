"""Reconstruction scores: the model's own error, on both mask grids, kept and joined by name."""

import pytest
import torch

from sparta_core.baselines.interpolation import BASELINES
from sparta_core.tasks.reconstruction import scores as reconstruction
from sparta_core.tasks.reconstruction.scores import evenly_spaced, mask_grids, reconstruction_scores
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation
from sparta_core.views.augment import Views

SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)
SETTINGS |= {"view_size": (20, 40), "crop_from": (22, 44)}


@pytest.fixture
def experiment(tiny):
    return tiny(**SETTINGS)


def test_every_model_grid_and_ratio_and_the_models_own_error(experiment, monkeypatch):
    models = {"SPARTA": experiment, "autoencoder": experiment.replace(objective="autoencoder")}
    made = reconstruction_scores(models, [0.5, 0.9], days=6)
    assert list(made.model.values) == ["SPARTA", "autoencoder", *BASELINES] and not made.mse.isnull().any()
    record = open_record(experiment)
    truth = record.take(evenly_spaced(record, 6))
    for name, one in models.items():
        model = representation(one)
        for mask_grid in ("native", "enlarged"):
            views = Views(experiment.replace(mask_grid=mask_grid), record.domain)
            error = model(views.sparse(truth, torch.Generator().manual_seed(0), 0.9)) - truth.values
            assert float(made.mse.sel(model=name, mask_grid=mask_grid, ratio=0.9)) == pytest.approx(
                float(error.square().mean()), rel=1e-5)

    def never(*_):
        raise AssertionError("scored twice")

    monkeypatch.setattr(reconstruction, "_table", never)
    assert reconstruction_scores(models, [0.5, 0.9], days=6).equals(made)
    with pytest.raises(AssertionError, match="scored twice"):
        reconstruction_scores(models, [0.5], days=6)


def test_one_grid_where_the_view_is_the_native_grid(tiny, experiment):
    for one, expected in ((tiny(), ("native",)), (experiment, ("native", "enlarged"))):
        assert mask_grids(one, open_record(one)) == expected


def test_days_are_spread_over_the_test_split(experiment):
    record = open_record(experiment)
    test = record.splits["downstream_test"]
    first, middle, last = evenly_spaced(record, 3).tolist()
    assert (first, last) == (test.start, test.stop - 1) and abs(2 * middle - first - last) <= 1
    assert evenly_spaced(record, 10_000).tolist() == list(test)
