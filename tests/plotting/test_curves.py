"""Curves and scatter: what is drawn are the numbers that were given."""

import numpy as np
import pytest
import xarray as xr

from sparta_core.plotting.curves import STYLES, losses, score_against_ratio, scores_by_lead
from sparta_core.plotting.latents import scatter_by_season


def made_up_scores(seeds=2):
    rng = np.random.default_rng(0)
    models = ["climatology", "SPARTA-OI"]
    rmse = rng.random((2, seeds, 4, 2)) + 1
    scores = xr.Dataset(
        {"rmse": (("model", "seed", "lead", "variable"), rmse), "rrmse": (("model", "seed", "lead"), rmse[..., 0])},
        {"model": models, "seed": range(seeds), "lead": ("lead", [1, 2, 3, 4], {"units": "days"}),
         "variable": ["2m_temperature", "geopotential"], "units": ("variable", ["K", "m2 s-2"])})  # fmt: skip
    scores.rmse.attrs["units"], scores.rrmse.attrs["units"] = "the variable's", "%"
    return scores


def test_losses_show_both_parts_and_the_falls_of_the_rate():
    history = {"epoch": [1, 2, 3], "learning_rate": [0.1, 0.1, 0.01], "training_mse": [3.0, 2, 1],
               "validation_mse": [4.0, 3, 2]}  # fmt: skip
    (ax,) = losses(history, ["mse"]).axes
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["training"].get_ydata().tolist() == [3, 2, 1]
    assert lines["validation"].get_ydata().tolist() == [4, 3, 2]
    assert lines["rate / 10"].get_xdata() == [3, 3]


def test_scores_by_lead_draw_the_mean_and_range_over_seeds():
    scores = made_up_scores()
    figure = scores_by_lead(scores, "rmse", "title", level=850)
    panels = [ax for ax in figure.axes if ax.lines]
    assert [ax.get_title() for ax in panels] == ["2 m temperature", "geopotential, 850 hPa"]
    assert [ax.get_ylabel() for ax in panels] == ["RMSE (K)", "RMSE (m2 s-2)"]
    sparta = {line.get_label(): line for line in panels[1].lines}["SPARTA-OI"]
    one = scores.rmse.sel(model="SPARTA-OI", variable="geopotential")
    assert sparta.get_ydata() == pytest.approx(one.mean("seed").values)
    assert sparta.get_color() == STYLES["SPARTA-OI"]["color"]
    band = panels[1].collections[1].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(float(one.min())) and band.max() == pytest.approx(float(one.max()))


def test_scores_without_variables_have_one_panel_with_units():
    figure = scores_by_lead(made_up_scores(), "rrmse", level=850)
    (ax,) = [ax for ax in figure.axes if ax.lines]
    assert ax.get_ylabel() == "RRMSE (%)" and ax.get_xlabel() == "lead (days)"


def test_leads_are_in_the_units_of_their_clock():
    lead = ("lead", [12, 24, 36, 48], {"units": "hours"})
    figure = scores_by_lead(made_up_scores().assign_coords(lead=lead), "rrmse", level=850)
    (ax,) = [ax for ax in figure.axes if ax.lines]
    assert ax.get_xlabel() == "lead (hours)" and list(ax.lines[0].get_xdata()) == [12, 24, 36, 48]


def test_legends_are_inside_the_page():
    for seeds, name in ((2, "rrmse"), (1, "rmse")):
        figure = scores_by_lead(made_up_scores(seeds), name, level=850)
        figure.draw_without_rendering()
        box, page = figure.get_tightbbox(), figure.bbox_inches
        assert box.x1 <= page.x1 + 0.02 and box.y1 <= page.y1 + 0.02 and box.x0 >= -0.02


def test_score_against_the_ratio_has_a_panel_a_mask_grid():
    values = np.array([[[0.1, 0.2], [0.15, 0.25]], [[0.3, 0.3], [0.3, 0.3]]])
    mse = xr.DataArray(values, {"model": ["SPARTA-OI", "climatology"], "mask_grid": ["native", "enlarged"],
                                "ratio": [0.5, 0.9]}, attrs={"units": "training variance"})  # fmt: skip
    axes = score_against_ratio(xr.Dataset({"mse": mse})).axes
    for grid, ax in enumerate(axes):
        assert {line.get_label(): line.get_ydata().tolist() for line in ax.lines} == {
            "SPARTA-OI": values[0, grid].tolist(), "climatology": [0.3, 0.3]}
        assert ax.xaxis.get_major_formatter()(0.5, 0) == "50"
    assert [ax.get_title() for ax in axes] == ["masked on the native grid", "masked on the enlarged grid"]
    assert axes[0].get_ylim() == axes[1].get_ylim()


def test_scatter_colours_close_over_new_year():
    points = np.random.default_rng(0).normal(size=(366, 2))
    figure = scatter_by_season(points, np.arange(1, 367), [0.4, 0.25], "title")
    dots = figure.axes[0].collections[0]
    colours = dots.to_rgba(np.array([1, 183, 366]))
    assert np.abs(colours[0] - colours[2]).max() < 0.05 < np.abs(colours[0] - colours[1]).max()
    assert np.asarray(dots.get_offsets()) == pytest.approx(points)
    assert "40%" in figure.axes[0].get_xlabel()
