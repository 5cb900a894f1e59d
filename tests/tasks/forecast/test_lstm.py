"""The forecaster: written out step by step, trained on what it should be, and rolled out as the paper says."""

from pathlib import Path

import pytest
import torch
from torch import nn

from sparta_core.data.clock import DAILY
from sparta_core.errors import DataError
from sparta_core.tasks import embeddings
from sparta_core.tasks.embeddings import decode, embed
from sparta_core.tasks.forecast import trained_forecaster
from sparta_core.tasks.forecast.lstm import LSTMForecaster, NextEmbedding
from sparta_core.tasks.forecast.windows import forecast_embeddings, forecast_starts
from sparta_core.training.records import open_record
from sparta_core.training.stages import representation

QUICK = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_rollout_written_out_cell_by_cell():
    """An LSTM cell fed with the last observed embedding, then with its own outputs, state carried on."""
    forecaster = LSTMForecaster(6, 4, 0.3).double().eval()
    past = torch.randn(2, 5, 6, dtype=torch.float64)
    cells = []
    for lstm in (forecaster.encoder, forecaster.decoder):
        cell = nn.LSTMCell(6, 4).double()
        for name, parameter in cell.named_parameters():
            parameter.data.copy_(getattr(lstm, f"{name}_l0"))
        cells.append(cell)
    state = (torch.zeros(2, 4).double(), torch.zeros(2, 4).double())
    for day in range(5):
        state = cells[0](past[:, day], state)
    day, days = past[:, -1], []
    for _ in range(7):
        state = cells[1](day, state)
        day = forecaster.linear(state[0])
        days.append(day)
    assert torch.allclose(forecaster(past, 7), torch.stack(days, 1), atol=1e-12)


def test_sizes_at_paper_scale():
    """One layer of 128 each and a linear layer: 4 x 128 x (1000 + 128 + 2) weights an LSTM."""
    count = sum(p.numel() for p in LSTMForecaster(1000, 128, 0.0).parameters())
    assert count == 2 * 4 * 128 * (1000 + 128 + 2) + 128 * 1000 + 1000


@pytest.mark.parametrize(("look_back", "stride"), [(30, 1), (5, 5), (5, 10)])
def test_windows_of_the_papers_setups(tiny, look_back, stride):
    """Every window of look-back and next day that starts at a multiple of the stride, once an epoch."""
    experiment = tiny(look_back=look_back, stride=stride, downstream_split=(0.4, 0.3), forecast_batch_size=4, **QUICK)
    record = open_record(experiment)
    objective = NextEmbedding(record, representation(experiment), LSTMForecaster(16, 8, 0.0))
    for part in ("train", "validation"):
        days = len(record.splits[f"downstream_{part}"])
        starts = torch.cat(objective.batches(part, generator())).tolist()
        assert sorted(starts) == [s for s in range(0, days, stride) if s + look_back < days]


def test_the_target_is_the_embedding_of_the_masked_day_after(tiny):
    experiment = tiny(**QUICK)
    record, model = open_record(experiment), representation(experiment)
    given = []

    class Copies(nn.Module):
        def forward(self, past):
            given.append(past)
            return past[:, -1:]

    objective = NextEmbedding(record, model, Copies())
    batch = objective.batches("train", generator(3))[0]
    loss = objective.losses(batch, 0, generator())["loss"]
    z = embed(model, record.split("downstream_train"), 0.7, generator(3))
    expected = torch.stack([(z[s + 5] - z[s + 4]).square().mean() for s in batch.tolist()]).mean()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert torch.equal(given[0][0], z[batch[0] : batch[0] + 5])


def test_each_day_is_embedded_once_per_epoch_under_a_fresh_mask(tiny, monkeypatch):
    experiment = tiny(**QUICK)
    representation(experiment)
    made, plain = [], embed
    monkeypatch.setattr(embeddings, "embed", lambda *args: made.append(plain(*args)) or made[-1])
    trained_forecaster(experiment, 0)
    first, validation, *later = made
    assert len(made) == experiment.forecast_epochs + 1  # validation has the same views after every epoch
    days = open_record(experiment)
    assert len(first) == len(days.split("downstream_train")) and not torch.equal(first, later[0])
    assert len(validation) == len(days.split("downstream_validation"))


def test_embedding_in_chunks_changes_nothing(tiny, monkeypatch):
    experiment = tiny(**QUICK)
    model, days = representation(experiment), open_record(experiment).split("downstream_test")
    whole = embed(model, days)
    monkeypatch.setattr(embeddings, "CHUNK", 7)
    assert torch.allclose(embed(model, days), whole, atol=1e-5)
    decoded = decode(model, whole[:8].view(2, 4, -1))
    assert torch.allclose(decoded[1, 2], model.decoder(whole[6:7])[0], atol=1e-5)


def test_test_windows_leave_room_for_all_leads(tiny):
    """The paper's 937 test days hold 808 windows of 30 days with 100 leads (SPEC, section 10)."""
    experiment = tiny(look_back=30, leads=100)
    starts = forecast_starts(experiment, range(1000, 1937), DAILY)
    assert len(starts) == 808 and int(starts[0]) == 1000
    assert int(starts[-1]) + 30 + 100 - 1 == 1936
    assert forecast_starts(experiment.replace(start_every=300), range(1000, 1937), DAILY).tolist() == [1000, 1300, 1600]
    assert len(forecast_starts(experiment, range(130), DAILY)) == 1
    with pytest.raises(DataError, match="test days are 129, too few for a look-back of 30 and 100 leads; lower"):
        forecast_starts(experiment, range(129), DAILY)


def test_a_split_too_short_for_the_look_back(tiny):
    experiment = tiny(look_back=24, **QUICK)
    with pytest.raises(DataError, match="downstream validation days are 24, too few for a look-back of 24"):
        trained_forecaster(experiment, 0)
    assert not Path(experiment.runs).exists()  # said before anything was trained or written


def test_forecasts_start_from_the_days_before_them(tiny, monkeypatch):
    """Changing the days after a window changes nothing of its forecast; changing its last day does."""
    experiment = tiny(**QUICK)
    first = forecast_embeddings(experiment, 0)
    record = open_record(experiment)
    fingerprint = record.fingerprint  # the days are changed behind the run's back
    monkeypatch.setattr(type(record), "fingerprint", property(lambda self: fingerprint))
    test = record.splits["downstream_test"]
    days = record.values[test.start + 5 : test.stop]
    kept = days.clone()
    try:
        days.zero_()
        assert torch.allclose(forecast_embeddings(experiment, 0)[0], first[0], atol=1e-5)
        assert not torch.allclose(forecast_embeddings(experiment, 0)[1], first[1], atol=1e-5)
    finally:
        days.copy_(kept)


def test_seeds_give_forecasters_of_their_own(tiny):
    experiment = tiny(**QUICK)
    made = [trained_forecaster(experiment, seed).network.linear.weight for seed in (0, 42, 0)]
    assert torch.equal(made[0], made[2]) and not torch.equal(made[0], made[1])
