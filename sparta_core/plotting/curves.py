"""Curves: losses over epochs, scores over leads and mask ratios."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter

from sparta_core.data.variables import label
from sparta_core.evaluation.scorecard import OURS
from sparta_core.plotting.panels import legend, panels

# Okabe and Ito's colours, told apart by colour-blind readers; baselines are dashed.
STYLES: dict[str, dict[str, object]] = {
    "climatology": {"color": "0.45", "linestyle": "--"},
    "persistence": {"color": "#E69F00", "linestyle": "--"},
    "damped persistence": {"color": "#CC79A7", "linestyle": "--"},
    "linear inverse model": {"color": "#009E73", "linestyle": "--"},
    "nearest": {"color": "#56B4E9", "linestyle": "--"},
    "linear interpolation": {"color": "#E69F00", "linestyle": "--"},
    "optimal interpolation": {"color": "#009E73", "linestyle": "--"},
    "PCA + logistic regression": {"color": "#009E73", "linestyle": "--"},
    "nearest seasonal mean": {"color": "#56B4E9", "linestyle": "--"},
    "climatological ensemble": {"color": "0.45", "linestyle": "--"},
    "scores + logistic regression": {"color": "#CC79A7", "linestyle": "--"},
    "paper's autoencoder": {"color": "#0072B2"},
    "paper's SPARTA": {"color": "0.1"},
    OURS: {"color": "#D55E00", "linewidth": 2.0},
}
OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "0.2", "#8C510A")  # models without a style of their own, in turn
SCORES = {
    "rrmse": "RRMSE", "rmse": "RMSE", "bias": "bias", "acc": "anomaly correlation", "ssim": "SSIM", "psnr": "PSNR",
    "skill": "skill over climatology", "mse": "mean squared error", "cross_entropy": "cross-entropy (nats)",
    "accuracy": "accuracy", "macro_f1": "macro-averaged F1", "crps_skill": "CRPS skill over climatology",
    "spread_skill": "spread / error", "sparse_to_full": "squared distance / random pairs",
}  # fmt: skip
ZERO_IS_MARKED = ("bias", "acc", "skill", "crps_skill")


def losses(history: Mapping[str, Sequence[float]], names: Sequence[str]) -> Figure:
    """A panel a loss: training and validation over epochs, logarithmic; falls of the rate are marked.

    Args:
        history: the columns of history.csv: epoch, learning_rate, training_<name>, validation_<name>.
        names: of the losses.

    Example:
        >>> history = {"epoch": [1, 2], "learning_rate": [1e-3, 1e-4], "training_mse": [2, 1], "validation_mse": [3, 2]}
        >>> [line.get_label() for line in losses(history, ["mse"]).axes[0].lines]
        ['training', 'validation', 'rate / 10']
    """
    fig, axes = panels(len(names), lambda _, columns: (min(10, 4.5 * columns), 3.2))
    epoch, rate = np.asarray(history["epoch"]), np.asarray(history["learning_rate"])
    for ax, name in zip(axes.flat, names, strict=True):
        ax.plot(epoch, history[f"training_{name}"], color="#0072B2", marker=".", label="training")
        ax.plot(epoch, history[f"validation_{name}"], color="#D55E00", marker=".", label="validation")
        for fall in epoch[1:][rate[1:] < rate[:-1]]:
            ax.axvline(fall, color="0.7", linewidth=0.8, linestyle=":", label="rate / 10")
        ax.set(xlabel="epoch", title=name.replace("_", " "))
        _logarithmic(ax)
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("loss")
    axes[0, -1].legend(frameon=False, fontsize=9)
    return fig


def scores_by_lead(scores: xr.Dataset, name: str, title: str = "", *, level: int) -> Figure:
    """A score over leads: a panel a variable, a line a model, seeds as their mean and range.

    Args:
        scores: (model, lead), and where there are any (seed) and (variable).
        name: which of them.
        title: above all panels.
        level: hPa, which the titles of variables name.
    """
    score = scores[name]
    if "variable" not in score.dims:
        score = score.expand_dims(variable=[""])
    fig, axes = panels(score.sizes["variable"], lambda rows, columns: (10 if columns > 1 else 6.5, 3.1 * rows + 0.5), 3,
                       title)  # fmt: skip
    for ax, variable in zip(axes.flat, score["variable"].values, strict=False):
        _lines(ax, score.sel(variable=variable), "lead")
        ax.set(xlabel=f"lead ({scores.lead.attrs['units']})", ylabel=_score_label(scores, name, variable))
        if variable:
            ax.set_title(label(str(variable), level).name, fontsize=10)
        if name in ZERO_IS_MARKED:
            ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    legend(fig, axes)
    return fig


def score_against_ratio(scores: xr.Dataset, name: str = "mse", title: str = "") -> Figure:
    """A score over the share of values masked: a panel a grid on which they are, a line a model.

    Args:
        scores: (model, mask_grid, ratio), with their units.
        name: which of them.
        title: above all panels.
    """
    grids = scores.mask_grid.values
    fig, axes = panels(len(grids), lambda _, columns: (3.5 + 3.5 * columns, 3.8), title=title, sharey=True)
    for ax, grid in zip(axes.flat, grids, strict=True):
        _against_ratio(ax, scores[name].sel(mask_grid=grid), f"masked on the {grid} grid")
        _logarithmic(ax)
    axes[0, 0].set_ylabel(f"{SCORES[name]} ({scores[name].attrs['units']})")
    legend(fig, axes)
    return fig


def panels_against_ratio(scores: xr.Dataset, names: Sequence[str], title: str = "") -> Figure:
    """Scores over the share of values masked: a panel a score, a line a model that has it.

    Args:
        scores: (model, ratio), NaN where a model has none.
        names: which of them.
        title: above all panels.
    """
    fig, axes = panels(len(names), lambda _, columns: (4.2 + 2.3 * columns, 3.3), title=title)
    for ax, name in zip(axes.flat, names, strict=True):
        _against_ratio(ax, scores[name].dropna("model", how="all"), SCORES[name])
    legend(fig, axes)
    return fig


def _logarithmic(ax: Axes) -> None:
    """A logarithmic y axis with few plain labels: 1, 2, 5 times powers of ten, or round steps within one."""
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 5 * low else MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter("{x:.3g}")
    ax.yaxis.set_minor_locator(NullLocator())


def _lines(ax: Axes, score: xr.DataArray, along: str) -> None:
    """A line a model along one coordinate; the band is the range over seeds."""
    if "seed" not in score.dims:
        score = score.expand_dims("seed")
    ax.set_prop_cycle(color=OTHERS)
    x = score[along].values
    marker = "." if x.size <= 12 else ""
    for model in score.model.values:
        seeds, style = score.sel(model=model), STYLES.get(str(model), {})
        (line,) = ax.plot(x, seeds.mean("seed"), marker=marker, label=str(model), **style)  # type: ignore[arg-type]
        if seeds.sizes["seed"] > 1:
            ax.fill_between(x, seeds.min("seed"), seeds.max("seed"), color=line.get_color(), alpha=0.2, linewidth=0)


def _against_ratio(ax: Axes, score: xr.DataArray, title: str) -> None:
    """A line a model over the share of values masked."""
    _lines(ax, score, "ratio")
    ax.set_xlabel("values masked (%)")
    ax.set_title(title, fontsize=10)
    ax.xaxis.set_major_formatter(PercentFormatter(1, 0, ""))


def _score_label(scores: xr.Dataset, name: str, variable: str) -> str:
    units = scores[name].attrs.get("units", "1")
    if units == "the variable's":
        units = str(scores.units.sel(variable=variable).values)
    return SCORES[name] if units == "1" else f"{SCORES[name]} ({units})"
