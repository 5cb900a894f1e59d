"""Figures of assimilation, read back from what is drawn."""

import numpy as np
import pytest
from matplotlib.patches import Ellipse

from sparta_core.plotting.assimilation import along_line, errors_by_day, plane


def test_ellipses_are_of_one_and_two_standard_deviations():
    """Turned by 30 degrees, with standard deviations 2 and 0.5 along their axes."""
    turn = np.deg2rad(30)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    covariance = axes @ np.diag([4.0, 0.25]) @ axes.T
    states = {"background": ([0.0, 1.0], covariance), "analysis": ([1.0, 1.0], np.eye(2))}
    ax = plane(states, [1.0, 0.5], 1.5, 0.4, [1.0, 0.0]).axes[0]
    first, second = [patch for patch in ax.patches if isinstance(patch, Ellipse)][:2]
    assert (first.width, first.height) == pytest.approx((4, 1)) and second.width == pytest.approx(8)
    assert first.angle % 180 == pytest.approx(30) and tuple(first.center) == (0, 1)


def test_the_observation_is_a_line_of_the_scores_that_give_it():
    """And its band is where they give one standard deviation more or less."""
    states = {"background": ([0, 0], np.eye(2)), "analysis": ([1, 0], np.eye(2))}
    ax = plane(states, [2.0, 1.0], 3.0, 0.5, [1, 1]).axes[0]
    line = ax.lines[0].get_xydata()
    np.testing.assert_allclose(line @ [2.0, 1.0], 3.0)
    band = ax.patches[0].get_xy()[:4] @ [2.0, 1.0]
    assert sorted({round(float(value), 6) for value in band}) == [2.5, 3.5]


def test_errors_from_day_to_day_with_their_means():
    days = np.datetime64("2001-01-01") + np.arange(3)
    ax = errors_by_day({"a": [1.0, 2.0, 3.0], "b": [4.0, 4.0, 4.0]}, days, "date", "MSE (1)").axes[0]
    assert [text.get_text() for text in ax.get_legend().texts] == ["a (2)", "b (4)"]
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), [1, 2, 3])
    assert ax.get_ylim() == (0, 4.8) and ax.get_xlabel() == "date" and ax.get_ylabel() == "MSE (1)"


def test_analyses_along_a_line_with_their_bands():
    x, truth = np.arange(4.0), np.array([0.0, 1.0, 4.0, 9.0])
    fig = along_line(x, truth, [1, 3], {"a": (truth + 1, np.full(4, 0.5)), "b": (truth, np.ones(4))}, "place", "value")
    first, second = fig.axes
    np.testing.assert_array_equal(first.lines[0].get_ydata(), truth + 1)
    np.testing.assert_array_equal(first.lines[2].get_xydata(), [[1, 1], [3, 9]])
    band = first.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0.5 and band[:, 1].max() == 10.5
    assert (first.get_title(), second.get_title(), first.get_ylabel(), second.get_ylabel()) == ("a", "b", "value", "")
