"""The linear path: optimal interpolation, and a network that starts from nothing."""

import pytest
import torch
from torch import nn

from sparta_core.encoders.linear_path import LinearPathDecoder, LinearPathEncoder
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta, build_decoder, build_encoder
from sparta_core.optimal_interpolation import OptimalInterpolation
from tests.linear import LINEAR
from tests.normalisers import normaliser
from tests.sparse import some_modes, sparse_days


def encoder_of(experiment, *given, **more):
    return build_encoder(experiment, experiment.view_size, *given, **more)


def network(inputs, outputs, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs * 128, outputs))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fresh_encoder_is_the_interpolation_whatever_the_network(seed):
    modes, (values, seen) = some_modes(), sparse_days()
    encoder = LinearPathEncoder(modes, network(9, 24, seed))
    assert torch.equal(encoder(torch.cat([values, seen], 1)), OptimalInterpolation(modes)(values, seen))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fresh_decoder_is_the_sum_of_modes(seed):
    modes = some_modes()
    torch.manual_seed(seed)
    decoder = LinearPathDecoder(modes, nn.Sequential(nn.Linear(24, 384), nn.Unflatten(1, (3, 8, 16))))
    z = torch.randn(5, 24)
    expected = sum(z[:, k, None, None, None].double() * modes.patterns[k].view(3, 8, 16).double() for k in range(24))
    torch.testing.assert_close(decoder(z).double(), expected, atol=1e-5, rtol=1e-5)


def test_encoder_and_decoder_add_what_their_networks_say():
    modes, (values, seen) = some_modes(), sparse_days()
    encoder = LinearPathEncoder(modes, network(9, 24))
    decoder = LinearPathDecoder(modes, nn.Sequential(nn.Linear(24, 384), nn.Unflatten(1, (3, 8, 16))))
    shown = []
    encoder.network.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    for parameter in (encoder.gain, encoder.share, decoder.share):
        nn.init.normal_(parameter)
    view, scores = torch.cat([values, seen], 1), encoder.interpolation(values, seen)
    z = encoder(view)
    fields = torch.einsum("bk,kchw->bchw", scores.double(), modes.patterns.double().view(24, 3, 8, 16))
    torch.testing.assert_close(shown[0].double(), torch.cat([view.double(), fields], 1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(z, encoder.gain * scores + encoder.share * encoder.network(shown[0]))
    per_variable = decoder.share.flatten()[:, None, None] * decoder.network(z)
    torch.testing.assert_close(decoder(z), (z @ modes.patterns).view(-1, 3, 8, 16) + per_variable)


def test_without_a_network_the_linear_path_is_all():
    """However the few numbers are set that it learns."""
    experiment = Experiment(**LINEAR, backbone="none", embedding=24)
    modes, (values, seen) = some_modes(24, 5, (16, 32)), sparse_days((16, 32), 5, 1)
    encoder, decoder = encoder_of(experiment, modes), build_decoder(experiment, (16, 32), modes)
    for parameter in (*encoder.parameters(), *decoder.parameters()):
        nn.init.normal_(parameter)
    scores = OptimalInterpolation(modes)(values, seen)
    z = encoder(torch.cat([values, seen], 1))
    assert torch.equal(z, encoder.gain * scores)
    assert torch.equal(decoder(z), (z @ modes.patterns).view(-1, 5, 16, 32))


def test_gradients_reach_the_networks_after_one_step():
    """At first only the shares have some, as the networks count for nothing."""
    modes, (values, seen) = some_modes(), sparse_days()
    encoder = LinearPathEncoder(modes, network(9, 24))
    decoder = LinearPathDecoder(modes, nn.Sequential(nn.Linear(24, 384), nn.Unflatten(1, (3, 8, 16))))
    both = nn.ModuleList([encoder, decoder])
    optimiser = torch.optim.Adam(both.parameters(), lr=1e-3)
    moved = []
    for _ in range(2):
        optimiser.zero_grad()
        (decoder(encoder(torch.cat([values, seen], 1))) - 1).square().mean().backward()
        moved.append({name: bool(p.grad.abs().sum() > 0) for name, p in both.named_parameters()})
        optimiser.step()
    assert [name for name, there in moved[0].items() if there] == ["0.gain", "0.share", "1.share"]
    assert all(moved[1].values())


def test_modes_are_not_saved_with_the_weights():
    modes = some_modes()
    decoder = LinearPathDecoder(modes, nn.Linear(24, 1))
    assert set(LinearPathEncoder(modes, nn.Linear(1, 1)).state_dict()) == {
        "gain", "share", "network.weight", "network.bias"}
    assert set(decoder.state_dict()) == {"share", "network.weight", "network.bias"}
    assert {"patterns", "interpolation.basis"} <= dict(LinearPathEncoder(modes, nn.Identity()).named_buffers()).keys()


@pytest.mark.parametrize("fusion", ["attention", "gnn", "hybrid"])
@pytest.mark.parametrize("planes", [2, 3])
def test_every_variables_encoder_sees_its_own_planes(fusion, planes):
    """Of variable k planes k, k + C and, of the linear path, k + 2 C: its values, what is seen, the fields."""
    experiment = Experiment(**LINEAR | {"linear_path": planes == 3}, backbone="globe", width=8, embedding=16,
                            fusion=fusion)  # fmt: skip
    modes = some_modes(16, 5, (16, 32)) if planes == 3 else None
    values, seen = sparse_days((16, 32), 5, 1)
    encoder, view, shown = encoder_of(experiment, modes), torch.cat([values, seen], 1), {}
    fused = encoder if modes is None else encoder.network
    for name, module in [*enumerate(fused.encoders), ("shared", fused.shared)]:
        if module is not None:
            module.register_forward_pre_hook(lambda _, inputs, name=name: shown.update({name: inputs[0]}))
    encoder(view)
    fields = [] if modes is None else [(encoder.interpolation(values, seen) @ modes.patterns).view_as(values)]
    for k in range(5):
        assert torch.equal(shown[k], torch.stack([plane[:, k] for plane in (values, seen, *fields)], 1))
    assert (fusion == "hybrid") == ("shared" in shown)
    if fusion == "hybrid":
        assert torch.equal(shown["shared"], torch.cat([view, *fields], 1))


def test_a_view_of_another_size_than_the_data_is_refused():
    experiment = Experiment(**LINEAR, embedding=16)
    with pytest.raises(ExperimentError, match=r"view_size is \(16, 32\), the data's grid \(8, 16\); linear_path needs"):
        Sparta.build(experiment, ("encoder", "decoder"), normaliser(8, 16), some_modes(), baseline=True)
