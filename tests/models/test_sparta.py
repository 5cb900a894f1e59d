"""Which parts a stage has, and the projector's norms."""

import pytest
import torch

from sparta_core.decoders.globe import GlobeDecoder
from sparta_core.decoders.resnet18 import TransposedDecoder
from sparta_core.encoders.globe import GlobeEncoder
from sparta_core.encoders.resnet18 import ResNet18
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Projector, Sparta
from sparta_core.training.stages import stage_of
from tests.normalisers import normaliser


@pytest.mark.parametrize(("stage", "parts"), [
    ("autoencoder", {"encoder", "decoder"}),
    ("pretrain", {"encoder", "projector"}),
    ("blend", {"encoder", "projector", "decoder"}),
    ("decoder", {"encoder", "decoder"}),
])
def test_parts_of_each_stage(stage, parts):
    model = Sparta.build(Experiment(width=4, embedding=64), stage_of(Experiment(), stage).parts, normaliser(32, 64))
    assert set(model.parts) == parts


def test_projector_norms_use_the_batch_in_evaluation_too():
    projector = Projector(16, 8)
    x = torch.randn(32, 16) * 5 + 3
    masked = projector.eval()[1](projector[0](x))
    assert masked.mean(0).abs().max() < 1e-5
    assert torch.allclose(masked.std(0, unbiased=False), torch.ones(8), atol=1e-4)
    assert torch.equal(projector.eval()(x), projector.train()(x))


def test_projector_has_three_linear_layers_of_the_papers_sizes():
    sizes = [(m.in_features, m.out_features) for m in Projector(1000, 128) if isinstance(m, torch.nn.Linear)]
    assert sizes == [(1000, 128), (128, 128), (128, 128)]


def test_reconstruction_is_the_decoded_embedding():
    experiment = Experiment(width=4, embedding=64, view_size=(32, 64))
    model = Sparta.build(experiment, ("encoder", "decoder"), normaliser(32, 64)).eval()
    view = torch.randn(2, 5, 32, 64)
    assert torch.equal(model(view), model.decoder(model.encoder(view)))
    assert torch.equal(model.reconstructed(view), model(view))  # without modes nothing is known of what they leave out


@pytest.mark.parametrize(("backbone", "decoder", "kinds"), [
    ("resnet18", "same", (ResNet18, TransposedDecoder)), ("resnet18", "globe", (ResNet18, GlobeDecoder)),
    ("globe", "same", (GlobeEncoder, GlobeDecoder)), ("globe", "resnet18", (GlobeEncoder, TransposedDecoder)),
])
def test_encoder_and_decoder_go_together_unless_told_otherwise(backbone, decoder, kinds):
    """Each pair rebuilds a day of the grid, and its decoder reads all of the embedding."""
    experiment = Experiment(width=8, embedding=64, view_size=(32, 64), backbone=backbone, decoder_backbone=decoder)
    model = Sparta.build(experiment, ("encoder", "decoder"), normaliser(32, 64), baseline=True).eval()
    assert (type(model.encoder), type(model.decoder)) == kinds
    embedding = torch.randn(4, 64, requires_grad=True)
    model.decoder(embedding).square().sum().backward()
    assert (embedding.grad.abs().sum(0) > 0).all()
    assert model(torch.randn(2, 5, 32, 64)).shape == (2, 5, 32, 64)
