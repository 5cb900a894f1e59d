"""Panels: the figure, the title and the legend that all figures of several panels have in common."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure


def panels(count: int, size: Callable[[int, int], tuple[float, float]], most: int = 0, title: str | None = None,
           **more: Any) -> tuple[Figure, np.ndarray]:  # fmt: skip
    """A figure of `count` panels.

    Args:
        count: how many panels there are.
        size: width and height in inches of so many rows and columns.
        most: columns at most; 0: one row.
        title: above all panels.
        **more: what `subplots` takes, such as sharey=True.

    Returns:
        The figure, and its axes (rows, columns); those that are left over are off.

    Example:
        >>> _, axes = panels(5, lambda rows, columns: (3 * columns, 2 * rows), most=3)
        >>> axes.shape, axes[1, 2].axison
        ((2, 3), False)
    """
    columns = min(most or count, count)
    rows = -(-count // columns)
    fig, axes = plt.subplots(rows, columns, figsize=size(rows, columns), squeeze=False, layout="constrained", **more)
    plt.close(fig)  # the caller shows it; pyplot would show it again and keep it for ever
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    if title is not None:
        fig.suptitle(title, fontsize=12)
    return fig, axes


def legend(fig: Figure, axes: np.ndarray) -> None:
    """One legend of all panels: in the free one where there is one, else at the side."""
    named = {name: handle for ax in axes.flat for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)}
    free = [ax for ax in axes.flat if not ax.axison]
    if free:
        free[0].legend(named.values(), named.keys(), frameon=False, loc="center", fontsize=10)
    else:
        fig.legend(named.values(), named.keys(), frameon=False, loc="outside right center", fontsize=9)
