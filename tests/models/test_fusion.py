"""Late fusion: against dense loops, torch's own attention step by step, and what must not matter."""

import math

import pytest
import torch
from torch.nn import functional as F

from sparta_core.data.days import WEATHERBENCH2_VARIABLES
from sparta_core.errors import ExperimentError
from sparta_core.experiment import Experiment
from sparta_core.fusions.attention import AttentionFusion
from sparta_core.fusions.gnn import GraphFusion
from sparta_core.fusions.hybrid import ConcatFusion
from sparta_core.models.sparta import Sparta, build_encoder
from tests.normalisers import normaliser


def encoder_of(experiment, *given, **more):
    return build_encoder(experiment, experiment.view_size, *given, **more)


EDGES = [(0, 3), (1, 2)]
SMALL = {"view_size": (16, 32), "crop_from": (18, 36), "width": 4, "norm_groups": 2, "head": "flatten", "embedding": 16}


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def graph():
    torch.manual_seed(0)
    return GraphFusion(5, 8, EDGES).double()


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return AttentionFusion(5, 8, heads=2).double()


@pytest.fixture(params=["attention", "gnn", "hybrid"])
def encoder(request):
    torch.manual_seed(0)
    return encoder_of(Experiment(**SMALL, fusion=request.param)).double().eval()


def neighbours(node, edges):
    return [node] + [b if a == node else a for a, b in edges if node in (a, b)]


def by_loop(layer, sample, edges):
    """Graph attention (Velickovic et al., 2018, equations 1 to 4) of one sample (C, E): nodes and weights."""
    projected = sample @ layer.lin.weight.T
    out, weights = torch.zeros_like(sample), torch.zeros(len(sample), len(sample), dtype=sample.dtype)
    for i in range(len(sample)):
        near = neighbours(i, edges)
        scores = torch.stack([F.leaky_relu(
            (layer.att_src[0, 0] * projected[j]).sum() + (layer.att_dst[0, 0] * projected[i]).sum(), 0.2)
            for j in near])  # fmt: skip
        for j, weight in zip(near, scores.softmax(0), strict=True):
            out[i] += weight * projected[j]
            weights[i, j] = weight
    return out + layer.bias, weights


def test_the_graph_layer_is_a_dense_loop_over_samples(graph):
    x = random(4, 5, 8)
    torch.nn.init.normal_(graph.layer.bias)
    nodes, weights = zip(*(by_loop(graph.layer, sample, EDGES) for sample in x), strict=True)
    torch.testing.assert_close(graph(x), torch.stack(nodes).mean(1))
    torch.testing.assert_close(graph.weights(x), torch.stack(weights))


def test_what_no_edge_joins_carries_no_gradient(graph):
    """The humidity, variable 4, has no edge: its node depends on it alone; 0 and 1 never meet."""
    x = random(3, 5, 8).requires_grad_()
    nodes = graph.layer(x.flatten(0, 1), graph._batched(x)).view(3, 5, 8)
    for node in range(5):
        (gradient,) = torch.autograd.grad(nodes[1, node].square().sum(), x, retain_graph=True)
        touched = {int(k) for k in gradient[1].abs().sum(1).nonzero()}
        assert touched == set(neighbours(node, EDGES))
        assert not gradient[[0, 2]].any()  # nor does any other sample


def test_edges_join_both_ways_and_are_counted_once():
    graph = GraphFusion(3, 4, [(2, 0), (0, 2), (1, 1)])
    assert sorted(map(tuple, graph.edges.T.tolist())) == [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)]


def test_a_graph_without_edges_is_a_mean_of_linear_maps():
    graph = GraphFusion(3, 4, []).double()
    x = random(2, 3, 4)
    torch.testing.assert_close(graph(x), (x @ graph.layer.lin.weight.T).mean(1) + graph.layer.bias)


def test_attention_at_cls_step_by_step(attention):
    """Softmax of scaled products, head by head, from the module's own matrices; CLS first."""
    x = random(4, 5, 8)
    inner = attention.attention
    torch.nn.init.normal_(inner.in_proj_bias)
    torch.nn.init.normal_(inner.out_proj.bias)
    z, mean_weights = [], []
    for sample in x:
        tokens = torch.cat([attention.cls[0], sample]) + attention.modal[0]
        q, k, v = ((tokens @ w.T + b) for w, b in zip(
            inner.in_proj_weight.chunk(3), inner.in_proj_bias.chunk(3), strict=True))  # fmt: skip
        heads, weights = [], []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            share = (q[:, part] @ k[:, part].T / math.sqrt(4)).softmax(1)
            heads.append(share @ v[:, part])
            weights.append(share)
        z.append((torch.cat(heads, 1) @ inner.out_proj.weight.T + inner.out_proj.bias)[0])
        mean_weights.append(torch.stack(weights).mean(0))
    torch.testing.assert_close(attention(x), torch.stack(z))
    torch.testing.assert_close(attention.weights(x), torch.stack(mean_weights))


