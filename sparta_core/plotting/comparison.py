"""Models side by side: a panel a measure, a dot a seed; and who attends to whom."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sparta_core.data.variables import short_label
from sparta_core.evaluation.comparison import Measure
from sparta_core.plotting.panels import panels


def dots(frame: pd.DataFrame, measures: Sequence[Measure], references: Mapping[str, Mapping[str, float]] | None = None,
         title: str = "") -> Figure:  # fmt: skip
    """A panel a measure, a line a model that has any, a dot a seed, the mean as a bar.

    Args:
        frame: rows of the scorecard.
        measures: what is shown of them.
        references: baselines' values by name, by a measure's label: dashed lines that a model should pass.
        title: above all panels.
    """
    references = references or {}
    shown = pd.concat([measure.of(frame) for measure in measures])
    models = [name for name in frame.model.drop_duplicates() if name in set(shown.model)][::-1]
    even = -(-len(measures) // -(-len(measures) // 4))  # columns, four at most
    fig, axes = panels(len(measures), lambda rows, _: (10, rows * (0.9 + 0.24 * len(models))), even, title, sharey=True)
    for ax, measure in zip(axes.flat, measures, strict=False):
        values = measure.of(frame)
        for place, model in enumerate(models):
            seeds = values[values.model == model].value.to_numpy()
            ax.plot(seeds, np.full(len(seeds), place), "o", markersize=4.5, color="#0072B2", alpha=0.7)
            if len(seeds) > 1:
                ax.plot([seeds.mean()] * 2, [place - 0.3, place + 0.3], color="#D55E00", linewidth=1.8)
        for name, value in references.get(measure.label, {}).items():
            ax.axvline(value, color="0.45", linestyle="--", linewidth=1)
            ax.annotate(name, (value, 1), xycoords=("data", "axes fraction"), xytext=(2, -2), rotation=90,
                        textcoords="offset points", fontsize=7, color="0.35", va="top")  # fmt: skip
        ax.set_title(measure.label, fontsize=9)
        ax.set_yticks(range(len(models)), [name.replace("_", " ") for name in models], fontsize=8)
        ax.tick_params(axis="x", labelsize=8)
        ax.margins(x=0.12, y=0.1)
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
    return fig


def attention(weights: ArrayLike, names: Sequence[str], title: str = "") -> Figure:
    """Who attends to whom.

    Args:
        weights: (to, from), rows sum to 1.
        names: of rows and columns, variables or CLS.
        title: above the panel.

    Example:
        >>> attention([[0.8, 0.2], [0.4, 0.6]], ["CLS", "geopotential"]).axes[0].get_xlabel()
        'attended to'
    """
    weights = np.asarray(weights)
    words = [short_label(name) for name in names]
    fig, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    plt.close(fig)
    image = ax.imshow(weights, cmap="viridis", vmin=0, vmax=float(weights.max()), aspect="auto")
    for (i, j), value in np.ndenumerate(weights):
        if value:
            ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8,
                    color="white" if value < 0.6 * weights.max() else "black")  # fmt: skip
    ax.set_xticks(range(len(words)), words, rotation=30, ha="right", fontsize=9)
    ax.set_yticks(range(len(words)), words, fontsize=9)
    ax.set(xlabel="attended to", ylabel="who attends", title=title)
    fig.colorbar(image, ax=ax, label="share of attention")
    return fig
