"""Frames: every cell of any domain is drawn where its latitude and longitude are, and none beyond the frame."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from cartopy.crs import LambertAzimuthalEqualArea, PlateCarree, Robinson, RotatedPole, Stereographic
from cartopy.mpl.gridliner import Gridliner
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize

from sparta_core.data.domain import Domain
from sparta_core.plotting.frames import MapFrame


def projected(crs, x, y):
    """The domain of a projection's cells, at these coordinates of its plane."""
    places = PlateCarree().transform_points(crs, *np.meshgrid(x, y))
    return Domain(places[..., 1], places[..., 0])


DOMAINS = {
    "globe": (Domain(np.linspace(-84.375, 84.375, 16), np.arange(32) * 11.25), Robinson),
    "europe": (Domain(np.arange(35, 71, 2.5), np.arange(-20, 38, 2.5)), PlateCarree),
    "date line": (Domain(np.arange(-50.0, -9, 4), np.arange(150.0, 211, 4)), PlateCarree),
    "belt": (Domain(np.arange(-30.0, 31, 5), np.arange(36) * 10.0), PlateCarree),
    "nearly round": (Domain(np.arange(-30.0, 31, 5), np.arange(34) * 10.0), PlateCarree),
    "north pole": (Domain(np.arange(60.0, 91, 5), np.arange(-180.0, 180, 10)), Stereographic),
    "south pole": (Domain(np.arange(-87.5, -60, 5), np.arange(0.0, 360, 10)), Stereographic),
    "greenland": (Domain(np.arange(60.0, 84, 2), np.arange(-75.0, -10, 4)), Stereographic),
    "northern hemisphere": (Domain(np.arange(2.5, 90, 5), np.arange(0.0, 360, 10)), Stereographic),
    "radar": (projected(Stereographic(90, 0, true_scale_latitude=60), np.arange(0, 7e5, 5e4),
                        np.arange(-4.4e6, -3.65e6, 5e4)), LambertAzimuthalEqualArea),
    "rotated pole": (projected(RotatedPole(-162, 39.25), np.arange(-28.0, 18, 4), np.arange(-23.0, 21, 4)),
                     LambertAzimuthalEqualArea),
    "arctic plane": (projected(Stereographic(90, -45), np.arange(-3e6, 3.1e6, 5e5), np.arange(-3e6, 3.1e6, 5e5)),
                     LambertAzimuthalEqualArea),
}  # fmt: skip
OVER_ALL = pytest.mark.parametrize("domain", [domain for domain, _ in DOMAINS.values()], ids=DOMAINS)


def drawn(frame, values):
    """A map of values from 0 to 1, black and white, without lines: its axes and pixels."""
    fig = plt.figure(figsize=(8, 8), dpi=100)
    plt.close(fig)
    ax = fig.add_subplot(projection=frame.crs)
    frame.draw(ax, values, cmap="gray", norm=Normalize(0, 1))
    frame.set_up(ax)
    ax.spines["geo"].set_visible(False)
    for line in ax.findobj(Gridliner):
        line.remove()
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return ax, np.asarray(canvas.buffer_rgba())[::-1, :, 0]


@OVER_ALL
@pytest.mark.parametrize(("times", "central_longitude"), [(1, None), (2, 120.0)])
def test_a_cell_is_where_its_latitude_and_longitude_are(domain, times, central_longitude):
    """Each is black or white by chance; the pixel under its centre, by cartopy's own transform of that, is so, too."""
    shape = domain.shape[0] * times, domain.shape[1] * times
    values = np.random.default_rng(0).integers(0, 2, shape)
    frame = MapFrame(domain, central_longitude)
    ax, pixels = drawn(frame, values)
    north, east = domain.resized(shape).places()
    # Beside a pole cells are as thin as a pixel, and where a map is cut open half of one.
    shown = (np.abs(north) < 80) & (np.abs((east - frame.centre) % 360 - 180) > 1)
    points = ax.projection.transform_points(PlateCarree(), east[shown], north[shown])[:, :2]
    column, row = np.floor(ax.transData.transform(points)).astype(int).T
    assert shown.mean() > 0.3 and (pixels[row, column] == 255 * values[shown]).all()


@OVER_ALL
def test_the_extent_holds_all_cells_and_no_more(domain):
    """Of many places on the globe, those in the domain are in the frame, and come near to all its sides."""
    frame = MapFrame(domain)
    generator = np.random.default_rng(0)
    around = np.stack([np.rad2deg(np.arcsin(generator.uniform(-1, 1, 400_000))), generator.uniform(-180, 180, 400_000)])
    north, east = around[:, domain.contains(*around)]
    points = frame.crs.transform_points(PlateCarree(), east, north)[:, :2]
    low, high = np.reshape(frame.extent, (2, 2)).T
    near = 0.05 * (high - low)
    # A projection takes in what is as near to an outer cell as its corners are.
    beyond = near if domain.projected else 1e-5 * (high - low)
    assert (points >= low - beyond).all() and (points <= high + beyond).all()
    assert (points.min(0) < low + near).all() and (points.max(0) > high - near).all()


@pytest.mark.parametrize(("domain", "projection"), DOMAINS.values(), ids=DOMAINS)
def test_the_projection_fits_the_domain(domain, projection):
    assert type(MapFrame(domain).crs) is projection


def test_a_region_at_the_equator_keeps_its_proportions_and_a_northern_one_those_of_its_middle():
    for middle in (0, 60):
        frame = MapFrame(Domain(middle + np.arange(-9.5, 10), np.arange(20.0)))
        assert frame.aspect == pytest.approx(1 / np.cos(np.deg2rad(middle)))


def test_the_central_longitude_is_of_maps_that_close():
    """A region is not torn at it."""
    for name, turned in (("globe", True), ("belt", True), ("north pole", True), ("europe", False)):
        x, _ = MapFrame(DOMAINS[name][0], 120.0).crs.transform_point(120, 60, PlateCarree())
        assert (abs(x) < 1e-6) == turned


@OVER_ALL
def test_degrees_stand_where_there_is_no_globe(domain):
    """A few round numbers of each, in the domain's range, across the date line, too."""
    fig = plt.figure(figsize=(5, 5))
    plt.close(fig)
    frame = MapFrame(domain)
    ax = fig.add_subplot(projection=frame.crs)
    frame.set_up(ax)
    FigureCanvasAgg(fig).draw()
    lines = ax.findobj(Gridliner)
    if frame.globe:
        assert not lines
        return
    said = [text.get_text() for text in lines[0].label_artists if text.get_visible()]
    assert any(text.endswith(("N", "S")) for text in said)
    assert any(text.endswith(("E", "W")) or text in ("0\N{DEGREE SIGN}", "180\N{DEGREE SIGN}") for text in said), said
