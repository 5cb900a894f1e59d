"""Figures name the level that they show: given 500 hPa, none speaks of another."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.text import Text

from sparta_core import plotting
from sparta_core.data.domain import Domain
from sparta_core.data.variables import UNITS, label, short_label
from sparta_core.evaluation.comparison import Measure
from sparta_core.explorer.pictures import MapScale
from sparta_core.explorer.widget import Explorer
from sparta_core.plotting.maps import KINDS, Panel

NAMES = list(UNITS)
ON_LEVELS = [name for name in NAMES if name != "2m_temperature"]
LATITUDE, LONGITUDE = np.linspace(-84.375, 84.375, 16), np.arange(32) * 11.25
FIELD = np.random.default_rng(0).normal(size=(16, 32))
DAYS, POINTS = np.arange(1, 21), np.random.default_rng(0).normal(size=(20, 2))
BY_LEAD = xr.Dataset({"rmse": (("model", "lead", "variable"), np.ones((1, 3, 5)), {"units": "the variable's"})}, {
    "model": ["SPARTA-OI"], "lead": ("lead", [1, 2, 3], {"units": "days"}), "variable": NAMES,
    "units": ("variable", ["K"] * 5)})  # fmt: skip
ENSEMBLE = xr.Dataset({"ranks": (("variable", "rank"), np.full((5, 3), 1 / 3)), "crps_skill": ("variable", np.ones(5)),
                       "spread_skill": ("variable", np.ones(5))}, {"variable": NAMES})  # fmt: skip
BY_RATIO = xr.Dataset({"mse": (("model", "mask_grid", "ratio"), np.ones((1, 1, 2)), {"units": "training variance"})}, {
    "model": ["SPARTA-OI"], "mask_grid": ["native"], "ratio": [0.2, 0.9]})  # fmt: skip
SEASONS = xr.Dataset({"confusion": (("model", "season", "predicted"), np.ones((1, 4, 4))), **{
    name: (("model", "bin"), [[0.8]]) for name in ("confidence", "hits", "hits_low", "hits_high")}},
    {"model": ["SPARTA-OI"], "season": list("WSUA"), "predicted": list("WSUA")})  # fmt: skip
ROWS = pd.DataFrame([{"task": "forecast", "metric": "rmse", "setup": "LB3_S1", "model": "SPARTA-OI", "value": 1.0}])
HISTORY = {"epoch": [1, 2], "learning_rate": [0.1, 0.1], "training_mse": [2.0, 1.0], "validation_mse": [2.0, 1.0]}
# Of every function that draws, what to give it at a level; whether its figure names variables on that level.
DRAWN = {
    "map_grid": (lambda level: {"rows": [[Panel(FIELD, "", name, level=level) for name in NAMES]],
                                "domain": Domain(LATITUDE, LONGITUDE)}, True),
    "scores_by_lead": (lambda level: {"scores": BY_LEAD, "name": "rmse", "level": level}, True),
    "rank_histograms": (lambda level: {"scores": {"SPARTA-OI": ENSEMBLE}, "level": level}, True),
    "by_variable": (lambda level: {"scores": {"SPARTA-OI": ENSEMBLE}, "level": level}, True),
    "attention": (lambda _: {"weights": np.eye(5), "names": NAMES}, False),
    "losses": (lambda _: {"history": HISTORY, "names": ["mse"]}, False),
    "score_against_ratio": (lambda _: {"scores": BY_RATIO}, False),
    "panels_against_ratio": (lambda _: {"scores": BY_RATIO.isel(mask_grid=0), "names": ["mse"]}, False),
    "dots": (lambda _: {"frame": ROWS, "measures": [Measure("forecast", "rmse", "RMSE")]}, False),
    "confusion": (lambda _: {"scores": SEASONS}, False),
    "reliability": (lambda _: {"scores": SEASONS}, False),
    "scatter_by_season": (lambda _: {"points": POINTS, "day_of_year": DAYS, "explained": [0.4, 0.2]}, False),
    "planes": (lambda _: {"points": {"SPARTA-OI": POINTS}, "day_of_year": DAYS}, False),
    "trajectories": (lambda _: {"points": POINTS, "day_of_year": DAYS, "starts": [1], "length": 4,
                                "dates": ["2001-01-02"]}, False),
    "plane": (lambda _: {"states": {name: (np.zeros(2), np.eye(2)) for name in ("background", "analysis")},
                         "direction": [1.0, 0.5], "value": 1.0, "std": 0.5, "truth": [1.0, 0.0]}, False),
    "along_line": (lambda _: {"x": DAYS, "truth": DAYS, "seen": [1], "analyses": {"cycle": (DAYS, DAYS)},
                              "xlabel": "place", "ylabel": "value"}, False),
    "errors_by_day": (lambda _: {"errors": {"cycle": POINTS[:, 0] ** 2}, "days": DAYS, "xlabel": "day",
                                 "ylabel": "mean squared error (1)"}, False),
}  # fmt: skip


def drawing():
    """Every public function of the package that returns a figure, by name."""
    names = [one.name for one in pkgutil.iter_modules(plotting.__path__, f"{plotting.__name__}.")]
    modules = map(importlib.import_module, names)
    return {name: function for module in modules for name, function in inspect.getmembers(module, inspect.isfunction)
            if not name.startswith("_") and function.__annotations__.get("return") is Figure}  # fmt: skip


def texts(figure):
    figure.draw_without_rendering()
    return [artist.get_text() for artist in figure.findobj(Text)]


@pytest.mark.filterwarnings("ignore:No coastlines", "ignore:Natural Earth")
@pytest.mark.parametrize("name", drawing())
def test_a_figure_names_no_level_but_its_own(name):
    arguments, names_level = DRAWN[name]
    said = [text for text in texts(drawing()[name](**arguments(500))) if "hPa" in text or "850" in text]
    assert all(re.search(r", 500 hPa\b", text) and "850" not in text for text in said), said
    assert len({text.split(" (")[0] for text in said}) == (len(ON_LEVELS) if names_level else 0)


def test_no_level_goes_without_saying():
    """Not given, it would be some level, whatever the data's."""
    with pytest.raises(TypeError, match="level"):
        Panel(FIELD, "", "geopotential")
    with pytest.raises(TypeError, match="level"):
        label("geopotential")
    for name, (_, names_level) in DRAWN.items():
        if names_level and name != "map_grid":  # whose panels have it
            parameter = inspect.signature(drawing()[name]).parameters["level"]
            assert parameter.default is parameter.empty and parameter.kind is parameter.KEYWORD_ONLY


