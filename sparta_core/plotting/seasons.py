"""The season classifier: what it confuses, and whether it is as sure as it is right."""

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from sparta_core.plotting.curves import OTHERS, STYLES
from sparta_core.plotting.panels import panels


def confusion(scores: xr.Dataset, title: str = "") -> Figure:
    """Of each season's days the share (%) that is taken for each, a panel a model; blank for seasons without days.

    Args:
        scores: which hold confusion (model, season, predicted), counts of days.
        title: above all panels.
    """
    models, seasons = scores.model.values, scores.season.values
    fig, axes = panels(len(models), lambda rows, columns: (2.6 * columns + 0.8, 2.9 * rows + 0.5), 4, title,
                       sharey=True)  # fmt: skip
    for ax, model in zip(axes.flat, models, strict=False):
        counts = scores.confusion.sel(model=model)
        share = (100 * counts / counts.sum("predicted").where(lambda n: n > 0)).values
        image = ax.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for (i, j), value in np.ndenumerate(share):
            if np.isfinite(value):
                ax.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=9,
                        color="white" if value > 60 else "black")  # fmt: skip
        ax.set_xticks(range(len(seasons)), seasons)
        ax.set_yticks(range(len(seasons)), seasons)
        ax.set(xlabel="taken for", title=model)
        ax.title.set_fontsize(9)
    for ax in axes[:, 0]:
        ax.set_ylabel("season")
    fig.colorbar(image, ax=axes, label="share of the season's days (%)", shrink=0.8)
    return fig


def reliability(scores: xr.Dataset, title: str = "") -> Figure:
    """Share of days that are right, with its interval, over how sure the classifier was: a point a bin of days.

    On the diagonal a classifier is as sure as it is right; below it, too sure.

    Args:
        scores: which hold confidence, hits, hits_low and hits_high (model, bin), NaN where there is no bin.
        title: above the panel.
    """
    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    plt.close(fig)
    ax.plot([0, 100], [0, 100], color="0.7", linewidth=0.8)
    ax.set_prop_cycle(color=OTHERS)
    for model in scores.model.values:
        shares = 100 * scores.sel(model=model).dropna("bin", subset=["hits"])
        if shares.bin.size:
            hits = shares.hits
            reach = ((hits - shares.hits_low).clip(0), (shares.hits_high - hits).clip(0))  # rounding is no reach
            ax.errorbar(shares.confidence, hits, reach, fmt="o", markersize=5, capsize=3, label=str(model),
                        color=STYLES.get(str(model), {}).get("color"))  # fmt: skip
    ax.set(xlabel="probability given to the likeliest season (%)", ylabel="right (%)", xlim=(20, 102),
           ylim=(-2, 102))  # fmt: skip
    fig.suptitle(title, fontsize=12)
    if ax.containers:
        fig.legend(frameon=False, fontsize=9, loc="outside right center")
    return fig
