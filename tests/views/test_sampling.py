"""Which days are drawn: distributions by chi-square, bounds for every anchor by hypothesis."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sparta_core.data.clock import DAILY
from sparta_core.errors import DataError
from sparta_core.experiment import Experiment
from sparta_core.views.sampling import Sampler, draw_negatives, draw_offsets

# 99.99 % points of chi-square: a right draw fails once in 10,000 seeds, and the seed is fixed.
CHI_SQUARE = {4: 23.5, 9: 33.7, 59: 107.8}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def chi_square(drawn, expected):
    return float(((drawn - expected) ** 2 / expected).sum())


def test_offsets_decay_exponentially():
    drawn = torch.bincount(draw_offsets(50_000, 5, 0.1, generator()), minlength=6).double()
    weights = torch.exp(-0.1 * torch.arange(1, 6).double())
    assert drawn[0] == 0 and len(drawn) == 6
    assert chi_square(drawn[1:], 50_000 * weights / weights.sum()) < CHI_SQUARE[4]


def test_hard_negatives_are_uniform_over_both_sides():
    anchors = torch.full((60_000,), 500)
    distance = draw_negatives(anchors, range(1000), 11, 40, generator()) - 500
    counts = torch.stack([(distance == d).sum() for d in [*range(-40, -10), *range(11, 41)]]).double()
    assert counts.sum() == 60_000
    assert chi_square(counts, torch.full((60,), 1000.0)) < CHI_SQUARE[59]


def test_at_the_edge_all_draws_come_from_the_side_that_is_there():
    drawn = draw_negatives(torch.full((10_000,), 3), range(0, 24), 11, 40, generator())
    counts = torch.bincount(drawn, minlength=24)[14:].double()
    assert counts.sum() == 10_000
    assert chi_square(counts, torch.full((10,), 1000.0)) < CHI_SQUARE[9]


@given(first=st.integers(0, 5000), length=st.integers(300, 3000), gap=st.integers(60, 150), seed=st.integers(0, 99))
def test_negatives_keep_their_distance_for_every_anchor(first, length, gap, seed):
    experiment = Experiment(soft_gap=gap, batch_size=3)
    days = range(first, first + length + 10)
    sampler = Sampler.of(experiment, "train", days, True, DAILY)
    batches = torch.stack(sampler.batches(generator(seed)))
    anchors, hard, soft = batches[:, 0], batches[:, 1], batches[:, 2]
    assert sorted(anchors.tolist()) == list(days)[5:-5]  # the ends of the record included
    assert ((hard - anchors).abs() >= 11).all() and ((hard - anchors).abs() <= 40).all()
    assert ((soft - anchors).abs() >= gap).all()
    positives = torch.stack([batches + 5, batches - 5])
    assert positives.min() >= days.start and positives.max() < days.stop


def test_an_epoch_is_as_large_as_the_papers():
    """14,031 training days: 334 batches and 42,063 samples with hard negatives, 110 and 14,021 without."""
    days = range(14_031)
    with_negatives = Sampler.of(Experiment(), "train", days, True, DAILY).batches(generator())
    without = Sampler.of(Experiment(), "train", days, False, DAILY).batches(generator())
    assert (len(with_negatives), sum(map(len, with_negatives))) == (334, 42_063)
    assert (len(without), sum(map(len, without))) == (110, 14_021)
    assert len(with_negatives[0]) == 126 and len(without[0]) == 128


def test_the_shortest_split_that_fits_the_gap():
    experiment = Experiment(soft_gap=100)
    Sampler.of(experiment, "train", range(210), True, DAILY).batches(generator())
    with pytest.raises(DataError, match=r"train split has 209 days.*needs 210.*lower soft_gap to 99"):
        Sampler.of(experiment, "train", range(209), True, DAILY)


def test_a_split_without_room_for_positives():
    with pytest.raises(DataError, match="validation split has 10 days"):
        Sampler.of(Experiment(), "validation", range(10), False, DAILY)


def test_order_differs_between_epochs_and_repeats_with_the_seed():
    sampler = Sampler.of(Experiment(soft_gap=100), "train", range(400), True, DAILY)
    once, again = generator(5), generator(5)
    first, second = sampler.batches(once)[0], sampler.batches(once)[0]
    assert torch.equal(first, sampler.batches(again)[0]) and not torch.equal(first, second)
