"""Embeddings as points in a plane: the course of the year, paths through it, and models side by side."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sparta_core.data.clock import DAILY, DAY, Clock
from sparta_core.plotting.panels import panels

MONTHS = {"Jan": 1, "Apr": 91, "Jul": 182, "Oct": 274}


def scatter_by_season(points: ArrayLike, day_of_year: ArrayLike, explained: ArrayLike, title: str = "") -> Figure:
    """Points coloured by day of the year, on a colour scale that closes over new year.

    Args:
        points: (N, 2).
        day_of_year: of each (N,), from 1.
        explained: the shares of variance of the two axes (2,).
        title: above the panel.

    Example:
        >>> scatter_by_season([[0, 1], [1, 0]], [1, 183], [0.4, 0.2]).axes[0].get_xlabel()
        'first component (40% of variance)'
    """
    explained = np.asarray(explained)
    fig, ax = plt.subplots(figsize=(6.2, 4.6), layout="constrained")
    plt.close(fig)
    dots = season_dots(ax, points, day_of_year, 14)
    ax.set(xlabel=f"first component ({explained[0]:.0%} of variance)",
           ylabel=f"second component ({explained[1]:.0%})", title=title)  # fmt: skip
    ax.set_aspect("equal", adjustable="datalim")
    draw_months(fig, dots, ax)
    return fig


def planes(points: Mapping[str, ArrayLike], day_of_year: ArrayLike, title: str = "") -> Figure:
    """Models side by side, all coloured by day of the year.

    Args:
        points: of each model (N, 2), by its name.
        day_of_year: of each point (N,), from 1.
        title: above all panels.
    """
    fig, axes = panels(len(points), lambda rows, columns: (10, 0.7 + 9.3 / columns * rows), 4, title)
    for ax, (name, of_model) in zip(axes.flat, points.items(), strict=False):
        dots = season_dots(ax, of_model, day_of_year, 7)
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=9)
        ax.set_aspect("equal", adjustable="datalim")
    draw_months(fig, dots, axes)
    return fig


def trajectories(points: ArrayLike, day_of_year: ArrayLike, starts: Sequence[int], length: int, dates: Sequence[str],
                 title: str = "", clock: Clock = DAILY) -> Figure:  # fmt: skip
    """Look-back windows as paths among all points.

    The dot is the first field of a window, the arrow leads from its last to the one after.

    Args:
        points: of every field (N, 2), in order.
        day_of_year: of each (N,), from 1.
        starts: the first day of each window, counted from 0.
        length: of a window in steps.
        dates: of the first fields, in the legend.
        title: above the panel.
        clock: whose steps they are.
    """
    points = np.asarray(points)
    fig, ax = plt.subplots(figsize=(7.6, 5.2), layout="constrained")
    plt.close(fig)
    background = season_dots(ax, points, day_of_year, 8)
    background.set_alpha(0.35)
    for number, (start, date) in enumerate(zip(starts, dates, strict=True)):
        path, colour = points[start : start + length], f"C{number}"
        ax.plot(*path.T, color=colour, linewidth=1.3, marker=".", markersize=3,
                label=f"{span(clock, length)} from {date}")  # fmt: skip
        ax.plot(*path[0], "o", color=colour, markersize=7)
        ax.annotate("", points[start + length], path[-1],
                    arrowprops={"arrowstyle": "-|>", "color": "black", "lw": 1.6, "mutation_scale": 14})  # fmt: skip
    ax.set(xlabel="first component", ylabel="second component", title=title)
    ax.set_aspect("equal", adjustable="datalim")
    ax.legend(frameon=False, fontsize=9)
    draw_months(fig, background, ax)
    return fig


def span(clock: Clock, steps: int) -> str:
    """Write how long so many steps of a clock are, in words.

    >>> span(DAILY, 10), span(Clock(np.timedelta64(12, "h")), 3), span(Clock(np.timedelta64(1, "M")), 1)
    ('10 days', '36 hours', '1 month')
    """
    whole = not clock.monthly and not (clock.step * steps % DAY).astype(int)
    amount = int(clock.step * steps / DAY) if whole else int(clock.amounts(np.array(steps)))
    unit = "days" if whole else clock.unit
    return f"{amount} {unit if amount != 1 else unit.removesuffix('s')}"


def season_dots(ax: Axes, points: ArrayLike, day_of_year: ArrayLike, size: float) -> PathCollection:
    """Draw points (N, 2) of `size`, coloured by day of the year (N,)."""
    x, y = np.asarray(points).T
    return ax.scatter(x, y, c=day_of_year, cmap="twilight_shifted", vmin=1, vmax=366, s=size, linewidths=0.2,
                      edgecolors="0.4")  # fmt: skip


def draw_months(fig: Figure, dots: PathCollection, axes: Axes | np.ndarray) -> None:
    """Draw the colour bar of `season_dots` beside the axes, with the months' beginnings."""
    bar = fig.colorbar(dots, ax=axes, label="day of the year")
    bar.solids.set_alpha(1)  # type: ignore[union-attr]
    bar.set_ticks(list(MONTHS.values()), labels=list(MONTHS))