def test_labels():
    assert label("geopotential", 500).name == "geopotential, 500 hPa" and short_label("geopotential") == "geopotential"
    assert label("2m_temperature", 500).name == short_label("2m_temperature") == "2 m temperature"
    assert label("sea_ice", 500, "1") == ("sea ice", "1", "viridis", 1.0, False)


def test_the_explorer_names_the_models_level(tiny, write_weather, monkeypatch):
    """In its menu, its caption and on its colour bars."""
    data = xr.load_dataset(write_weather()).assign_attrs(level=500)
    data["geopotential"] = (data["geopotential"] + 41_000).assign_attrs(data["geopotential"].attrs)  # as at that height
    path = write_weather().with_name("level.nc")
    data.to_netcdf(path, engine="h5netcdf")
    bars, plain = [], MapScale.of

    def of(*given):
        made = plain(*given)
        bars.append(made.text)
        return made

    monkeypatch.setattr(MapScale, "of", of)
    explorer = Explorer({"SPARTA-OI": tiny(data=str(path), level=500, objective="autoencoder", autoencoder_epochs=1)})
    explorer.variable.value = NAMES.index("geopotential")
    assert [text for text, _ in explorer.variable.options] == [label(name, 500).name for name in NAMES]
    assert "geopotential, 500 hPa, root mean" in explorer.caption.value
    assert set(bars[-4:]) == {f"geopotential, 500 hPa{kind} (m²/s²)" for kind in (KINDS["field"], KINDS["error"])}


def test_no_level_is_written_into_what_draws():
    sources = [*Path(plotting.__file__).parent.glob("*.py"), Path(inspect.getfile(Explorer))]
    assert len(sources) > 5 and not [path.name for path in sources if "850" in path.read_text()]
