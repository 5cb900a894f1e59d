"""The plain version does what SPARTA does: the same views from the same draws, the same losses of the same views."""

import dataclasses

import pytest
import torch
from torch import nn

from benchmarks.ours import STAGES
from benchmarks.per_sample import AnchorViews, PlainStep, augmented, enlarged, loader, masked, nt_xent, window_step
from sparta_core import losses
from sparta_core.data.domain import Domain
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.layers.dropout import ReLUDropout
from sparta_core.training.records import open_record
from sparta_core.training.stages import fresh, stage_of
from sparta_core.views.augment import Views
from tests.globe import axes


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("grid", [(32, 64), (64, 128)])
@pytest.mark.parametrize("seed", range(5))
def test_views_are_spartas_for_the_same_draws(grid, seed):
    """Both draw row, column and ratio of one day in this order; their masks are of other bits, with the same ratio."""
    experiment = Experiment()
    day = torch.randn(5, *grid, generator=generator(9))
    views, sample = Views(experiment, Domain(*axes(*grid))), Sample.of(day[None])
    augmentation = augmented(day, experiment, generator(seed))
    assert torch.allclose(augmentation, views.augmented(sample, generator(seed))[0], atol=1e-4)
    g = generator(seed)
    positive = masked(augmented(day, experiment, g), experiment.mask_ratio, g)
    expected = views.augmented_sparse(sample, generator(seed))[0]
    assert same_where_both_see(positive, expected)
    sparse = masked(enlarged(day[None], experiment.view_size)[0], experiment.mask_ratio, generator(seed))
    assert same_where_both_see(sparse, views.sparse(sample, generator(seed))[0])


def same_where_both_see(a, b):
    """Equal values where neither is masked, and as many masked in one as in the other, to five standard errors."""
    both = (a != 0) & (b != 0)
    shares = [(x == 0).double().mean().item() for x in (a, b)]
    close = abs(shares[0] - shares[1]) < 5 * (2 * shares[0] * (1 - shares[0]) / a.numel()) ** 0.5
    return torch.allclose(a[both], b[both], atol=1e-4) and both.any() and close and 0.45 < shares[0] < 0.95


def numbered_days(count):
    """Days whose every value is their number: a view of one says which day it shows."""
    return torch.arange(count).float()[:, None, None, None].expand(count, 5, 8, 16)


def test_an_item_is_the_anchor_with_a_hard_and_a_soft_negative():
    experiment = Experiment(view_size=(8, 16), crop_from=(10, 20), smoothing=1, soft_gap=60)
    data = AnchorViews(numbered_days(200), range(200), experiment, "blend")
    for index in (0, 50, len(data) - 1):
        item = data[index]
        anchor, hard, soft = days = item["truth"][:, 0, 0, 0].long().tolist()
        assert anchor == index + 5 and all(day in data.anchors for day in days)
        assert 11 <= abs(hard - anchor) <= 40 and abs(soft - anchor) >= 60
        ahead = (item["true_after"] - item["truth"])[:, 0, 0, 0]
        assert torch.equal(ahead, (item["truth"] - item["true_before"])[:, 0, 0, 0])
        assert ahead.min() >= 1 and ahead.max() <= 5
        assert torch.allclose(item["now"], item["truth"][:, :1, :1, :1].expand_as(item["now"]))
        for name in ("after", "before"):
            seen, truth = item[name], item[f"true_{name}"][:, :1, :1, :1]
            assert ((seen == 0) | ((seen - truth).abs() < 1e-3)).all() and 0.4 < (seen == 0).double().mean() < 1


@pytest.mark.parametrize(("stage", "names"), [
    ("pretrain", {"now", "after", "before"}), ("decoder", {"sparse", "truth"}),
    ("blend", {"now", "after", "before", "true_after", "true_before", "sparse", "truth"})])  # fmt: skip
def test_a_stage_prepares_what_it_needs(stage, names):
    assert set(AnchorViews(numbered_days(200), range(200), Experiment(soft_gap=60), stage)[0]) == names


def test_negatives_take_every_allowed_day():
    experiment = Experiment(soft_gap=60)
    data = AnchorViews(numbered_days(140), range(140), experiment, "decoder")
    hard = {data.hard_negative(30) for _ in range(2000)}
    assert hard == {*range(5, 20), *range(41, 71)}
    assert {data.soft_negative(30) for _ in range(2000)} == set(range(90, 135))


