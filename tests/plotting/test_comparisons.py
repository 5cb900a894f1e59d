"""Figures of comparisons, ensembles, seasons and paths: what is drawn is what was given."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from sparta_core.data.clock import Clock
from sparta_core.evaluation.comparison import Measure
from sparta_core.plotting.comparison import attention, dots
from sparta_core.plotting.curves import STYLES, panels_against_ratio
from sparta_core.plotting.ensembles import by_variable, rank_histograms
from sparta_core.plotting.latents import planes, trajectories
from sparta_core.plotting.seasons import confusion, reliability

VARIABLES = ["2m_temperature", "geopotential"]


def test_dots_stand_at_their_values_and_baselines_beside():
    measure = Measure("forecast", "rrmse_percent_T5", "RRMSE (%)")
    frame = pd.DataFrame([
        {"task": "forecast", "metric": "rrmse_percent_T5", "setup": "LB30_S1", "model": model, "seed": seed, "value": v}
        for model, values in {"autoencoder": [8.0, 9.0], "sparta_early": [6.0, 7.0]}.items()
        for seed, v in enumerate(values)])  # fmt: skip
    other = frame.iloc[:1].assign(model="nearest seasonal mean", task="classification")  # has no line here
    frame = pd.concat([frame, other])
    ax = dots(frame, [measure], {"RRMSE (%)": {"climatology": 7.5}}).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["sparta early", "autoencoder"]
    drawn = {(round(x, 3), round(y, 3)) for line in ax.lines for x, y in line.get_xydata()}
    assert {(6, 0), (7, 0), (8, 1), (9, 1)} <= drawn  # a dot a seed
    assert {(6.5, 0.3), (8.5, 0.7)} <= drawn  # the mean as a bar
    assert (7.5, 0) in drawn and ax.texts[0].get_text() == "climatology"


def test_attention_names_who_attends_to_whom():
    weights = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.0, 0.4, 0.6]])
    figure = attention(weights, ("CLS", *VARIABLES))
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["0.90", "0.10", "0.20", "0.50", "0.30", "0.40", "0.60"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["CLS", "2 m temperature", "geopotential"]
    assert ax.get_xlabel() == "attended to" and (np.asarray(ax.images[0].get_array()) == weights).all()


def ensemble(ranks, **scores):
    data = {n: ("variable", np.array(v)) for n, v in scores.items()}
    data["ranks"] = (("variable", "rank"), np.array(ranks))
    return xr.Dataset(data, {"variable": VARIABLES})


def test_rank_histograms_show_shares_and_the_flat_line():
    ranks = [[0.5, 0.2, 0.3], [0.2, 0.2, 0.6]]
    axes = rank_histograms({"SPARTA-OI": ensemble(ranks), "climatological ensemble": ensemble(ranks)}, level=850).axes
    for ax, expected in zip(axes, ranks, strict=False):
        assert ax.patches[0].get_data().values == pytest.approx(100 * np.array(expected))
        assert ax.lines[0].get_ydata()[0] == pytest.approx(100 / 3)
    assert [ax.get_title() for ax in axes] == ["2 m temperature", "geopotential, 850 hPa"]


def test_scores_by_variable_leave_out_what_an_ensemble_has_not():
    flat = np.full((2, 3), 1 / 3)
    scores = {"SPARTA-OI": ensemble(flat, crps_skill=[0.1, -0.2], spread_skill=[0.9, 0.8]),
              "climatological ensemble": ensemble(flat, spread_skill=[1.0, 1.1])}  # fmt: skip
    skill, spread = by_variable(scores, level=850).axes
    assert skill.lines[0].get_xdata().tolist() == [-0.2, 0.1]  # first variable on top
    assert len(skill.lines) == 2 and len(spread.lines) == 3  # dots, and the line of reference
    assert skill.lines[-1].get_xdata() == [0, 0] and spread.lines[-1].get_xdata() == [1, 1]


def test_panels_against_the_ratio():
    scores = xr.Dataset({"accuracy": (("model", "ratio"), [[0.9, 0.8], [0.7, 0.6]]),
                         "cross_entropy": (("model", "ratio"), [[0.2, 0.3], [np.nan, np.nan]])},
                        {"model": ["SPARTA-OI", "nearest seasonal mean"], "ratio": [0.2, 0.9]})  # fmt: skip
    entropy, accuracy = panels_against_ratio(scores, ["cross_entropy", "accuracy"]).axes
    assert [line.get_label() for line in entropy.lines] == ["SPARTA-OI"]
    assert accuracy.lines[1].get_ydata().tolist() == [0.7, 0.6]


def season_scores():
    counts = np.array([[[8, 2, 0, 0], [1, 9, 0, 0], [0, 0, 0, 0], [0, 0, 5, 5]]])
    return xr.Dataset({
        "confusion": (("model", "season", "predicted"), counts),
        "confidence": (("model", "bin"), [[0.4, 0.9, np.nan]]), "hits": (("model", "bin"), [[0.3, 0.95, np.nan]]),
        "hits_low": (("model", "bin"), [[0.1, 0.8, np.nan]]), "hits_high": (("model", "bin"), [[0.6, 0.99, np.nan]])},
        {"model": ["SPARTA-OI"], "season": list("WSUA"), "predicted": list("WSUA")})  # fmt: skip


def test_confusion_is_a_share_of_each_seasons_days():
    ax = confusion(season_scores()).axes[0]
    texts = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    assert texts[0, 0] == "80" and texts[0, 1] == "20" and texts[3, 2] == "50"
    assert (2, 0) not in texts  # a season without days


def test_reliability_is_points_with_their_intervals():
    ax = reliability(season_scores()).axes[0]
    assert list(ax.lines[0].get_xdata()) == list(ax.lines[0].get_ydata())  # the diagonal
    (drawn,) = ax.containers
    points, _, (bars,) = drawn.lines
    assert points.get_linestyle() == "None" and points.get_color() == STYLES["SPARTA-OI"]["color"]
    assert np.column_stack(points.get_data()) == pytest.approx(np.array([[40, 30], [90, 95]]))
    assert np.array(bars.get_segments()) == pytest.approx(np.array([[[40, 10], [40, 60]], [[90, 80], [90, 99]]]))


def test_reliability_has_no_point_of_too_few_days():
    none = season_scores().assign({name: xr.full_like(season_scores()[name], np.nan)
                                   for name in ("confidence", "hits", "hits_low", "hits_high")})  # fmt: skip
    assert not reliability(none).axes[0].containers


def test_planes_share_their_colours():
    points = np.random.default_rng(0).normal(size=(20, 2))
    figure = planes({"a": points, "b": 2 * points}, np.arange(1, 21))
    first, second = figure.axes[:2]
    assert np.asarray(second.collections[0].get_offsets()) == pytest.approx(2 * points)
    assert first.collections[0].get_clim() == second.collections[0].get_clim() == (1, 366)


def test_arrows_lead_to_the_day_after_the_window():
    points = np.random.default_rng(0).normal(size=(40, 2))
    ax = trajectories(points, np.arange(1, 41), [3, 20], 10, ["2001-01-04", "2001-01-21"]).axes[0]
    assert np.column_stack(ax.lines[0].get_data()) == pytest.approx(points[3:13])
    arrow = ax.texts[0]
    assert arrow.xyann == pytest.approx(points[12]) and arrow.xy == pytest.approx(points[13])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "10 days from 2001-01-04", "10 days from 2001-01-21"]


def test_windows_are_as_long_as_their_clock_says():
    points = np.random.default_rng(0).normal(size=(40, 2))
    clock = Clock(np.timedelta64(12, "h"))
    ax = trajectories(points, np.arange(1, 41), [3], 10, ["2001-01-02T12"], clock=clock).axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["5 days from 2001-01-02T12"]
