"""A network belongs to the representation on whose embeddings it was trained: on those of another it is refused."""

import re

import pytest
import torch

from sparta_core.errors import RunError
from sparta_core.tasks.forecast import forecaster_run, trained_forecaster
from sparta_core.tasks.season import Season
from sparta_core.training import stages
from sparta_core.training.fit import MODEL, seeded
from sparta_core.training.records import run_of
from sparta_core.training.stages import representation


@pytest.fixture
def experiment(tiny):
    """With a representation, a forecaster and a classifier that are trained."""
    short = dict.fromkeys(("autoencoder_epochs", "forecast_epochs", "classification_epochs"), 1)
    experiment = tiny(objective="autoencoder", classification_widths=(12, 6), **short)
    trained_forecaster(experiment, 0)
    experiment.of(Season).train(experiment)
    return experiment


def train_again(experiment):
    """The representation, whose model is lost."""
    run_of(experiment, experiment.representation).drop(MODEL)
    return representation(experiment).encoder.state_dict()


def test_a_network_of_a_representation_that_was_trained_again_is_refused(experiment, monkeypatch):
    """From other weights, so that its embeddings are others; moved away, the network is trained on these."""
    before, weights = representation(experiment).encoder.state_dict(), trained_forecaster(experiment, 0).network
    monkeypatch.setattr(stages, "seeded", lambda seed, *purpose: seeded(seed + 1, *purpose))
    assert any(not torch.equal(x, before[name]) for name, x in train_again(experiment).items())
    forecaster, classifier = forecaster_run(experiment, 0), run_of(experiment, "classification")
    for run, ask in ((forecaster, lambda: trained_forecaster(experiment, 0)),
                     (classifier, lambda: experiment.of(Season).train(experiment))):  # fmt: skip
        said = (f"{run.folder} was trained on the embeddings of another autoencoder, or of one that was trained again; "
                "move it away to train it on these")
        with pytest.raises(RunError, match=f"^{re.escape(said)}$"):
            ask()
        run.folder.rename(run.folder.with_name(f"{run.folder.name}-old"))
        ask()
    assert not torch.equal(trained_forecaster(experiment, 0).network.linear.weight, weights.linear.weight)


def test_a_representation_that_was_trained_again_to_the_same_bits_keeps_its_networks(experiment):
    weights = trained_forecaster(experiment, 0).network.state_dict()
    train_again(experiment)
    again = trained_forecaster(experiment, 0).network.state_dict()
    assert all(torch.equal(x, weights[name]) for name, x in again.items())
    experiment.of(Season).train(experiment)
