"""Maps: fields, their errors and what was observed of them, in grids that share colour scales."""

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from sparta_core.data.domain import Domain
from sparta_core.data.variables import Label, label
from sparta_core.errors import DataError, ExperimentError, RunError
from sparta_core.plotting.coastlines import coastlines
from sparta_core.plotting.frames import MapFrame

DPI = 110  # a figure of 10 inches is 1,100 pixels wide: text of 9 points stays readable in a notebook
WIDTH = 10.0  # inches
HIGHEST = 4.5  # inches of a map
NARROWEST = 2.5  # for its colour bar and title
KINDS = {"field": "", "anomaly": " anomaly", "error": " error", "spread": " spread"}
CENTRED = ("anomaly", "error")


@dataclass(frozen=True)
class Panel:
    """One map.

    Args:
        values: (H, W) in SI units, NaN where nothing was observed; those on a finer or coarser grid over the same
            cells, the enlarged views, are placed by their shape.
        title: above the map.
        variable: its name.
        kind: field, anomaly, error or spread; anomalies, errors and winds get a scale centred on zero.
        units: of variables without a label in the table.
        level: hPa.

    Raises:
        ExperimentError: for another kind.
        DataError: for values of another shape.

    Example:
        >>> panel = Panel([[0.01, 0.02]], "a day", "specific_humidity", level=500)
        >>> panel.label.name, panel.label.units, panel.shown
        ('specific humidity, 500 hPa', 'g/kg', array([[10., 20.]]))
    """

    values: ArrayLike
    title: str
    variable: str
    kind: str = "field"
    units: str = ""
    level: int = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ExperimentError(f"kind is {self.kind!r}; choose one of: {', '.join(KINDS)}")
        if np.ndim(self.values) != 2:
            raise DataError(f"a map of shape {np.shape(self.values)} cannot be drawn; give it as (H, W)")

    @property
    def label(self) -> Label:
        return label(self.variable, self.level, self.units)

    @property
    def signed(self) -> bool:
        return self.kind in CENTRED or (self.kind == "field" and self.label.signed)

    @property
    def colours(self) -> str:
        """The name of its colour map."""
        return "RdBu_r" if self.kind in CENTRED else "cividis" if self.kind == "spread" else self.label.colours

    @property
    def shown(self) -> NDArray[np.float64]:
        """The values (H, W) in the label's units."""
        return np.asarray(self.values, dtype=np.float64) * self.label.factor


def map_grid(
    rows: Sequence[Sequence[Panel | None]],
    *,
    domain: Domain,
    land_sea_mask: ArrayLike | None = None,
    title: str = "",
    one_scale: bool = False,
    central_longitude: float | None = None,
) -> Figure:
    """Rows of maps, with a colour bar under each group of panels that share a scale.

    Panels of one row that show the same variable and kind share a scale.

    Args:
        rows: of panels; None leaves a gap.
        domain: where cells lie, which chooses projection and extent (`MapFrame`).
        land_sea_mask: (H, W), 1 on land; its outline where Natural Earth's coasts cannot be downloaded.
        title: above all maps.
        one_scale: whether panels of the whole figure share scales.
        central_longitude: degrees east, of maps that close or look at a pole.

    Example:
        >>> globe = Domain(np.linspace(-78.75, 78.75, 8), np.arange(16) * 22.5)
        >>> panel = Panel(np.full((8, 16), 280.0), "a day", "2m_temperature", level=500)
        >>> figure = map_grid([[panel]], domain=globe, land_sea_mask=np.eye(8, 16))
        >>> [ax.get_xlabel() for ax in figure.axes]
        ['', '2 m temperature (K)']
    """
    frame, shape = MapFrame(domain, central_longitude), (len(rows), max(map(len, rows)))
    fig = plt.figure(figsize=_size(*shape, frame), layout="compressed", dpi=DPI)
    plt.close(fig)  # the caller shows it; pyplot would show it again and keep it for ever
    axes = fig.subplots(*shape, squeeze=False, subplot_kw={"projection": frame.crs})
    for group in _groups(rows, one_scale).values():
        norm = scale([panel for _, panel in group])
        for place, panel in group:
            # Points without a value are light grey.
            mesh = frame.draw(axes[place], panel.shown, norm=norm,
                              cmap=plt.get_cmap(panel.colours).with_extremes(bad="0.87"))  # fmt: skip
            frame.set_up(axes[place])
            axes[place].set_title(panel.title, fontsize=10)
            coastlines(axes[place], frame, land_sea_mask)
        _colour_bar(fig, mesh, [axes[place] for place, _ in group], panel)
    for ax in axes.flat:
        ax.set_visible(bool(ax.collections))
    fig.suptitle(title, fontsize=12)
    return fig