def test_attention_at_cls_is_torchs_own_over_all_tokens(attention):
    x = random(4, 5, 8)
    tokens = torch.cat([attention.cls.expand(4, -1, -1), x], 1) + attention.modal
    torch.testing.assert_close(attention(x), attention.attention(tokens, tokens, tokens)[0][:, 0])


def test_concatenation_is_one_sum_over_embeddings():
    fusion = ConcatFusion(6, 8).double()
    x = random(3, 6, 8)
    expected = fusion.linear.bias + sum(
        x[:, k] @ fusion.linear.weight[:, 8 * k : 8 * k + 8].T for k in range(6))
    torch.testing.assert_close(fusion(x), expected)


def test_permuted_samples_give_permuted_embeddings(encoder):
    view = random(6, 5, 16, 32)
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    torch.testing.assert_close(encoder(view[order]), encoder(view)[order])


def test_every_variable_goes_through_its_own_encoder(encoder):
    view = random(2, 5, 16, 32)
    whole = encoder.per_variable(view)
    for k, single in enumerate(encoder.encoders):
        torch.testing.assert_close(whole[:, k], single(view[:, [k]]))
        changed = view.clone()
        changed[:, k] += 1
        same = (encoder.per_variable(changed) == whole).flatten(2).all(2).all(0)
        assert same.tolist() == [j != k for j in range(5)]


@pytest.mark.parametrize("fusion", ["attention", "gnn"])
def test_weights_are_shares(fusion):
    encoder = encoder_of(Experiment(**SMALL, fusion=fusion)).double().eval()
    weights = encoder.weights(random(3, 5, 16, 32))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights[..., 0]))


def test_the_graph_is_drawn_by_names():
    own = Experiment(**SMALL, fusion="gnn", edges=[["specific_humidity", "2m_temperature"]])
    graph = encoder_of(own).fusion
    assert (4, 0) in set(map(tuple, graph.edges.T.tolist())) and graph.edges.shape == (2, 7)
    fewer = Experiment(**SMALL, fusion="gnn", variables=WEATHERBENCH2_VARIABLES[1:3],
                       edges=[WEATHERBENCH2_VARIABLES[1:3]])
    assert encoder_of(fewer).fusion.edges.shape == (2, 4)


T, U, V, Z, Q = WEATHERBENCH2_VARIABLES


@pytest.mark.parametrize(("variables", "joined"), [
    ((T, U, V, Z, Q), {(0, 3), (1, 2)}),
    ((T, Z), {(0, 1)}),
    ((Z, Q, T), {(0, 2)}),
    ((V, T, U), {(0, 2)}),
    (("mean_sea_level_pressure", T, U), set()),
])
def test_the_default_graph_keeps_the_edges_whose_variables_are_there(variables, joined):
    """Temperature with geopotential, both winds with each other, each with itself, and nothing else."""
    graph = encoder_of(Experiment(**SMALL, fusion="gnn", variables=variables)).fusion
    expected = {(k, k) for k in range(len(variables))} | joined | {(b, a) for a, b in joined}
    assert sorted(map(tuple, graph.edges.T.tolist())) == sorted(expected)


def test_whose_edges_are_the_usual_ones_keeps_the_runs():
    """As digests of an earlier version have them."""
    assert Experiment(fusion="gnn").digest("decoder") == "c1f7a0ec"
    assert Experiment(fusion="gnn").settings("pretrain")["edges"] == [[T, Z], [U, V]]


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"fusion": "gnn", "variables": WEATHERBENCH2_VARIABLES[:2], "edges": [WEATHERBENCH2_VARIABLES[1:3]]},
     r"edges are \(\('u_component_of_wind', 'v_component_of_wind'\),\); they may only join the variables \('2m_temp"),
    ({"fusion": "attention", "attention_heads": 3}, "attention_heads is 3; it must divide .* here 1000"),
    ({"fusion": "late"}, "fusion is 'late'; choose one of: early, attention, gnn, hybrid"),
])
def test_fusions_that_cannot_be_are_refused(changes, sentence):
    with pytest.raises(ExperimentError, match=sentence):
        Experiment(**changes)


def test_the_baseline_autoencoder_has_one_encoder_whatever_the_fusion():
    build = {f: Sparta.build(Experiment(**SMALL, fusion=f), ("encoder", "decoder"), normaliser(16, 32), baseline=True)
             for f in ("early", "hybrid")}  # fmt: skip
    shapes = [{k: v.shape for k, v in model.state_dict().items()} for model in build.values()]
    assert shapes[0] == shapes[1]


def test_at_paper_size_late_fusion_has_five_encoders():
    """Each ResNet-18 with one input channel is 4 x 49 x 64 weights smaller than the early one's."""
    def count(fusion):
        return sum(p.numel() for p in encoder_of(Experiment(fusion=fusion)).parameters())

    early = count("early")
    single = early - 4 * 49 * 64
    assert count("gnn") == 5 * single + 1000 * 1000 + 3 * 1000
    assert count("attention") == 5 * single + 7 * 1000 + 4 * (1000 * 1000 + 1000)
    assert count("hybrid") == 5 * single + early + 6 * 1000 * 1000 + 1000
