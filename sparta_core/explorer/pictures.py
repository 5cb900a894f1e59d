"""Pictures that change in milliseconds: matplotlib and cartopy draw what stays once, numpy and pillow the rest."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from cartopy.crs import PlateCarree
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from sparta_core.data.clock import DAILY, Clock
from sparta_core.data.domain import Domain
from sparta_core.plotting.coastlines import coastlines
from sparta_core.plotting.frames import MapFrame
from sparta_core.plotting.geometry import cells_at
from sparta_core.plotting.latents import draw_months, season_dots, span
from sparta_core.plotting.maps import KINDS, Panel

DPI = 100
MAPS, PLANE = 7.6, 5.2  # inches, the widths of the four maps and of the plane
LOWEST, HIGHEST = 1.2, 3.0  # inches, of a map
NEARBY = 10  # steps before and after that are joined
Picture = NDArray[np.uint8]  # (height, width, 3)
DAY, PATH, SPARSE, ANALOGUE = (0, 0, 0), (60, 60, 60), (213, 94, 0), (0, 158, 115)


@dataclass(frozen=True)
class MapScale:
    """The colours of one map: the same for every day."""

    title: str
    colours: Colormap
    norm: Normalize
    text: str  # of the colour bar
    factor: float = 1.0  # to the bar's units

    @classmethod
    def of(cls, panel: Panel, limits: tuple[float, float]) -> "MapScale":
        """As `plotting.maps` would draw `panel`, between `limits` in SI units."""
        label = panel.label
        text = f"{label.name}{KINDS[panel.kind]} ({label.units})"
        norm = Normalize(limits[0] * label.factor, limits[1] * label.factor)
        return cls(panel.title, plt.get_cmap(panel.colours).with_extremes(bad="0.87"), norm, text, label.factor)

    def painted(self, values: ArrayLike) -> NDArray[np.float32]:
        """Colours (h w, 3) from 0 to 255 of values (h, w) in SI units; grey where there are none."""
        shown = np.ma.masked_invalid(np.asarray(values, dtype=np.float64).ravel() * self.factor)
        return self.colours(self.norm(shown), bytes=True)[:, :3].astype(np.float32)


def height_of(domain: Domain) -> float:
    """Inches of the explorer's pictures: two rows of the domain's maps, and what is around them."""
    return 1.5 + 2 * float(np.clip(MAPS / 2 * MapFrame(domain).aspect, LOWEST, HIGHEST))


class MapPicture:
    """Maps side by side whose values change: frame, titles, coasts and colour bars are drawn once."""

    def __init__(self, scales: Sequence[MapScale], domain: Domain, land_sea_mask: ArrayLike | None) -> None:
        self.scales, self.domain, frame = list(scales), domain, MapFrame(domain)
        fig = plt.figure(figsize=(MAPS, height_of(domain)), dpi=DPI, layout="compressed")
        plt.close(fig)
        axes = fig.subplots(2, 2, subplot_kw={"projection": frame.crs}).ravel()
        for ax, scale in zip(axes, self.scales, strict=True):
            frame.set_up(ax)
            ax.set_title(scale.title, fontsize=10)
            coastlines(ax, frame, land_sea_mask)
            bar = fig.colorbar(ScalarMappable(scale.norm, scale.colours), ax=ax, location="bottom", extend="both",
                               pad=0.04, shrink=0.8)  # fmt: skip
            bar.set_label(scale.text, fontsize=9)
            bar.ax.tick_params(labelsize=8)
            bar.locator = plt.MaxNLocator(5)
        self.base = rendered(fig)
        self.places: list[NDArray[np.intp]] = []  # of each map: the flat indices of its pixels,
        self.points: list[NDArray[np.float64]] = []  # and where on the globe they lie, (pixels, 2)
        height, width = self.base.shape[:2]
        for ax in axes:
            box = ax.get_window_extent()
            x, y = np.meshgrid(np.arange(int(box.x0), int(box.x1) + 1) + 0.5,
                               np.arange(int(box.y0), int(box.y1) + 1) + 0.5)  # fmt: skip
            there = ax.transData.inverted().transform(np.stack([x.ravel(), y.ravel()], 1))
            where = PlateCarree().transform_points(ax.projection, *there.T)[:, :2]
            inside = np.isfinite(where).all(1) & (np.abs(where) <= (180, 90)).all(1)
            inside[inside] = domain.contains(*where[inside, ::-1].T)
            rows = height - 1 - y.ravel()[inside].astype(int)
            self.places.append(rows * width + x.ravel()[inside].astype(int))
            self.points.append(where[inside])
        self._cells: dict[tuple[int, tuple[int, ...]], NDArray[np.intp]] = {}

    def painted(self, maps: Sequence[ArrayLike]) -> Picture:
        """The picture with these values (h, w) in SI units, one array a map."""
        picture = self.base.reshape(-1, 3).copy()
        for number, (values, scale) in enumerate(zip(maps, self.scales, strict=True)):
            place = self.places[number]
            ink = picture[place].astype(np.float32) / 255  # 1 where the drawing is white, 0 at a coast
            picture[place] = ink * scale.painted(values)[self._cells_of(number, np.shape(values))]
        return picture.reshape(self.base.shape)

    def _cells_of(self, number: int, shape: tuple[int, ...]) -> NDArray[np.intp]:
        if (number, shape) not in self._cells:
            x, y = self.points[number].T
            self._cells[number, shape] = cells_at(self.domain, shape, y, x)  # type: ignore[arg-type]
        return self._cells[number, shape]


class PlanePicture:
    """All days in a plane, with one of them, its neighbours in time and its analogues marked.

    Args:
        points: of all days (N, 2).
        day_of_year: of each (N,), from 1.
        title: above the plane.
        clock: of the days, which may be fields of another step.
        height: of the picture, inches.
    """

    def __init__(self, points: ArrayLike, day_of_year: ArrayLike, title: str, clock: Clock = DAILY,
                 height: float = PLANE) -> None:  # fmt: skip
        self.points, this = np.asarray(points), f"this {clock.fields.removesuffix('s')}"
        fig, ax = plt.subplots(figsize=(PLANE, height), dpi=DPI, layout="constrained")
        plt.close(fig)
        dots = season_dots(ax, self.points, day_of_year, 12)
        dots.set_alpha(0.5)
        ax.set(xticks=[], yticks=[], title=title)
        ax.title.set_fontsize(10)
        ax.margins(0.08)
        draw_months(fig, dots, ax)
        for name, colour, marker in ((this, DAY, "o"), (f"{span(clock, NEARBY)} before and after", PATH, "."),
                                     (f"{this}, as observed", SPARSE, "D"), ("analogues", ANALOGUE, "s")):  # fmt: skip
            ax.plot([], [], marker, color=np.array(colour) / 255, label=name)
        fig.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
        self.base = rendered(fig)
        self._to_pixels = ax.transData

    def pixels(self, points: ArrayLike) -> NDArray[np.float64]:
        """Where points (N, 2) lie in the picture: columns and rows (N, 2)."""
        x, y = self._to_pixels.transform(np.atleast_2d(points)).T
        return np.stack([x, len(self.base) - y], 1)

    def painted(self, day: int, analogues: Sequence[int], sparse: ArrayLike | None) -> Picture:
        """The picture with day `day` marked, and the sparse day where it has a place."""
        picture = Image.fromarray(self.base)
        pen = ImageDraw.Draw(picture)
        near = self.pixels(self.points[max(0, day - NEARBY) : day + NEARBY + 1])
        pen.line([tuple(p) for p in near], fill=PATH, width=2, joint="curve")
        for x, y in self.pixels(self.points[list(analogues)]) if len(analogues) else ():
            pen.rectangle((x - 5, y - 5, x + 5, y + 5), fill=ANALOGUE, outline="white")
        if sparse is not None:
            x, y = np.clip(self.pixels(sparse)[0], 6, np.array(picture.size) - 6)
            pen.polygon([(x, y - 8), (x + 8, y), (x, y + 8), (x - 8, y)], fill=SPARSE, outline="white")
        x, y = self.pixels(self.points[day])[0]
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=DAY, outline="white", width=2)
        return np.asarray(picture)


def rendered(fig: Figure) -> Picture:
    """The figure as pixels, at DPI."""
    raw = io.BytesIO()
    fig.savefig(raw, dpi=DPI, format="png")
    return np.asarray(Image.open(raw).convert("RGB"))


def png(picture: Picture) -> bytes:
    """As a PNG file, fast rather than small."""
    raw = io.BytesIO()
    Image.fromarray(picture).save(raw, "png", compress_level=1)
    return raw.getvalue()
