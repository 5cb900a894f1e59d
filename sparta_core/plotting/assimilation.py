"""Assimilation: what observations do along a line and to two modes, and errors from day to day."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from sparta_core.plotting.panels import panels

COLOURS = {"background": "C0", "analysis": "C3"}


def plane(states: Mapping[str, tuple[ArrayLike, ArrayLike]], direction: ArrayLike, value: float, std: float,
          truth: ArrayLike, title: str = "") -> Figure:  # fmt: skip
    """States of two modes as ellipses of one and two standard deviations, and what is observed of them as a band.

    Args:
        states: "background" and "analysis": means (2,) and covariances (2, 2).
        direction: (2,) of the modes at the observed place: it sees scores @ direction.
        value: What is observed.
        std: Of its error.
        truth: (2,) scores.
        title: Above.
    """
    fig, axes = panels(1, lambda *_: (6.5, 4.8))
    ax = axes[0, 0]
    across = np.asarray(direction, float)
    size = float(np.linalg.norm(across))
    foot, along = across * value / size**2, np.array([-across[1], across[0]]) / size
    line = np.array([foot - 20 * along, foot + 20 * along])
    ax.plot(*line.T, color="0.35", linewidth=1, label="observation")
    edges = std / size * across / size
    ax.fill(*np.concatenate([line + edges, line[::-1] - edges]).T, color="0.35", alpha=0.15, linewidth=0)
    for name, (mean, covariance) in states.items():
        _ellipses(ax, np.asarray(mean), np.asarray(covariance), COLOURS[name], name)
    ax.plot(*np.asarray(truth), "k*", markersize=11, label="truth")
    centre = np.mean([np.asarray(mean) for mean, _ in states.values()], axis=0)
    ax.set(xlabel="score of the first mode", ylabel="score of the second mode", title=title, aspect="equal",
           xlim=(centre[0] - 4.5, centre[0] + 4.5), ylim=(centre[1] - 3.2, centre[1] + 3.2))  # fmt: skip
    ax.legend(frameon=False, fontsize=9, loc="upper left")
    return fig


def _ellipses(ax: Axes, mean: np.ndarray, covariance: np.ndarray, colour: str, name: str) -> None:
    """Of one and two standard deviations."""
    values, vectors = np.linalg.eigh(covariance)
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    for deviations in (1, 2):
        width, height = 2 * deviations * values[1] ** 0.5, 2 * deviations * values[0] ** 0.5
        ax.add_patch(Ellipse((mean[0], mean[1]), width, height, angle=angle, fill=False, edgecolor=colour,
                             linewidth=1.6 / deviations))  # fmt: skip
    ax.plot(mean[0], mean[1], "o", color=colour, markersize=5, label=name)


def along_line(x: ArrayLike, truth: ArrayLike, seen: ArrayLike, analyses: Mapping[str, tuple[ArrayLike, ArrayLike]],
               xlabel: str, ylabel: str, title: str = "") -> Figure:  # fmt: skip
    """A field along a line: the truth, where it is observed, and analyses with a band of one standard deviation.

    Args:
        x: (N,) places.
        truth: (N,) values.
        seen: (p,) which places are observed.
        analyses: Means (N,) and standard deviations (N,) by their names, a panel each.
        xlabel: What places are.
        ylabel: What values are.
        title: Above.
    """
    fig, axes = panels(len(analyses), lambda rows, columns: (4 * columns + 1, 3.2), title=title, sharey=True)
    where, field, which = np.asarray(x), np.asarray(truth), np.asarray(seen)
    for ax, (name, (mean, std)) in zip(axes[0], analyses.items(), strict=True):
        middle, width = np.asarray(mean), np.asarray(std)
        ax.fill_between(where, middle - width, middle + width, color=COLOURS["analysis"], alpha=0.2, linewidth=0)
        ax.plot(where, middle, color=COLOURS["analysis"], linewidth=1.3, label="analysis")
        ax.plot(where, field, color="0.35", linewidth=1, linestyle="--", label="truth")
        ax.plot(where[which], field[which], "ko", markersize=5, label="observed")
        ax.set(xlabel=xlabel, title=name)
        ax.margins(x=0.01)
    axes[0, 0].set_ylabel(ylabel)
    axes[0, 0].legend(frameon=False, fontsize=9)
    return fig


def errors_by_day(errors: Mapping[str, ArrayLike], days: ArrayLike, xlabel: str, ylabel: str, title: str = ""
                  ) -> Figure:  # fmt: skip
    """Errors from day to day, a line a method; a thin line is the mean over the days.

    Args:
        errors: (T,) by the methods' names.
        days: (T,) dates or numbers.
        xlabel: What these are.
        ylabel: What the errors are, with their unit.
        title: Above.
    """
    fig, axes = panels(1, lambda *_: (9, 3.6))
    ax = axes[0, 0]
    for number, (name, values) in enumerate(errors.items()):
        series = np.asarray(values, float)
        ax.plot(np.asarray(days), series, color=f"C{number}", linewidth=1.3, label=f"{name} ({series.mean():.3g})")
        ax.axhline(series.mean(), color=f"C{number}", linewidth=0.6)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.margins(x=0.01)
    ax.legend(frameon=False, fontsize=9, ncols=len(errors), loc="upper left")
    ax.set_ylim(0, 1.2 * max(float(np.max(np.asarray(values, float))) for values in errors.values()))
    return fig
