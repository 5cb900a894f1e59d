"""The explorer as a user meets it: JupyterLab in a real browser, a slider moved, a picture that changes.

Not part of plain pytest: `make test-browser`. Needs Chromium on the PATH.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import nbformat
import pytest

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SETTINGS = dict.fromkeys(("autoencoder_epochs", "pretrain_epochs", "blend_epochs", "decoder_epochs"), 1)
SMOOTH = 200  # milliseconds from a slider move to the new picture
PATIENCE = 120_000  # milliseconds for the kernel to start and the first picture
SHOW = """\
from sparta_core.experiment import Experiment
from sparta_core.explorer.widget import Explorer

experiment = Experiment(**{settings})
explorer = Explorer({{"SPARTA-OI": experiment, "autoencoder": experiment.replace(objective="autoencoder")}})
explorer.widget
"""


@pytest.fixture
def lab(tiny, tmp_path):
    """The address of a JupyterLab whose folder holds a notebook that shows the explorer."""
    experiment = tiny(**SETTINGS)
    settings = experiment.changed(experiment.flat)
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(SHOW.format(settings=settings))],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})  # or Lab asks which
    nbformat.write(notebook, tmp_path / "explorer.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ip=127.0.0.1", "--allow-root",
               "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}"]  # fmt: skip
    environment = os.environ | {name: str(tmp_path / "jupyter") for name in
                                ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")}
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/api/status", server, tmp_path / "lab.log")
        yield f"http://127.0.0.1:{port}/lab/tree/explorer.ipynb"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(address, server, log):
    for _ in range(120):
        assert server.poll() is None, log.read_text()
        try:
            with urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(log.read_text())


@pytest.fixture
def page(lab):
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on the PATH; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(lab)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status='idle']").wait_for(timeout=PATIENCE)
        run_first_cell(page)
        page.locator("img.sparta-maps").wait_for(timeout=PATIENCE)
        yield page
        browser.close()


def run_first_cell(page):
    """Lab drops a key press now and then while it is still loading."""
    for _ in range(10):
        page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(2000)
        if page.locator(".jp-CodeCell .jp-InputPrompt").first.inner_text() != "[ ]:":
            return
    raise AssertionError("JupyterLab does not run the cell")


def picture(page, name):
    """A digest of the picture that the browser shows."""
    script = """async (name) => Array.from(new Uint8Array(
        await (await fetch(document.querySelector('img.' + name).src)).arrayBuffer()))"""
    return hashlib.sha256(bytes(page.evaluate(script, name))).hexdigest()


def wait_until_changed(page, name, before):
    begun = time.perf_counter()
    while picture(page, name) == before:
        assert time.perf_counter() - begun < 30, f"{name} did not change"
        time.sleep(0.05)


def milliseconds_to_new_picture(page, moves):
    """From the key that moves the slider to the new map on the screen, by the browser's own clock."""
    page.evaluate("""() => {
        document.addEventListener('keydown', () => { window.moved = performance.now() }, true);
        document.querySelector('img.sparta-maps').addEventListener('load', () => { window.shown = performance.now() });
    }""")
    times = []
    for _ in range(moves):
        page.evaluate("window.moved = window.shown = 0")
        page.keyboard.press("ArrowRight")
        page.wait_for_function("window.shown > window.moved && window.moved > 0", timeout=30_000)
        times.append(page.evaluate("window.shown - window.moved"))
    return times


def both(page):
    return picture(page, "sparta-plane"), picture(page, "sparta-maps")


def test_slider_play_analogue_and_choices(page):
    """One session with all of them: a JupyterLab takes long to start."""
    assert "2002" in page.locator(".widget-html-content", has_text="masked").inner_text()
    plane, maps = both(page)
    handle = page.locator(".widget-slider .noUi-handle").first
    handle.focus()
    times = milliseconds_to_new_picture(page, 8)
    print("slider to picture, ms:", *(round(t) for t in times))
    assert min(times) < SMOOTH
    assert both(page)[0] != plane and both(page)[1] != maps

    plane, maps = both(page)
    page.locator(".widget-slider .noUi-handle").nth(1).focus()  # the share masked
    page.keyboard.press("ArrowLeft")
    wait_until_changed(page, "sparta-maps", maps)

    maps = picture(page, "sparta-maps")
    page.locator(".widget-dropdown select").nth(2).select_option(label="geopotential, 850 hPa")
    wait_until_changed(page, "sparta-maps", maps)
    plane = picture(page, "sparta-plane")
    page.locator(".widget-dropdown select").nth(0).select_option(label="autoencoder")
    wait_until_changed(page, "sparta-plane", plane)

    caption = page.locator(".widget-html-content", has_text="masked")
    said = caption.inner_text()
    page.locator(".widget-play button").first.click()
    page.wait_for_function("said => ![...document.querySelectorAll('.widget-html-content')]"
                           ".some(e => e.innerText === said)", arg=said, timeout=10_000)  # fmt: skip
    page.locator(".widget-play button").nth(0).click()  # pause

    handle.focus()
    page.keyboard.press("End")
    button = page.locator("button.jupyter-button", has_text="(").first
    button.wait_for(timeout=10_000)
    date = button.inner_text().split()[0]
    button.click()
    page.locator(".widget-html-content", has_text=date).wait_for(timeout=10_000)
