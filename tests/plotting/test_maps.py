"""Maps: shared scales, centred errors, whole globes, and coasts with and without a network."""

import socket
import time
import warnings

import numpy as np
import pytest
from cartopy.crs import LambertAzimuthalEqualArea, PlateCarree
from PIL import Image

from sparta_core.data.domain import Domain
from sparta_core.data.variables import UNITS
from sparta_core.errors import DataError, ExperimentError, RunError
from sparta_core.plotting import coastlines, geometry, maps
from sparta_core.plotting.frames import MapFrame
from sparta_core.plotting.maps import Panel, map_grid, save, save_picture, scale

LATITUDE, LONGITUDE = np.linspace(-87.1875, 87.1875, 32), np.arange(64) * 5.625
FIELD = np.random.default_rng(0).normal(size=(32, 64)) + np.sin(np.deg2rad(LATITUDE))[:, None]
MASK = ((np.abs(LATITUDE)[:, None] < 40) & (np.abs(LONGITUDE - 180) > 120)[None]).astype(float)  # over 0 degrees
GLOBE = Domain(LATITUDE, LONGITUDE)
WHERE = {"domain": GLOBE, "land_sea_mask": MASK}


@pytest.fixture(autouse=True)
def forgetful():
    """Every test tries for coasts, and warns, as a new process would."""
    coastlines.natural_earth.cache_clear()
    coastlines._warn_once.cache_clear()
    yield
    coastlines.natural_earth.cache_clear()
    coastlines._warn_once.cache_clear()


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    import cartopy

    for name in ("data_dir", "pre_existing_data_dir", "repo_data_dir"):
        monkeypatch.setitem(cartopy.config, name, tmp_path)

    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def meshes(figure):
    from matplotlib.collections import QuadMesh

    return [c for ax in figure.axes for c in ax.collections if isinstance(c, QuadMesh) and hasattr(ax, "projection")]


@pytest.mark.filterwarnings("ignore:Natural Earth")
def test_panels_of_a_row_share_their_scale_and_errors_are_centred(no_network):
    temperature = [Panel(FIELD + 280 + k, f"{k}", "2m_temperature", level=850) for k in range(3)]
    error = Panel(FIELD + 0.5, "error", "2m_temperature", "error", level=850)
    made = meshes(map_grid([[*temperature, error]], **WHERE))
    limits = {(m.norm.vmin, m.norm.vmax) for m in made[:3]}
    assert len(made) == 4 and len(limits) == 1
    values = np.concatenate([p.shown.ravel() for p in temperature])
    assert limits.pop() == pytest.approx(tuple(np.percentile(values, (0.5, 99.5))))
    assert made[3].norm.vmin == -made[3].norm.vmax < 0 and made[3].cmap.name == "RdBu_r"


def test_scales():
    wind = scale([Panel(FIELD * 3 + 5, "", "u_component_of_wind", level=850)])
    assert wind.vmin == -wind.vmax
    humidity = scale([Panel(np.full((4, 8), 0.01), "", "specific_humidity", level=850)])
    assert humidity.vmin == pytest.approx(10)  # grams
    assert scale([Panel(np.full((4, 8), np.nan), "", "geopotential", level=850)]).vmax > 0


@pytest.mark.filterwarnings("ignore:Natural Earth")
def test_hidden_points_are_grey(no_network):
    masked = FIELD.copy()
    masked[::2] = np.nan
    (mesh,) = meshes(map_grid([[Panel(masked, "seen", "2m_temperature", level=850)]], **WHERE))
    assert np.ma.getmaskarray(mesh.get_array()).mean() == pytest.approx(0.5)
    assert mesh.cmap.get_bad()[:3] == pytest.approx([0.87] * 3)


@pytest.mark.parametrize("central_longitude", [0.0, 180.0])
@pytest.mark.parametrize("shape", [(32, 64), (72, 144)])
def test_cells_cover_the_globe_once(central_longitude, shape):
    edges = geometry.refined(geometry.longitude_edges(GLOBE), shape[1])
    x, order = geometry.from_seam(edges, central_longitude - 180)
    assert x[-1] - x[0] == pytest.approx(360, abs=1e-3) and (np.diff(x) > 0).all()
    assert set(order) == set(range(shape[1]))
    centres = (x[:-1] + x[1:]) / 2
    cells = (edges[order] <= (centres - edges[0]) % 360 + edges[0]) & (
        (centres - edges[0]) % 360 + edges[0] <= edges[order + 1])
    assert cells.all()
    y = geometry.refined(geometry.latitude_edges(GLOBE), shape[0])
    assert (y[0], y[-1]) == (-90, 90)


def test_without_network_the_masks_outline_is_drawn_and_said_once(no_network):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        begun = time.monotonic()
        for _ in range(2):
            figure = map_grid([[Panel(FIELD, "a", "geopotential", level=850)] * 2], **WHERE)
        assert time.monotonic() - begun < 6 + 10  # one attempt, and four maps
    about = [str(w.message) for w in said if "coast" in str(w.message).lower()]
    assert about == ["Natural Earth's coastlines cannot be downloaded; maps show the data's land-sea mask."]
    assert not [w for w in said if w.category.__name__ == "DownloadWarning"]
    assert len(coastlines.outline(MapFrame(GLOBE), MASK)[0]) >= 1 and figure.axes


def test_the_outline_of_a_region_stays_open():
    """Land over all its southern half has one coast, from the first column to the last."""
    region = Domain(np.arange(-20.0, 21, 4), np.arange(160.0, 201, 5))
    land = np.repeat(region.latitude[:, None] < 0, 9, 1)
    ((line,), crs) = coastlines.outline(MapFrame(region), land)
    x, y = np.array(line.coords).T
    assert (min(x), max(x)) == (160, 200) and np.allclose(y, -2) and crs == PlateCarree()


