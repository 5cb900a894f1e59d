"""Moments against numpy's, in float64, whatever the parts and whatever is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparta_core.data.moments import Moments


def values(seed, days, hole):
    generator = np.random.default_rng(seed)
    made = generator.normal(generator.uniform(-1e5, 1e5, 3)[:, None, None], 1.0, (days, 3, 4, 5))
    made[generator.random(made.shape) < hole] = np.nan
    made[0, 0, 0, 0] = np.inf if hole else made[0, 0, 0, 0]
    return made.astype(np.float32)


@given(st.integers(0, 99), st.integers(1, 9), st.sampled_from([0.0, 0.3]), st.integers(0, 8))
def test_moments_of_parts_together_are_those_of_the_whole(seed, days, hole, cut):
    made = values(seed, days, hole)
    pieces = [piece for piece in (made[:cut], made[cut:]) if len(piece)]
    total = Moments.joined([Moments.of(piece) for piece in pieces]).total()
    flat = [x[np.isfinite(x)].astype(np.float64) for x in made.transpose(1, 0, 2, 3).reshape(3, -1)]
    for name, of in [("number", np.size), ("mean", np.mean), ("minimum", np.min), ("maximum", np.max)]:
        np.testing.assert_allclose(getattr(total, name), [of(x) for x in flat], rtol=1e-13)
    np.testing.assert_allclose(total.std, [x.std() for x in flat], rtol=1e-9)


def test_a_part_of_the_days():
    made = values(0, 9, 0.0)
    part = Moments.of(made).part(range(2, 5)).total()
    np.testing.assert_allclose(part.mean, made[2:5].mean((0, 2, 3), dtype=np.float64), rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_days_of_nothing_count_for_nothing():
    made = values(1, 6, 0.0)
    made[2:4] = np.nan
    moments = Moments.of(made)
    assert moments.number[2:4].sum() == 0 and (moments.mean[2:4] == 0).all() and (moments.std[2:4] == 0).all()
    np.testing.assert_allclose(moments.total().mean, np.nanmean(made, (0, 2, 3), dtype=np.float64), rtol=1e-12)
