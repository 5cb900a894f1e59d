"""Ensembles: where the truth falls among the members, and how good and how sure they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from sparta_core.data.variables import label
from sparta_core.plotting.curves import SCORES, STYLES
from sparta_core.plotting.panels import legend, panels

LINES = {"crps_skill": 0.0, "spread_skill": 1.0}  # no better than climatology; as wide as it is wrong


def rank_histograms(scores: Mapping[str, xr.Dataset], title: str = "", *, level: int) -> Figure:
    """How often the truth has each rank among the members: a panel a variable, a line an ensemble.

    The thin line is a perfect ensemble's; a U means too little spread.

    Args:
        scores: by the ensembles' names, which hold ranks (variable, rank), shares.
        title: above all panels.
        level: hPa, which the titles of variables name.
    """
    names = next(iter(scores.values())).variable.values
    fig, axes = panels(len(names), lambda rows, _: (10, 3.1 * rows), 3, title, sharey=True)
    for ax, name in zip(axes.flat, names, strict=False):
        for model, ensemble in scores.items():
            ranks = ensemble.ranks.sel(variable=name).values
            ax.stairs(100 * ranks, np.arange(len(ranks) + 1) - 0.5, label=model, baseline=None, **STYLES.get(model, {}))
        ax.axhline(100 / len(ranks), color="0.6", linewidth=0.8, zorder=0)
        ax.set(title=label(str(name), level).name, xlabel="members below the truth")
        ax.title.set_fontsize(10)
    for ax in axes[:, 0]:
        ax.set_ylabel("share of points (%)")
    axes.flat[0].set_ylim(bottom=0)
    legend(fig, axes)
    return fig


def by_variable(scores: Mapping[str, xr.Dataset], names: Sequence[str] = tuple(LINES), title: str = "", *,
                level: int) -> Figure:  # fmt: skip
    """A panel a score, a row a variable, a dot an ensemble that has the score.

    Args:
        scores: (variable), by the ensembles' names.
        names: which of them.
        title: above all panels.
        level: hPa, which the names of variables tell.
    """
    variables = next(iter(scores.values())).variable.values[::-1]
    fig, axes = panels(len(names), lambda _, columns: (2.8 + 3.2 * columns, 2.9), title=title, sharey=True)
    for ax, name in zip(axes.flat, names, strict=True):
        for model, ensemble in scores.items():
            if name in ensemble:
                ax.plot(ensemble[name].sel(variable=variables), np.arange(len(variables)), "o", label=model,
                        color=STYLES.get(model, {}).get("color"))  # fmt: skip
        ax.axvline(LINES[name], color="0.45", linestyle="--", linewidth=1)
        ax.set_xlabel(SCORES[name])
        ax.set_yticks(range(len(variables)), [label(str(v), level).name for v in variables])
        ax.margins(y=0.15)
        ax.grid(axis="y", color="0.92")
    legend(fig, axes)
    return fig
