"""What is observed, shown beside the values: the same values as without it, and the masks that hid them."""

import pytest
import torch
from torch.nn import functional as F

from sparta_core.data.domain import Domain
from sparta_core.data.sample import Sample
from sparta_core.experiment import Experiment
from sparta_core.observe.masks import draw_ratios, random_points
from sparta_core.processes import Part
from sparta_core.views.augment import Views
from tests.globe import axes

GRID, VIEW, LARGE = (16, 32), (20, 40), (22, 44)
SMALL = {"view_size": VIEW, "crop_from": LARGE, "smoothing": 3}
AT_PLACES = {"view_size": GRID, "crop_from": GRID, "smoothing": 1}  # views are the days
KINDS = ("shown", "sparse", "augmented", "augmented_sparse")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def views(**changes):
    return Views(Experiment(**SMALL | changes), Domain(*axes(*GRID)))


def shown(made, kind, days, part=None):
    """Days (B, C, H, W), NaN where not observed, as the encoder is shown them."""
    sample = Sample.of(days)
    return made.shown(sample) if kind == "shown" else getattr(made, kind)(sample, generator(), part=part)


def days(count=6, seed=1):
    """Without a value near 0, so that what is 0 is masked."""
    x = torch.randn(count, 3, *GRID, generator=generator(seed))
    return x + x.sign()


def enlarged(x, size=VIEW):
    return F.interpolate(x.double(), size, mode="bicubic").float()


def cropped(x, rows, columns):
    """Every sample enlarged, cropped at its place and smoothed with zeros beyond, by torch."""
    big = enlarged(x, LARGE)
    crops = [day[:, i : i + VIEW[0], j : j + VIEW[1]] for day, i, j in zip(big, rows, columns, strict=True)]
    return F.avg_pool2d(torch.stack(crops), 3, stride=1, padding=1, count_include_pad=True)


def places_and_mask(shape):
    """The draws of `augmented_sparse`, in their order: crops, ratios, points."""
    g = generator()
    places = [torch.randint(large - size + 1, shape[:1], generator=g)
              for large, size in zip(LARGE, VIEW, strict=True)]  # fmt: skip
    ratios = draw_ratios(shape[0], Experiment().mask_ratio, g)
    return places, random_points(shape, ratios, g, torch.float32)


@pytest.mark.parametrize("mask_grid", ["native", "enlarged"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_values_are_those_without_the_mask(mask_grid, kind):
    both = shown(views(mask_input=True, mask_grid=mask_grid), kind, days())
    assert both.shape == (6, 6, *VIEW)
    assert torch.equal(both[:, :3], shown(views(mask_grid=mask_grid), kind, days()))


@pytest.mark.parametrize("mask_grid", ["native", "enlarged"])
@pytest.mark.parametrize("kind", KINDS)
def test_at_their_places_the_mask_is_1_exactly_where_values_are_kept(mask_grid, kind):
    values, seen = shown(views(mask_input=True, mask_grid=mask_grid, **AT_PLACES), kind, days()).chunk(2, 1)
    assert torch.equal(seen, (values != 0).float())
    torch.testing.assert_close(values, days() * seen, atol=1e-6, rtol=0)
    share = float(seen.mean())
    assert 0.2 < share < 0.4 if "sparse" in kind else share == 1


@pytest.mark.parametrize("kind", ["sparse", "augmented_sparse"])
def test_on_the_enlarged_grid_the_mask_is_the_one_that_was_drawn(kind):
    values, seen = shown(views(mask_input=True), kind, days()).chunk(2, 1)
    if kind == "augmented_sparse":
        _, expected = places_and_mask((6, 3, *VIEW))
    else:
        g = generator()
        expected = random_points((6, 3, *VIEW), draw_ratios(6, Experiment().mask_ratio, g), g, torch.float32)
    assert torch.equal(seen, expected) and not values[seen == 0].any()


def test_a_mask_of_the_native_grid_is_enlarged_with_its_values():
    values, seen = views(mask_input=True, mask_grid="native").sparse(Sample.of(days()), generator(), 0.7).chunk(2, 1)
    mask = random_points((6, 3, *GRID), 0.7, generator(), torch.float32)
    torch.testing.assert_close(seen, enlarged(mask), atol=1e-5, rtol=0)
    torch.testing.assert_close(values, enlarged(days() * mask), atol=1e-5, rtol=0)


def test_a_mask_of_the_native_grid_is_cropped_and_smoothed_with_its_values():
    made = shown(views(mask_input=True, mask_grid="native"), "augmented_sparse", days())
    places, mask = places_and_mask((6, 3, *GRID))
    expected = torch.cat([cropped(days() * mask, *places), cropped(mask, *places)], 1)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mask_grid", ["native", "enlarged"])
def test_of_which_nothing_is_hidden_is_as_without_masks(mask_grid):
    made = views(mask_input=True, mask_grid=mask_grid, mask_ratio=(0.0, 0.0))
    torch.testing.assert_close(shown(made, "sparse", days()), shown(made, "shown", days()))
    assert torch.equal(shown(made, "augmented_sparse", days()), shown(made, "augmented", days()))


def with_gaps():
    gappy = days()
    gappy[0], gappy[1, 2], gappy[2, :, 4:9] = torch.nan, torch.nan, torch.nan
    return gappy


@pytest.mark.parametrize("gaps", [True, False])
def test_what_is_nan_is_0_and_not_seen(gaps):
    """Also without `gaps`, which is of the training days: whoever applies a model has some."""
    there = (~with_gaps().isnan()).float()
    at_places = views(mask_input=True, mask_grid="native", gaps=gaps, **AT_PLACES)
    values, seen = shown(at_places, "shown", with_gaps()).chunk(2, 1)
    assert torch.equal(seen, there) and torch.equal(values, with_gaps().nan_to_num(0))
    values, seen = shown(views(mask_input=True, mask_grid="native", gaps=gaps), "shown", with_gaps()).chunk(2, 1)
    torch.testing.assert_close(seen, enlarged(there), atol=1e-5, rtol=0)
    torch.testing.assert_close(values, enlarged(with_gaps().nan_to_num(0)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_gaps_are_not_seen_in_any_view(kind):
    made = shown(views(mask_input=True, mask_grid="native", gaps=True, **AT_PLACES), kind, with_gaps())
    values, seen = made.chunk(2, 1)
    assert not seen[with_gaps().isnan()].any() and torch.equal(seen, (values != 0).float())
    assert torch.isfinite(made).all()


def test_a_variable_that_is_missing_is_not_seen():
    made = views(mask_input=True, mask_grid="native", variable_dropout=0.5, **AT_PLACES)
    values, seen = made.sparse(Sample.of(days(40)), generator(), 0.0).chunk(2, 1)
    missing = (values == 0).all(3).all(2)
    assert 0.3 < missing.float().mean() < 0.7
    assert torch.equal(seen, (~missing).float()[..., None, None].expand_as(seen))


@pytest.mark.parametrize("kind", ["sparse", "augmented", "augmented_sparse"])
def test_a_part_of_a_batch_is_seen_as_in_the_whole(kind):
    made = views(mask_input=True, mask_grid="native")
    whole = shown(made, kind, days())
    part = shown(made, kind, days()[2:5], Part(6, slice(2, 5)))
    torch.testing.assert_close(part, whole[2:5], atol=1e-6, rtol=0)
