"""What the explorer shows is what the models do."""

import dataclasses

import numpy as np
import pytest
import torch

from sparta_core.data.clock import Clock
from sparta_core.errors import DataError, ExperimentError
from sparta_core.explorer.session import GAP, Session
from sparta_core.metrics import fields as metrics
from sparta_core.training.stages import representation

SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)


@pytest.fixture
def experiments(tiny):
    experiment = tiny(**SETTINGS)
    return {"SPARTA": experiment, "autoencoder": experiment.replace(objective="autoencoder")}


@pytest.mark.parametrize("mask_grid", ["native", "enlarged"])
def test_a_frame_is_the_models_reconstruction_of_what_is_shown(tiny, mask_grid):
    experiment = tiny(**SETTINGS, mask_grid=mask_grid, view_size=(20, 40), crop_from=(22, 44))
    session = Session({"SPARTA": experiment})
    frame = session.frame("SPARTA", 7, 0.6, 2)
    record, model = session.record, representation(experiment)
    day = record.values[session.days[7]][None]
    view = model.views.sparse(record.take(torch.tensor([session.days[7]])), torch.Generator().manual_seed(7), 0.6)
    made = record.physical(model(view))[0, 2].numpy()
    truth = record.physical(day)[0, 2].numpy()
    assert frame.truth == pytest.approx(truth, rel=1e-5) and frame.reconstruction == pytest.approx(made, rel=1e-4)
    assert frame.error == pytest.approx(made - truth, abs=1e-3)
    assert np.isnan(frame.observed).mean() == pytest.approx(0.6, abs=0.06)
    if mask_grid == "enlarged":  # what is shown as seen is the very view
        seen = np.where(view[0, 2] == 0, np.nan, view[0, 2] * record.std[2] + record.mean[2])
        assert np.allclose(frame.observed, seen, atol=1e-3, equal_nan=True)
    else:
        assert np.allclose(frame.observed[~np.isnan(frame.observed)], truth[~np.isnan(frame.observed)], atol=1e-3)
    whole = metrics.rmse(record.physical(model(view))[None], record.physical(day)[None], record.cell_area)
    assert frame.rmse == pytest.approx(whole[0, 2].item(), rel=1e-4)
    assert torch.allclose(frame.embedding, model.encoder(view)[0], atol=1e-5)


def test_a_day_with_nothing_hidden_lies_on_its_point(experiments):
    session = Session(experiments)
    plane = session.plane("SPARTA", "PCA")
    frame = session.frame("SPARTA", 5, 0.0, 0)
    assert session.on_plane("SPARTA", "PCA", frame.embedding) == pytest.approx(plane[5], abs=1e-3)
    assert session.on_plane("SPARTA", "t-SNE", frame.embedding) is None
    assert session.plane("SPARTA", "t-SNE").shape == plane.shape == (len(session.days), 2)


def test_analogues_are_the_nearest_of_the_past(experiments):
    session = Session(experiments)
    z, day = session.embeddings("autoencoder").double(), len(session.days) - 1
    distances = [float((z[k] - z[day]).norm()) for k in range(day - GAP + 1)]
    expected = sorted(range(len(distances)), key=distances.__getitem__)[:5]
    found = session.analogues("autoencoder", day)
    assert [k for k, _ in found] == expected
    assert [d for _, d in found] == pytest.approx([distances[k] for k in expected], rel=1e-4)
    assert session.analogues("autoencoder", 0) == []


@pytest.mark.parametrize(("step", "gap", "date"), [
    (np.timedelta64(1, "D"), 60, "2001-01-04"), (np.timedelta64(12, "h"), 120, "2001-01-02T12"),
    (np.timedelta64(7, "D"), 9, "2001-01-22"), (np.timedelta64(3, "M"), 1, "2001-10"),
])  # fmt: skip
def test_times_and_the_analogues_gap_follow_the_clock(experiments, monkeypatch, step, gap, date):
    """A gap of 60 days is as many steps as come near to it, one at least."""
    session = Session(experiments)
    start = np.datetime64("2001-01", "M") if np.datetime_data(step)[0] == "M" else np.datetime64("2001-01-01T00", "h")
    times = start + np.arange(500) * step
    domain = dataclasses.replace(session.record.domain, clock=Clock.of(times))
    session.record = dataclasses.replace(session.record, domain=domain, time=times)
    session.days = range(500)
    line = torch.arange(500.0)[:, None]
    monkeypatch.setattr(session, "embeddings", lambda _: line)
    assert session.analogues("SPARTA", 200)[0] == (200 - gap, gap)
    assert session.date(3) == date


def test_colour_limits_are_of_the_days_shown(experiments):
    session = Session(experiments)
    low, high, apart = session.limits(1)
    days = session.record.physical(session.record.split("downstream").values)[:, 1].numpy()
    assert days.min() <= low < high <= days.max() and ((days >= low) & (days <= high)).mean() > 0.98
    assert 0 < apart <= np.abs(days - days.mean(0)).max() + 1


def test_models_of_anomalies_from_the_climatology_show_the_same_days(experiments):
    """Beside models of anomalies from one mean: the truth is the truth, and each rebuilds in its own units."""
    dated = experiments["autoencoder"].replace(anomalies="climatology")
    session = Session({**experiments, "dated": dated})
    one, other = session.frame("SPARTA", 9, 0.5, 1), session.frame("dated", 9, 0.5, 1)
    assert other.truth == pytest.approx(one.truth, rel=1e-4)
    assert np.array_equal(np.isnan(one.observed), np.isnan(other.observed))
    record, model = session.records["dated"], representation(dated)
    day = torch.tensor([session.days[9]])
    view = model.views.sparse(record.take(day), torch.Generator().manual_seed(9), 0.5)
    made = record.physical(model(view), record.dates(day))[0, 1].detach().numpy()
    assert other.reconstruction == pytest.approx(made, rel=1e-4)
    whole = model.encoder(model.views.shown(record.take(day)))[0]
    assert torch.allclose(session.embeddings("dated")[9], whole, atol=1e-4)


def test_models_of_other_days_are_explored_apart(tiny, write_weather, experiments):
    other = tiny(**SETTINGS, data=str(write_weather(days=620)))
    with pytest.raises(DataError, match="other was trained on other days"):
        Session({**experiments, "other": other})
    with pytest.raises(ExperimentError, match="no model to explore"):
        Session({})