def test_the_outline_of_a_projection_lies_where_its_land_is():
    """South of a parallel, over the date line: no part of the coast runs round the globe."""
    plane = LambertAzimuthalEqualArea(180, 60)
    x, y = np.meshgrid(np.linspace(-1e6, 1e6, 41), np.linspace(-1e6, 1e6, 41))
    east, north, _ = np.moveaxis(PlateCarree().transform_points(plane, x, y), -1, 0)
    lines, crs = coastlines.outline(MapFrame(Domain(north, east)), north < 60)
    (coast,) = (np.array(line.coords) for line in lines)
    along = PlateCarree().transform_points(crs, *coast.T)
    assert np.abs(along[:, 1] - 60).max() < 0.5  # a cell is 0.45 degrees
    assert np.hypot(*np.diff(coast, axis=0).T).max() < 80e3


def test_the_outline_closes_round_the_first_longitude():
    """Land from 60 degrees west to 60 east, over the first and last column, has no coast along them."""
    lines, _ = coastlines.outline(MapFrame(GLOBE), MASK)
    for line in lines:
        x, y = np.array(line.coords).T
        meridian = (np.abs(np.diff(x)) < 1e-9) & (np.abs(np.diff(y)) > 1)
        assert not (meridian & ((x[:-1] % 360 < 50) | (x[:-1] % 360 > 310))).any()


def test_a_network_that_hangs_is_left_after_seconds(no_network, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(30))
    monkeypatch.setattr(coastlines, "DOWNLOAD_SECONDS", 0.5)
    begun = time.monotonic()
    assert coastlines.natural_earth("110m") == []
    assert time.monotonic() - begun < 3


def test_natural_earth_is_used_where_it_is(no_network, tmp_path):
    import shapefile

    folder = tmp_path / "shapefiles" / "natural_earth" / "physical"
    folder.mkdir(parents=True)
    with shapefile.Writer(str(folder / "ne_110m_coastline"), shapeType=shapefile.POLYLINE) as writer:
        writer.field("name", "C")
        writer.line([[[0, 0], [10, 10], [20, 0]]])
        writer.record("made up")
    (line,) = coastlines.natural_earth("110m")
    assert line.length == pytest.approx(2 * 200**0.5)


@pytest.mark.filterwarnings("ignore:Natural Earth")
@pytest.mark.parametrize("domain", [
    GLOBE, Domain(np.arange(35, 70, 1.125)[:32], np.arange(-20, 44)), Domain(np.linspace(60, 90, 32), LONGITUDE),
], ids=["globe", "region", "pole"])  # fmt: skip
def test_nothing_is_cut_off_and_units_are_there(no_network, domain):
    panels = [Panel(FIELD, "a title", name, level=850) for name in UNITS]
    figure = map_grid([panels[:3], [*panels[3:], None]], title="All variables", domain=domain, land_sea_mask=MASK)
    figure.draw_without_rendering()
    box, page = figure.get_tightbbox(), figure.bbox_inches
    assert box.x0 >= -0.02 and box.y0 >= -0.02
    assert box.x1 <= page.x1 + 0.02 and box.y1 <= page.y1 + 0.02
    bars = [ax.get_xlabel() for ax in figure.axes if ax.get_xlabel()]
    assert len(bars) == 5
    for text, unit in zip(sorted(bars), sorted(["K", "m/s", "m/s", "m²/s²", "g/kg"]), strict=True):
        assert "(" in text and unit
    assert {text[text.rindex("(") + 1 : -1] for text in bars} == {"K", "m/s", "m²/s²", "g/kg"}


@pytest.mark.filterwarnings("ignore:Natural Earth")
def test_saved_figures_are_small_pictures(no_network, tmp_path):
    figure = map_grid([[Panel(FIELD, "a", "geopotential", level=850)]], **WHERE)
    path = save(figure, tmp_path / "new" / "folder", "01_test")
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width == round(figure.get_figwidth() * maps.DPI)
        assert len(picture.convert("RGB").getcolors(100_000)) > 20
    assert path.stat().st_size < 250_000


def test_bad_input(tmp_path):
    with pytest.raises(ExperimentError, match="kind is 'eror'; choose one of: field, anomaly, error"):
        Panel(FIELD, "", "geopotential", "eror", level=850)
    with pytest.raises(DataError, match=r"shape \(3,\) cannot be drawn; give it as \(H, W\)"):
        Panel(np.ones(3), "", "geopotential", level=850)
    import matplotlib.pyplot as plt

    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        save(plt.figure(), tmp_path / "file", "x")


def test_a_reason_that_the_system_does_not_number_is_told(tmp_path, monkeypatch):
    """PIL's own errors of writing have no strerror, and were told as None."""
    def broken(*_, **__):
        raise OSError("encoder error -2 when writing image file")

    monkeypatch.setattr("PIL.Image.Image.save", broken)
    with pytest.raises(RunError, match=r"cannot be written \(encoder error -2 when writing image file\); choose"):
        save_picture(np.zeros((2, 2, 3), np.uint8), tmp_path, "x")


@pytest.mark.filterwarnings("ignore:Natural Earth")
def test_a_spread_has_no_sign(no_network):
    """A standard deviation, of winds too, begins at its lowest value, in colours that have no centre."""
    spread = Panel(np.abs(FIELD) + 1, "spread", "u_component_of_wind", "spread", level=850)
    (mesh,) = meshes(map_grid([[spread]], **WHERE))
    assert mesh.norm.vmin > 0 and mesh.cmap.name == "cividis"
