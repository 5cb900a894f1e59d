"""The same code on another grid, 48x96: nothing is hard-wired to 32x64."""

import pytest
import torch

from sparta_core.tasks.forecast.scores import forecast_scores
from sparta_core.training.records import open_record
from tests.stages import STAGES


@pytest.fixture(scope="module")
def fine(write_weather):
    return write_weather(days=520, rows=48, columns=96)


@pytest.fixture
def on_fine(tiny, fine):
    """One pass of large batches over 500 days of 48x96."""
    epochs = {f"{stage}_epochs": 1 for stage in [*STAGES, "forecast"]}
    return lambda **changes: tiny(
        data=str(fine), view_size=(48, 96), crop_from=(54, 108), smoothing=5, batch_size=300, leads=5, look_back=5,
        forecast_seeds=(0,), **epochs, **changes)


def test_from_days_to_scores(on_fine):
    scores = forecast_scores({"SPARTA": on_fine(fusion="early")}).sel(model=["climatology", "SPARTA"])
    assert int(sum(scores[name].isnull().sum() for name in scores)) == 0
    climatology = scores.rmse.sel(model="climatology", variable="2m_temperature").mean()
    assert float(climatology) < 10  # the made-up seasons' amplitude: it learnt them on this grid too


def test_views_smaller_than_the_grid_and_paper_norms(on_fine):
    """A fine grid shown coarsely, with the paper's one-channel norms, decodes to the fine grid."""
    experiment = on_fine().replace(view_size=(40, 72), crop_from=(48, 80), norm_groups=None, head="pool")
    model = STAGES["autoencoder"](experiment)
    made = model(model.views.shown(open_record(experiment).take(slice(2))))
    assert made.shape == (2, 5, 48, 96) and torch.isfinite(made).all()