def _size(rows: int, columns: int, frame: MapFrame) -> tuple[float, float]:
    """Inches; a map's title and colour bar take what its height leaves, degrees at its sides a little more."""
    width = min(WIDTH / columns, 5.5, max(HIGHEST / frame.aspect, NARROWEST))
    left, below = (0.0, 0.0) if frame.globe else (0.5, 0.25)
    return width * columns, 0.5 + rows * (frame.aspect * (width - left) + 0.75 + below)


def _groups(rows: Sequence[Sequence[Panel | None]], one_scale: bool) -> dict[Any, list[tuple[tuple[int, int], Panel]]]:
    """The panels that share a scale, with their rows and columns."""
    groups: dict[Any, list[tuple[tuple[int, int], Panel]]] = {}
    for i, row in enumerate(rows):
        for j, panel in enumerate(row):
            if panel is not None:
                key = (None if one_scale else i, panel.variable, panel.level, panel.kind)
                groups.setdefault(key, []).append(((i, j), panel))
    return groups


def scale(panels: Sequence[Panel]) -> Normalize:
    """The colour scale that `panels` share, in display units; symmetric about zero for signed ones.

    One value in 200 at either end may lie beyond it, so that a single outlier does not pale the map.
    """
    values = np.concatenate([panel.shown.ravel() for panel in panels])
    values = values[np.isfinite(values)]
    if not values.size:
        return Normalize(0.0, 1.0)
    if panels[0].signed:
        limit = float(np.percentile(np.abs(values), 99.5)) or 1.0
        return Normalize(-limit, limit)
    low, high = map(float, np.percentile(values, (0.5, 99.5)))
    return Normalize(low, high if high > low else low + 1.0)


def _colour_bar(fig: Figure, mesh: QuadMesh, axes: list[Any], panel: Panel) -> None:
    name, units = panel.label.name + KINDS[panel.kind], panel.label.units
    bar = fig.colorbar(mesh, ax=axes, location="bottom", extend="both", pad=0.03,
                       shrink=0.8 if len(axes) == 1 else 0.5, aspect=20 if len(axes) == 1 else 35)  # fmt: skip
    bar.set_label(f"{name} ({units})" if units else name, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.locator = plt.MaxNLocator(5)


def save(fig: Figure, folder: str | Path, name: str) -> Path:
    """Write a figure as folder/name.png, compressed but in all its colours.

    Args:
        fig: the figure.
        folder: is made if it is not there.
        name: of the file, without its ending.

    Returns:
        Its path.

    Raises:
        RunError: where it cannot be written.
    """
    raw = io.BytesIO()
    fig.savefig(raw, dpi=DPI)
    return save_picture(np.asarray(Image.open(raw).convert("RGB")), folder, name)


def save_picture(picture: NDArray[np.uint8], folder: str | Path, name: str) -> Path:
    """The same for pixels (height, width, 3)."""
    path = Path(folder) / f"{name}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, optimize=True)
    except OSError as error:
        raise RunError(f"figure {path} cannot be written ({error.strerror or error}); choose another folder") from error
    return path
