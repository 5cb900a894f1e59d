"""Pixels: every map shows the value of its cell where cartopy puts it, marks lie on their points."""

import io

import numpy as np
import pytest
from cartopy.crs import PlateCarree, Robinson, Stereographic
from matplotlib.figure import Figure
from PIL import Image

from sparta_core.data.clock import DAILY, Clock
from sparta_core.data.domain import Domain
from sparta_core.explorer.pictures import ANALOGUE, DAY, SPARSE, MapPicture, MapScale, PlanePicture, height_of, png
from sparta_core.plotting.frames import MapFrame
from sparta_core.plotting.maps import Panel

GLOBE = Domain(np.linspace(-84.375, 84.375, 16), np.arange(32) * 11.25)
LAND = np.zeros((16, 32))


@pytest.fixture(scope="module")
def maps():
    panel = Panel(np.zeros((2, 2)), "truth", "geopotential", level=850)
    error = Panel(np.zeros((2, 2)), "error", "geopotential", "error", level=850)
    scales = [MapScale.of(panel, (0, 100))] * 3 + [MapScale.of(error, (-50, 50))]
    return MapPicture(scales, GLOBE, LAND)


def pixel_of(maps, number, latitude, longitude):
    """Row and column where a map shows a place, by cartopy's own projection of it onto the map's extent."""
    rows, columns = np.divmod(maps.places[number], maps.base.shape[1])
    x, y = Robinson().transform_point(longitude, latitude, PlateCarree())
    edge_x, edge_y = Robinson().transform_point(180, 0, PlateCarree())[0], Robinson().transform_point(
        0, 90, PlateCarree())[1]  # fmt: skip
    middle = (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2
    return (round(middle[1] - y / edge_y * (rows.max() - rows.min()) / 2),
            round(middle[0] + x / edge_x * (columns.max() - columns.min()) / 2))  # fmt: skip


@pytest.mark.parametrize("shape", [(16, 32), (48, 96)])
@pytest.mark.parametrize(("latitude", "longitude"), [(0.5, 1), (51, 0.5), (-34, 150), (62, -150), (-70, 45), (20, 160)])
def test_a_place_has_the_colour_of_its_cell(maps, shape, latitude, longitude):
    """A field of one hot cell: the pixel there is its colour, the one two cells away is not."""
    row = int((latitude + 90) / 180 * shape[0])
    column = int(((longitude + 5.625) % 360) / 360 * shape[1])
    values = np.zeros(shape)
    values[row, column] = 100
    cold = np.zeros((16, 32))
    painted = maps.painted([cold, values, cold, cold])
    centre_y = (row + 0.5) * 180 / shape[0] - 90
    centre_x = ((column + 0.5) * 360 / shape[1] - 5.625 + 180) % 360 - 180
    hot, usual = (maps.scales[1].painted([[v]])[0].round() for v in (100, 0))
    here = painted[pixel_of(maps, 1, centre_y, centre_x)]
    assert np.abs(here - hot).max() <= 1
    away = painted[pixel_of(maps, 1, centre_y * 0.6, centre_x * 0.6 + 3 * 360 / shape[1])]
    assert np.abs(away - usual).max() <= 1 or (away < 120).all()  # or the map's own ink


def places_of(crs, x, y):
    """The domain of a projection's cells, at these coordinates of its plane."""
    places = PlateCarree().transform_points(crs, *np.meshgrid(x, y))
    return Domain(places[..., 1], places[..., 0])


@pytest.mark.parametrize("domain", [
    Domain(np.arange(35, 71, 2.5), np.arange(-20, 38, 2.5)), Domain(np.arange(-50.0, -9, 4), np.arange(150.0, 211, 4)),
    Domain(np.arange(60.0, 84, 2), np.arange(-75.0, -10, 4)),
    places_of(Stereographic(90), np.arange(0, 7e5, 5e4), np.arange(-4.4e6, -3.7e6, 5e4)),
], ids=["region", "date line", "pole", "projection"])  # fmt: skip
@pytest.mark.filterwarnings("ignore:No coastlines")
def test_cells_of_any_domain_have_their_places(domain):
    """Each is hot or cold by chance; the pixel under its centre, by cartopy's transform of that, is so, too."""
    scales = [MapScale.of(Panel(np.zeros((2, 2)), "truth", "geopotential", level=850), (0, 100))] * 4
    picture, frame = MapPicture(scales, domain, None), MapFrame(domain)
    hot = [np.random.default_rng(0).integers(0, 2, np.multiply(domain.shape, times)) for times in (1, 2)]
    painted = picture.painted([100 * values for values in hot] * 2)
    colours = np.stack([scales[0].painted([[value]])[0] for value in (0, 100)])
    left, right, bottom, top = frame.extent
    for number, values in enumerate(hot):
        north, east = domain.resized(values.shape).places()
        x, y, _ = np.moveaxis(frame.crs.transform_points(PlateCarree(), east, north), -1, 0)
        rows, columns = np.divmod(picture.places[number], picture.base.shape[1])
        row = np.round(rows.max() - (y - bottom) / (top - bottom) * np.ptp(rows)).astype(int)
        column = np.round(columns.min() + (x - left) / (right - left) * np.ptp(columns)).astype(int)
        found = ((painted[row, column][..., None, :] - colours) ** 2).sum(-1).argmin(-1)
        inked = (picture.base[row, column] < 200).any(-1)  # by a meridian
        assert inked.mean() < 0.2 and (found == values)[~inked].mean() > 0.99


@pytest.mark.filterwarnings("ignore:No coastlines")
def test_what_lies_beside_a_projections_cells_stays_blank():
    domain = places_of(Stereographic(90, 40), np.arange(0, 7e5, 5e4), np.arange(-4.4e6, -3.7e6, 5e4))
    scales = [MapScale.of(Panel(np.zeros((2, 2)), "truth", "geopotential", level=850), (0, 100))] * 4
    picture = MapPicture(scales, domain, None)
    painted = picture.painted([np.full(domain.shape, 100.0)] * 4)
    rows, columns = np.divmod(picture.places[0], picture.base.shape[1])
    corner = rows.min() + 3, columns.min() + 3  # north west, beside cells that are turned
    assert (painted[corner] == 255).all()
    assert not (painted[rows[len(rows) // 2], columns[len(rows) // 2]] == 255).all()


def test_hidden_values_are_grey_and_errors_centred(maps):
    nothing = np.full((16, 32), np.nan)
    painted = maps.painted([nothing, nothing, nothing, np.zeros((16, 32))])
    assert painted[pixel_of(maps, 0, 30, 30)].tolist() == [221] * 3  # 0.87 of white
    middle = painted[pixel_of(maps, 3, 30, 30)]
    assert middle.min() > 240  # the centre of RdBu is nearly white


def test_what_is_drawn_once_stays(maps):
    """Titles and colour bars are outside the maps; painting twice leaves no trace of the first."""
    cold, hot = np.zeros((16, 32)), np.full((16, 32), 100.0)
    first = maps.painted([cold] * 4)
    maps.painted([hot] * 4)
    assert (maps.painted([cold] * 4) == first).all()
    outside = np.ones(maps.base.shape[:2], dtype=bool)
    outside.ravel()[np.concatenate(maps.places)] = False
    assert (maps.painted([hot] * 4)[outside] == maps.base[outside]).all()


def test_coasts_lie_over_the_values():
    land = LAND.copy()
    land[6:10, 10:20] = 1
    scales = [MapScale.of(Panel(LAND, "truth", "geopotential", level=850), (0, 100))] * 4
    with_coast = MapPicture(scales, GLOBE, land)
    inside = with_coast.places[0]
    painted = with_coast.painted([np.full((16, 32), 100.0)] * 4).reshape(-1, 3)[inside]
    dark = with_coast.base.reshape(-1, 3)[inside].max(1) < 100
    assert dark.sum() > 50 and (painted[dark].max(1) < 110).all()


def test_marks_lie_on_their_points():
    points = np.stack([np.cos(np.arange(60) / 6), np.sin(np.arange(60) / 6)], 1)
    plane = PlanePicture(points, np.arange(1, 61), "title")
    painted = plane.painted(40, [3], np.array([0.0, 0.0]))
    for where, colour in ((points[40], DAY), (points[3], ANALOGUE), ((0, 0), SPARSE)):
        column, row = plane.pixels(where)[0].round().astype(int)
        assert tuple(painted[row, column]) == colour
    assert not (plane.painted(40, [], None) == painted).all()
    assert (plane.painted(40, [3], np.array([0.0, 0.0])) == painted).all()


def test_neighbours_in_time_are_told_in_the_clocks_words():
    """In its legend, whose texts the pictures are drawn with."""
    said = []

    class Told(PlanePicture):
        def __init__(self, *given):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Figure, "legend", lambda figure, **_: said.extend(
                    line.get_label() for line in figure.axes[0].lines))
                super().__init__(*given)

    points = np.random.default_rng(0).normal(size=(30, 2))
    for clock in (DAILY, Clock(np.timedelta64(12, "h")), Clock(np.timedelta64(5, "m")), Clock(np.timedelta64(1, "M"))):
        Told(points, np.arange(1, 31), "title", clock)
    assert said[:3] == ["this day", "10 days before and after", "this day, as observed"]
    assert said[4:6] == ["this field", "5 days before and after"]
    assert [said[9], said[13]] == ["50 minutes before and after", "10 months before and after"]


@pytest.mark.filterwarnings("ignore:No coastlines")
def test_both_pictures_have_one_height():
    """They stand side by side, whatever the maps' proportions."""
    for domain in (GLOBE, Domain(np.arange(-55, 13, 2.5), np.arange(280, 326, 2.5)),
                   Domain(np.arange(-30.0, 31, 5), np.arange(36) * 10.0)):  # fmt: skip
        scales = [MapScale.of(Panel(np.zeros((2, 2)), "truth", "geopotential", level=850), (0, 100))] * 4
        plane = PlanePicture([[0, 1], [1, 0]], [1, 2], "title", DAILY, height_of(domain))
        assert len(plane.base) == len(MapPicture(scales, domain, None).base)


def test_a_sparse_day_far_outside_is_shown_at_the_edge():
    points = np.random.default_rng(0).normal(size=(30, 2))
    plane = PlanePicture(points, np.arange(1, 31), "title")
    painted = plane.painted(5, [], np.array([1e6, 0.0]))
    assert (painted[:, -14:] == SPARSE).all(2).any()


def test_png_is_lossless():
    picture = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(png(picture)))) == picture).all()
