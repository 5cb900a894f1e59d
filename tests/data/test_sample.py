"""Samples: NaN and the mask are one another's inverse, and rows keep their mask and their time on the way."""

import numpy as np
import pandas as pd
import pytest
import torch

from sparta_core.data.sample import Sample, seconds

DATES = np.array(["1959-12-31", "1970-01-01", "2000-02-29", "2023-01-10", "2100-07-01"], "M8[D]")


def gappy(seed=0):
    """Five days of two variables on 3x4 points, a third of them NaN."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(5, 2, 3, 4, generator=generator)
    return torch.where(torch.rand(values.shape, generator=generator) < 1 / 3, torch.nan, values)


def same(a, b):
    """Whether all of two samples is equal, bit for bit."""
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("values", "observed", "time"))


def test_nan_becomes_a_mask_and_comes_back():
    days = gappy()
    sample = Sample.of(days, DATES)
    assert 0 < days.isnan().sum() < days.numel()
    assert torch.equal(sample.observed, (~days.isnan()).float()) and sample.values.isfinite().all()
    assert torch.equal(sample.shown, days.nan_to_num(0))
    torch.testing.assert_close(sample.with_gaps, days, rtol=0, atol=0, equal_nan=True)
    assert same(Sample.of(sample.with_gaps, sample.dates), sample)


def test_what_is_hidden_keeps_its_value_and_shows_none():
    values = torch.tensor([[[[1.0, -2.0], [3.0, 4.0]]]])
    sample = Sample(values, torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]]), torch.zeros(1, dtype=torch.int64))
    assert sample.shown.tolist() == [[[[1, 0], [0, 4]]]] and torch.equal(sample.values, values)
    assert sample.with_gaps.isnan().tolist() == [[[[False, True], [True, False]]]]
    assert sample.with_gaps[sample.observed > 0].tolist() == [1, 4]


def test_full_fields_are_observed_everywhere_at_no_cost_of_memory():
    values = torch.randn(5, 2, 3, 4, dtype=torch.float64)
    sample = Sample.full(values, seconds(DATES))
    assert torch.equal(sample.observed, torch.ones_like(values)) and sample.values is values
    assert torch.equal(sample.shown, values) and torch.equal(sample.with_gaps, values)
    assert sample.observed.untyped_storage().nbytes() == values.element_size()


@pytest.mark.parametrize("size, lengths", [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_a_split_is_all_rows_in_their_order(size, lengths):
    sample = Sample.of(gappy(), DATES)
    parts = list(sample.split(size))
    assert [len(part) for part in parts] == lengths
    assert same(Sample(*(torch.cat([getattr(part, name) for part in parts])
                         for name in ("values", "observed", "time"))), sample)  # fmt: skip


@pytest.mark.parametrize("rows", [slice(1, 4), torch.tensor([3, 0, 3])])
def test_rows_keep_their_mask_and_their_time(rows):
    days, part = gappy(), Sample.of(gappy(), DATES)[rows]
    torch.testing.assert_close(part.with_gaps, days[rows], rtol=0, atol=0, equal_nan=True)
    np.testing.assert_array_equal(part.dates, DATES[rows.numpy() if isinstance(rows, torch.Tensor) else rows])


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_time_is_seconds_since_1970(unit):
    sample = Sample.of(gappy(), DATES.astype(f"M8[{unit}]"))
    assert sample.time.tolist() == [round(pd.Timestamp(date).timestamp()) for date in DATES]
    assert sample.time.dtype == torch.int64 and sample.dates.dtype == np.dtype("M8[s]")
    np.testing.assert_array_equal(sample.dates, DATES)


def test_fields_of_no_known_time_say_so():
    sample = Sample.of(gappy())
    assert len(sample.time) == 5 and np.isnat(sample.dates).all() and np.isnat(sample[1:3].dates).all()
