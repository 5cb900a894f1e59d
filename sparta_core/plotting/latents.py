"""Embeddings as points in a plane."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

MONTHS = {"Jan": 1, "Apr": 91, "Jul": 182, "Oct": 274}


def scatter_by_season(points: ArrayLike, day_of_year: ArrayLike, explained: ArrayLike, title: str = "") -> Figure:
    """Points (N, 2) coloured by day of the year (N,), on a colour scale that closes over new year.

    `explained` (2,) are the shares of variance of the two axes.
    """
    points, explained = np.asarray(points), np.asarray(explained)
    fig, ax = plt.subplots(figsize=(6.2, 4.6), layout="constrained")
    plt.close(fig)
    dots = ax.scatter(points[:, 0], points[:, 1], c=day_of_year, cmap="twilight_shifted", vmin=1, vmax=366,
                      s=14, linewidths=0.3, edgecolors="0.4")  # fmt: skip
    ax.set(xlabel=f"first component ({explained[0]:.0%} of variance)",
           ylabel=f"second component ({explained[1]:.0%})", title=title)  # fmt: skip
    ax.set_aspect("equal", adjustable="datalim")
    bar = fig.colorbar(dots, ax=ax, label="day of the year")
    bar.set_ticks(list(MONTHS.values()), labels=list(MONTHS))
    return fig
