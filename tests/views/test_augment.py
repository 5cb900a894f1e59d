"""Fused views against resize, crop and mean filter done one after the other by torch."""

import pytest
import torch
from torch.nn import functional as F

from sparta_core.data.domain import Domain
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.views.augment import Views, crop_matrices, resize_matrix, smoothing_matrix
from tests.globe import axes


def views(grid=(32, 64), **changes):
    return Views(Experiment(**changes), Domain(*axes(*grid)))


def stepwise(days, size, enlarged, i, j, smoothing):
    """The paper's steps, one sample at a time, in float64."""
    big = F.interpolate(days.double(), enlarged, mode="bicubic", align_corners=False)
    crop = big[..., i : i + size[0], j : j + size[1]]
    return F.avg_pool2d(crop, smoothing, stride=1, padding=smoothing // 2, count_include_pad=True)


def generator(seed):
    return torch.Generator().manual_seed(seed)


def places(made, count, seed):
    """The draws of `augmented`, in their order: rows, then columns."""
    g = generator(seed)
    return [torch.randint(len(crops), (count,), generator=g).tolist() for crops in (made.crop_rows, made.crop_columns)]


@pytest.mark.parametrize("sizes", [(32, 72), (64, 144), (32, 32), (64, 48), (121, 150)])
def test_resize_matrix_is_torchs_bicubic(sizes):
    size_in, size_out = sizes
    x = torch.randn(1, 1, size_in, 1, dtype=torch.float64)
    expected = F.interpolate(x, (size_out, 1), mode="bicubic", align_corners=False)
    assert torch.allclose(resize_matrix(*sizes) @ x[0, 0], expected[0, 0], atol=1e-12)


def test_resize_to_the_same_size_is_the_identity():
    assert torch.equal(resize_matrix(64, 64), torch.eye(64, dtype=torch.float64))


def test_smoothing_is_the_mean_of_neighbours_with_zeros_beyond():
    x = torch.tensor([1.0, 2, 3, 4, 5], dtype=torch.float64)
    assert smoothing_matrix(5, 3) @ x * 3 == pytest.approx([3, 6, 9, 12, 9])


@pytest.mark.parametrize("grid", [(32, 64), (64, 128)])
def test_every_crop_equals_the_steps_one_after_the_other(grid):
    e = Experiment()
    days = torch.randn(2, 5, *grid)
    made = views(grid)
    rows, columns = e.crop_from[0] - e.view_size[0] + 1, e.crop_from[1] - e.view_size[1] + 1
    assert (len(made.crop_rows), len(made.crop_columns)) == (rows, columns) == (9, 17)
    expected = {(i, j): stepwise(days, e.view_size, e.crop_from, i, j, e.smoothing)
                for i in range(rows) for j in range(columns)}  # fmt: skip
    drawn = set()
    for seed in range(16):
        shown = made.augmented(Sample.of(days.repeat(50, 1, 1, 1)), generator(seed))
        for k, place in enumerate(zip(*places(made, 100, seed), strict=True)):
            assert (shown[k] - expected[place][k % 2]).abs().max() < 1e-5, place
            drawn.add(place)
    assert drawn == expected.keys()


def test_full_view_is_the_enlarged_day():
    days = torch.randn(3, 5, 32, 64)
    expected = F.interpolate(days.double(), (72, 144), mode="bicubic")
    assert (views().shown(Sample.of(days)) - expected).abs().max() < 1e-5


def test_augmented_samples_have_crops_of_their_own():
    e, day = Experiment(), torch.randn(1, 1, 32, 64)
    shown = views().augmented(Sample.of(day.expand(400, 1, 32, 64)), generator(0))
    crops = {tuple(view[0, 30:32, 30:32].flatten().tolist()) for view in shown}
    assert len(crops) > 100  # of 9 x 17 = 153 possible ones, drawn 400 times: 142 expected
    everything = torch.cat([
        stepwise(day, e.view_size, e.crop_from, i, j, e.smoothing).float() for i in range(9) for j in range(17)])
    distance = (shown[:, None] - everything[None]).abs().amax((2, 3, 4)).min(1).values
    assert distance.max() < 1e-5


@pytest.mark.parametrize("mask_grid", ["enlarged", "native"])
def test_sparse_views_hide_what_the_mask_says(mask_grid):
    """A field of ones shows where it is observed: on the enlarged grid each pixel by itself is 0 or 1."""
    made = views(mask_grid=mask_grid)
    seen = made.sparse(Sample.of(torch.ones(4, 5, 32, 64)), generator(1), 0.7)
    binary = ((seen - 1).abs() < 1e-5) | (seen == 0)
    if mask_grid == "enlarged":
        assert binary.all()
    else:
        assert not binary.all()  # the enlarged mask of the native grid is smooth
        native = torch.linalg.pinv(made.rows) @ seen @ torch.linalg.pinv(made.columns.T)
        assert ((native.abs() < 1e-3) | ((native - 1).abs() < 1e-3)).all()
    assert seen.mean() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("mask_grid", ["enlarged", "native"])
def test_a_sparse_view_shows_what_is_observed(mask_grid):
    """In two steps, as the baselines and the explorer take them, as in one; on the grid on which values are masked."""
    made, days = views(mask_grid=mask_grid, mask_input=True), Sample.of(torch.randn(4, 5, 32, 64))
    observed = made.observe(days, generator(1), 0.7)
    assert made.observed_on.shape == {"enlarged": (72, 144), "native": (32, 64)}[mask_grid]
    assert observed.values.shape == observed.observed.shape == (4, 5, *made.observed_on.shape)
    assert torch.equal(made.shown(observed), made.sparse(days, generator(1), 0.7))


def test_positives_are_masked_at_ratios_of_their_own():
    made = views(mask_ratio=(0.2, 0.9))
    seen = made.augmented_sparse(Sample.of(torch.ones(200, 5, 32, 64)), generator(2))
    dropped = (seen == 0).double().mean((1, 2, 3))
    assert dropped.min() < 0.25 and dropped.max() > 0.85
    assert dropped.mean() == pytest.approx(0.55, abs=4 * 0.7 / 12**0.5 / 200**0.5)


def test_views_repeat_for_the_same_generator_state():
    days = Sample.of(torch.randn(3, 5, 32, 64))
    first, second = (views().augmented_sparse(days, generator(3)) for _ in range(2))
    other = views().augmented_sparse(days, generator(4))
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_crop_matrices_have_one_row_for_each_offset():
    crops = crop_matrices(4, 6, 5, 1)
    assert torch.equal(crops[1, :4], crops[0, 1:])
