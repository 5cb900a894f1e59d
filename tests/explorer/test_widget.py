"""The explorer without a browser: moving any control repaints what it should, soon."""

import io
import time

import numpy as np
import pytest
from PIL import Image

from sparta_core.explorer.widget import Explorer

SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)
SMOOTH = 0.2  # seconds


@pytest.fixture(scope="module")
def explorer(weather, tmp_path_factory):
    from sparta_core.experiment import Experiment

    experiment = Experiment(
        data=str(weather), runs=str(tmp_path_factory.mktemp("runs")), device="cpu", precision="32-true",
        view_size=(16, 32), crop_from=(18, 36), smoothing=3, width=4, norm_groups=2, head="flatten", embedding=16,
        projection=8, soft_gap=45, **SETTINGS)  # fmt: skip
    return Explorer({"SPARTA": experiment, "autoencoder": experiment.replace(objective="autoencoder")})


@pytest.fixture(autouse=True)
def reset(explorer):
    explorer.model.value, explorer.plane.value, explorer.variable.value = "SPARTA", "PCA", 0
    explorer.ratio.value, explorer.day.value = 0.7, 100


def images(explorer):
    return [np.asarray(Image.open(io.BytesIO(image.value))) for image in (explorer.plane_image, explorer.map_image)]


@pytest.mark.parametrize(("control", "value", "changes"), [
    ("day", 90, (True, True)), ("model", "autoencoder", (True, True)), ("ratio", 0.3, (True, True)),
    ("variable", 3, (False, True)), ("plane", "t-SNE", (True, False)),
])  # fmt: skip
def test_each_control_repaints_what_depends_on_it(explorer, control, value, changes):
    before, said = images(explorer), explorer.caption.value
    getattr(explorer, control).value = value
    for old, new, differs in zip(before, images(explorer), changes, strict=True):
        assert (old != new).any() == differs
    if control in ("day", "ratio", "variable"):
        assert explorer.caption.value != said


def test_the_caption_says_which_day_and_how_much_is_hidden(explorer):
    assert explorer.session.date(100) in explorer.caption.value and "70% masked" in explorer.caption.value
    assert " K (" in explorer.caption.value


def test_a_click_goes_to_an_analogue(explorer):
    (expected, _), *_ = explorer.session.analogues("SPARTA", 100)
    assert explorer.buttons[0].description.startswith(explorer.session.date(expected))
    explorer.buttons[0].click()
    assert explorer.day.value == expected
    explorer.day.value = 0  # no past: nothing to click
    assert all(button.layout.display == "none" for button in explorer.buttons)


def test_the_still_is_what_the_widget_shows(explorer):
    plane, maps = images(explorer)
    assert (explorer.picture() == np.hstack([plane, maps])).all()


def test_a_slider_move_is_shown_at_once(explorer):
    """At most 200 ms; on two idle cores it takes a tenth of that."""
    times = []
    for day in range(60, 66):
        begun = time.perf_counter()
        explorer.day.value = day
        times.append(time.perf_counter() - begun)
    assert min(times) < SMOOTH