def test_workers_draw_differently():
    experiment = Experiment(view_size=(8, 16), crop_from=(10, 20), soft_gap=60, batch_size=6)
    data = AnchorViews(torch.randn(200, 5, 8, 16), range(200), experiment, "pretrain")
    masks = [batch["after"] == 0 for batch, _ in zip(loader(data, 2, "cpu"), range(2), strict=False)]
    assert masks[0].shape == (2, 3, 5, 8, 16) and not torch.equal(*masks)


def test_nt_xent_is_spartas():
    p, q = torch.randn(2, 9, 16, dtype=torch.float64, generator=generator())
    assert float(nt_xent(p, q, 0.3)) == pytest.approx(float(losses.nt_xent(p, q, 0.3)), abs=1e-9)


class Prepared:
    """Stands in for SPARTA's views and hands out those of the plain version."""

    def __init__(self, samples):
        self.samples, self.positives = samples, iter([samples["after"], samples["before"]])

    def augmented(self, days, generator, part):
        return self.samples["now"]

    def augmented_sparse(self, days, generator, part):
        return next(self.positives)

    def sparse(self, days, generator, part):
        return self.samples["sparse"]


@pytest.mark.parametrize("fusion", ["early", "attention", "gnn"])
@pytest.mark.parametrize("stage", STAGES)
def test_losses_are_spartas_on_the_same_views(tiny, stage, fusion):
    experiment = tiny(fusion=fusion, cycle_weight=2.0, batch_size=12)
    record = open_record(experiment)
    record = dataclasses.replace(record, values=record.values.double())
    plain = PlainStep(fresh(experiment, stage, record).double(), experiment, stage, "cpu")
    objective = stage_of(experiment, stage).objective(record, fresh(experiment, stage, record).double())
    for modules in (plain.parts, objective.modules):
        for part, module in modules.items():
            module.train(part == "encoder")  # without the decoder's dropout, with the encoder's batch statistics
    batch = objective.batches("train", generator())[0]
    loaded = objective.load(batch)
    samples = {name: torch.randn(batch.shape[1], 5, *experiment.view_size, dtype=torch.float64, generator=generator(k))
               for k, name in enumerate(("now", "after", "before", "sparse"))}  # fmt: skip
    samples |= dict(zip(("truth", "true_after", "true_before"), (days.values for days in loaded.roles), strict=False))
    for epoch in (0, 30):
        objective.views = Prepared(samples)
        expected = objective.losses(loaded, epoch, generator(1))["loss"]
        assert plain.loss(samples, epoch).item() == pytest.approx(expected.item(), abs=1e-9), epoch


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_moves_what_the_stage_trains(tiny, stage):
    experiment = tiny()
    record = open_record(experiment)
    model = fresh(experiment, stage, record)
    trains = stage_of(experiment, stage).objective(record, model).trains
    step = PlainStep(model, experiment, stage, "cpu")
    assert not any(isinstance(module, ReLUDropout) for module in model.modules())
    before = {name: [p.clone() for p in part.parameters()] for name, part in step.parts.items()}
    data = AnchorViews(record.values, record.splits["train"], experiment, stage)
    step(next(iter(loader(data, 1, "cpu"))))
    for name, part in step.parts.items():
        moved = any(not torch.equal(a, b) for a, b in zip(before[name], part.parameters(), strict=True))
        assert moved == (name in trains), name


def test_a_window_step_embeds_every_day_of_every_window():
    experiment = Experiment(view_size=(8, 16), crop_from=(10, 20), downstream_mask_ratio=0.0, look_back=4)
    seen, forecaster = [], nn.LSTM(3, 3, batch_first=True)

    def encoder(view):
        seen.append(view)
        return view.mean((2, 3))[:, :3]

    class LastHidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = forecaster

        def forward(self, past):
            assert past.shape == (2, 4, 3)
            return self.lstm(past)[0][:, -1:]

    windows = torch.randn(2, 5, 5, 8, 16, generator=generator())
    adam = torch.optim.Adam(forecaster.parameters(), 0.1)
    before = forecaster.weight_hh_l0.clone()
    window_step(encoder, LastHidden(), adam, windows, experiment)
    assert torch.allclose(torch.stack(seen, 1), windows) and not torch.equal(before, forecaster.weight_hh_l0)
