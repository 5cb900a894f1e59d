"""The linear path: dense solves and Gaussian conditional means in float64, and a network that starts from nothing."""

import numpy as np
import pytest
import torch
from torch import nn

from sparta_core.encoders import linear_path
from sparta_core.encoders.linear_path import LinearPathDecoder, LinearPathEncoder, OptimalInterpolation
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.models.sparta import Sparta, build_encoder
from sparta_core.modes import Modes
from tests.linear import LINEAR
from tests.normalisers import normaliser


def encoder_of(experiment, *given, **more):
    return build_encoder(experiment, experiment.view_size, *given, **more)


RATIOS = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)  # of masked values


def some_modes(count=24, variables=3, grid=(8, 16)):
    """Orthonormal patterns whose variances fall, with errors of every variable's own."""
    generator = np.random.default_rng(0)
    values = variables * grid[0] * grid[1]
    patterns = np.linalg.qr(generator.normal(size=(values, count)))[0].T
    made = patterns, 50 / (1 + np.arange(count)) ** 1.5, 0.1 + 0.2 * np.arange(variables)
    return Modes(*(torch.from_numpy(np.ascontiguousarray(x)).float() for x in made))


def sparse_days(grid=(8, 16), variables=3, days=4):
    """Values, without those masked, and the masks: `days` at each of the ratios, and one with half of the globe."""
    generator = torch.Generator().manual_seed(1)
    values = 2 * torch.randn(len(RATIOS) * days + 1, variables, *grid, generator=generator)
    masked = torch.tensor(RATIOS).repeat_interleave(days)[:, None, None, None]
    seen = (torch.rand(values[1:].shape, generator=generator) >= masked).float()
    half = torch.ones_like(values[:1])
    half[..., grid[1] // 2 :] = 0
    seen = torch.cat([seen, half])
    return values * seen, seen


def dense(modes, values, seen):
    """The normal equations of each day, solved by numpy: (P' diag(m/R) P + diag(1/v)) z = P' diag(m/R) y."""
    patterns, variance, error = (x.double().numpy() for x in modes)
    trust = np.repeat(1 / error, patterns.shape[1] // len(error))
    made = []
    for y, m in zip(values.flatten(1).double().numpy(), seen.flatten(1).double().numpy(), strict=True):
        left = (patterns * m * trust) @ patterns.T + np.diag(1 / variance)
        made.append(np.linalg.solve(left, patterns @ (m * trust * y)))
    return torch.from_numpy(np.stack(made))


def off(made, expected):
    """The largest distance of a day's scores from the expected ones, as a share of these."""
    return float(((made - expected).norm(dim=1) / expected.norm(dim=1).clamp_min(1e-9)).max())


def test_scores_are_those_of_the_dense_solve():
    modes, (values, seen) = some_modes(), sparse_days()
    made, expected = OptimalInterpolation(modes)(values, seen), dense(modes, values, seen)
    assert off(made, expected) < 5e-3
    blind = seen.flatten(1).sum(1) == 0
    assert int(blind.sum()) == 4 and not made[blind].any()  # of nothing the prior's mean, not NaN


def test_iterated_to_the_end_they_are_exact(monkeypatch):
    monkeypatch.setattr(linear_path, "CLOSE", 1e-6)
    modes, (values, seen) = some_modes(), sparse_days()
    assert off(OptimalInterpolation(modes)(values, seen), dense(modes, values, seen)) < 1e-5


def test_a_day_does_not_depend_on_its_neighbours_in_the_batch():
    """All go on until the last is close enough, which changes no more than closeness."""
    modes, (values, seen) = some_modes(), sparse_days()
    together = OptimalInterpolation(modes)(values, seen)
    alone = torch.cat([OptimalInterpolation(modes)(v, m) for v, m in zip(values.split(1), seen.split(1), strict=True)])
    assert off(alone, together) < 5e-3


def test_hidden_values_do_not_count():
    modes, (values, seen) = some_modes(), sparse_days()
    interpolation = OptimalInterpolation(modes)
    assert torch.equal(interpolation(values + 7 * (1 - seen), seen), interpolation(values, seen))


@pytest.mark.parametrize(("seen", "variables"), [([1, 0], [0.6, 0]), ([0, 1], [0, 0.8]), ([1, 1], [0.6, 0.8])])
def test_one_mode_is_a_conditional_mean_of_gaussians(seen, variables):
    """z ~ N(0, v), y = p z + e, e ~ N(0, R): E[z | y] = v p'y / (v p'p + R), of what is seen of p and y."""
    v, r, y = 3.0, 0.5, [1.7, -0.4]
    modes = Modes(torch.tensor([[0.6, 0.8]]), torch.tensor([v]), torch.tensor([r]))
    made = OptimalInterpolation(modes)(torch.tensor(y).view(1, 1, 1, 2), torch.tensor(seen).view(1, 1, 1, 2))
    product, square = sum(p * x for p, x in zip(variables, y, strict=True)), sum(p * p for p in variables)
    assert made.item() == pytest.approx(v * product / (v * square + r), rel=1e-5)


def test_it_is_the_mean_of_the_joint_gaussian_given_what_is_seen():
    """The other way round, in the space of observations: B H' (H B H' + R)^-1 y, B = P' diag(v) P."""
    modes, (values, seen) = some_modes(), sparse_days()
    made = OptimalInterpolation(modes)(values, seen) @ modes.patterns
    patterns, variance, error = (x.double() for x in modes)
    b, trust = patterns.T @ (variance[:, None] * patterns), error.repeat_interleave(128)
    for day in (0, 5, 9, 13, 17, 24):
        mask = seen[day].flatten().bool()
        inner = b[mask][:, mask] + torch.diag(trust[mask])
        expected = b[:, mask] @ torch.linalg.solve(inner, values[day].flatten()[mask].double())
        assert (made[day] - expected).norm() < 5e-3 * expected.norm()


def test_a_mode_without_variance_is_never_seen():
    modes = some_modes()
    modes = modes._replace(variance=torch.cat([modes.variance[:-2], torch.tensor([0.0, -1e-9])]))
    made = OptimalInterpolation(modes)(*sparse_days())
    assert torch.isfinite(made).all() and made[:, -2:].abs().max() < 1e-6


def test_in_low_precision_it_is_close():
    modes, (values, seen) = some_modes(), sparse_days()
    interpolation = OptimalInterpolation(modes)
    with torch.autocast("cpu", torch.bfloat16):
        low = interpolation(values, seen)
    assert low.dtype == torch.float32 and not torch.equal(low, interpolation(values, seen))
    assert off(low, dense(modes, values, seen)) < 0.03


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
