"""What notebooks say holds for every parameter, but for one section, which says of which run it speaks."""

import re
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest

from sparta_core.data.record import load_record
from sparta_core.experiment import Experiment
from sparta_core.presets import COMPARISONS, PAPERS, PRESETS

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
KEPT = re.compile(r"^## In the run kept here \((seeds?) ([\d, and]+), (?:.* )?(\w+)\)$", re.MULTILINE)
DECIMAL = re.compile(r"\d+(?:\.\d+)+")
# Numbers with a point that come from no run: a version, the grid's spacing, a closed form of the paper's settings.
GIVEN = {"01_data": {"3.0.0", "5.625"}, "03_pretrain": {"11.1"}, "13_own_data": {"2.5"}, "14_assimilation": {"0.5"}}
SEEDS = {"09_ablation": "0 and 1", "10_fusion": "0 and 1", "12_beyond_the_paper": "0, 1 and 2",
         "15_objectives": "0, 1 and 2"}  # fmt: skip
PRESET = {"00_quickstart": "quickstart"}
TRAINS_THE_PAPERS = ("03_pretrain", "04_blend", "09_ablation", "10_fusion")


def sources(path, kind):
    return [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == kind]


def results_told_as_facts(texts, given=()):
    """Numbers with a point, as results have them, in cells that do not say of which run they are; nor of the paper's
    sections."""
    others = "\n".join(text for text in texts if not KEPT.search(text))
    lines = [line for line in others.splitlines() if not line.startswith("| Paper |")]
    return [number for number in DECIMAL.findall("\n".join(lines)) if number not in given]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_numbers_of_a_run_stand_under_its_name(path):
    texts = sources(path, "markdown")
    (said,) = [KEPT.search(text).groups() for text in texts if KEPT.search(text)]
    seeds = SEEDS.get(path.stem, "0")
    preset = PAPERS["demo"] if path.stem in TRAINS_THE_PAPERS else PRESET.get(path.stem, "demo")
    assert said == ("seeds" if "and" in seeds else "seed", seeds, preset)
    assert said[-1] in PRESETS
    assert results_told_as_facts(texts, GIVEN.get(path.stem, ())) == []
    assert not [text for text in texts if "What we saw" in text]


def test_the_seeds_of_comparisons_are_their_presets():
    for name in ("09_ablation", "10_fusion"):
        assert SEEDS[name] == COMPARISONS[PAPERS["demo"]].seeds.replace(",", " and ")


def test_a_result_elsewhere_is_found():
    kept = "## In the run kept here (seed 0, demo)\n\n- an error of 0.274"
    assert results_told_as_facts([kept, "| Paper | section 3.1 |", "50 to 90 % masked, in 1,000 steps"]) == []
    assert results_told_as_facts([kept, "The cycle loss, about 0.005, is small."]) == ["0.005"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_level_and_the_models_name_are_those_of_the_run(path):
    """Neither 850 hPa nor, for our model, the name of the paper's method is written where it is not known."""
    others = [text for text in sources(path, "markdown") if not KEPT.search(text)]
    code = sources(path, "code")
    assert not [text for text in others + code if "850" in text]
    assert not [text for text in code if '"SPARTA"' in text] and not [text for text in others if "**SPARTA's**" in text]


@pytest.mark.filterwarnings("ignore")
def test_the_data_are_shown_without_a_land_sea_mask(write_weather, tmp_path):
    """Notebook 01 from beginning to end, through papermill."""
    path = write_weather(days=800)
    made = papermill.execute_notebook(
        FOLDER / "01_data.ipynb", tmp_path / "01.ipynb", cwd=str(tmp_path), kernel_name="python3", progress_bar=False,
        parameters={"preset": "smoke", "data": str(path), "runs": str(tmp_path / "runs")})  # fmt: skip
    assert not [out for cell in made.cells for out in cell.get("outputs", []) if out.output_type == "error"]
    assert len(pd.read_csv(tmp_path / "runs" / "stations.csv").drop_duplicates()) == 150
    assert {figure.stem for figure in tmp_path.glob("runs/figures/*/*.png")} == {
        "01_variables", "01_season", "01_views", "01_sparsity", "01_baselines"}


@pytest.mark.parametrize("mask", ["none", "a few points"])
def test_stations_are_placed_without_a_land_sea_mask(weather, tmp_path, mask):
    """Notebook 05's 150: anywhere without one; where there is less land than that, on every point of it."""
    record = load_record(Experiment(data=str(weather), device="cpu", soft_gap=45))
    assert record.land_sea_mask is None
    land = np.zeros(record.grid)
    land[3, :7] = 1
    there = SimpleNamespace(grid=record.grid, domain=record.domain, land_sea_mask=None if mask == "none" else land)
    code = sources(FOLDER / "05_decoder.ipynb", "code")
    (cell,) = [text for text in code if "measured.csv" in text and "rng" in text]
    truth = np.arange(land.size).reshape(land.shape) + 200.0
    exec(cell, {"np": np, "pd": pd, "record": there, "seed": 0, "date": ["2002-01-01"], "name": "2m_temperature",
                "physical": {"truth": truth}, "runs": str(tmp_path)})  # fmt: skip
    table = pd.read_csv(tmp_path / "measured.csv").drop_duplicates(["lat", "lon"])
    assert len(table) == (150 if mask == "none" else 7)
    rows, columns = (np.searchsorted(axis, table[name]) for axis, name in (
        (record.latitude, "lat"), (record.longitude, "lon")))  # fmt: skip
    assert table["2m_temperature"].to_numpy() == pytest.approx(truth[rows, columns], abs=3)  # errors of half a kelvin
    if mask != "none":
        assert (land[rows, columns] == 1).all()
