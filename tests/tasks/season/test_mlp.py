"""The season classifier: its layers, what it is shown, and that it learns what can be learnt."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sparta_core.models.sparta import Sparta
from sparta_core.observe.masks import draw_ratios
from sparta_core.tasks.embeddings import embed
from sparta_core.tasks.season import Season, season_probabilities
from sparta_core.tasks.season.labels import seasons
from sparta_core.tasks.season.mlp import MLP, SeasonClassifier, SeasonCrossEntropy
from sparta_core.training import fit as fitting
from sparta_core.training.records import open_record, run_of
from sparta_core.training.stages import representation

QUICK = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)
SMALL = {"classification_widths": (12, 6), "classification_epochs": 2}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def trained(experiment):
    """The network that the task has trained, frozen."""
    run = run_of(experiment, Season.name)
    return experiment.of(MLP).trained(representation(experiment), run, experiment.seed)


def test_layers_of_the_paper():
    """1000-250-62-4 with batch norm, leaky ReLU and dropout (SPEC, section 6)."""
    layers = list(SeasonClassifier(1000, (250, 62), 0.5))
    assert [type(layer) for layer in layers] == 2 * [nn.Linear, nn.BatchNorm1d, nn.LeakyReLU, nn.Dropout] + [nn.Linear]
    assert [layer.in_features for layer in layers[::4]] == [1000, 250, 62] and layers[-1].out_features == 4


def test_the_loss_is_of_masked_days_and_their_own_season(tiny):
    """Each day at a ratio of its own in [0.2, 0.9); the loss written out from the same draws."""
    experiment = tiny(**QUICK, **SMALL)
    record, model = open_record(experiment), representation(experiment)
    classifier = SeasonClassifier(16, (12, 6), 0.5).eval()
    objective = SeasonCrossEntropy(record, model, classifier)
    batch = objective.batches("train", generator(3))[0]
    days, g = record.split("downstream_train"), generator(3)
    ratios = draw_ratios(len(days), (0.2, 0.9), g)
    z = embed(model, days, ratios, g)
    first = record.splits["downstream_train"].start
    truth = torch.tensor([record.season[first + k] for k in batch.tolist()])
    expected = F.cross_entropy(classifier(z[batch]), truth).item()
    assert objective.losses(batch, 0, generator())["loss"].item() == pytest.approx(expected, rel=1e-5)


def test_every_day_is_hidden_at_its_own_ratio(tiny):
    """embed with a ratio per day: the share of zeros in what the encoder saw."""
    experiment = tiny()
    record, shown = open_record(experiment), []

    class Watches(nn.Module):
        def forward(self, view):
            shown.append(view)
            return view.mean((2, 3))

    model = Sparta(experiment, record.normaliser, None, {"encoder": Watches()})
    embed(model, record.split("downstream_train")[:3], torch.tensor([0.0, 0.5, 0.9]), generator())
    share = (shown[0] == 0).float().mean((1, 2, 3))
    assert share.tolist() == pytest.approx([0.0, 0.5, 0.9], abs=0.03)


def test_what_the_objective_minimises_tells_seasons_apart():
    """Embeddings that hold the season's number, with noise: 60 steps on the loss read it off."""
    torch.manual_seed(0)
    objective = SeasonCrossEntropy.__new__(SeasonCrossEntropy)
    classifier = SeasonClassifier(16, (12, 6), 0.2)
    objective.network, objective.seasons = classifier, torch.arange(160) % 4
    objective.embeddings = 3 * F.one_hot(objective.seasons, 16).float() + 0.3 * torch.randn(160, 16)
    adam = torch.optim.Adam(classifier.parameters(), 1e-2)
    for _ in range(60):
        loss = objective.losses(torch.arange(160), 0, generator())["loss"]
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert (classifier.eval()(objective.embeddings).argmax(1) == objective.seasons).all()


def test_probabilities_of_the_test_days(tiny):
    experiment = tiny(**QUICK, **SMALL)
    made = season_probabilities(experiment, 0.7)
    record, model = open_record(experiment), representation(experiment)
    z = embed(model, record.split("downstream_test"), 0.7, generator())
    assert torch.allclose(made, trained(experiment)(z).softmax(1), atol=1e-6)
    assert len(made) == len(seasons(record, "downstream_test"))


def test_training_stopped_in_the_middle_ends_with_the_same_weights(tiny, monkeypatch, tmp_path):
    experiment = tiny(**QUICK, **SMALL)
    whole = trained(experiment).state_dict()
    again = experiment.replace(runs=str(tmp_path / "again"))
    plain = fitting._Loop._close_epoch

    def stop_after_one(loop, *losses):
        plain(loop, *losses)
        if loop.run.stage == "classification":
            raise KeyboardInterrupt

    monkeypatch.setattr(fitting._Loop, "_close_epoch", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        trained(again)
    monkeypatch.setattr(fitting._Loop, "_close_epoch", plain)
    for key, value in trained(again).state_dict().items():
        assert torch.equal(value, whole[key]), key
