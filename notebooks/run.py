"""Run the notebooks in order, headless: `python run.py --preset demo`.

Executed notebooks go to ../runs/notebooks/<preset>/, figures beside the runs. A notebook whose text,
code and parameters have not changed since it last ran to the end is not run again. `--figures DIR`
copies the figures there, `--keep` the outputs back into the notebooks of this folder, `--show` prints what
they printed, `--jobs 2` runs two at once. Four notebooks that train many models run with `--all`, or named after
`--only`.
"""

import argparse
import hashlib
import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
import papermill
from nbformat import NotebookNode
from nbformat.v4 import new_output

import sparta_core
from sparta_core.evaluation.comparison import models
from sparta_core.experiment import Experiment
from sparta_core.presets import PRESETS
from sparta_core.progress import duration
from sparta_core.tasks.forecast.scores import forecast_scores, table
from sparta_core.tasks.forecast.windows import last_observed
from sparta_core.training.records import open_record

HERE = Path(__file__).parent
RUNS = Path("../runs")  # as seen from this folder, where the notebooks run
EPOCH = ": epoch "  # in every line of the training loop
WIDGET = "application/vnd.jupyter.widget-view+json"
WHEN_ASKED = ("09_ablation", "10_fusion", "12_beyond_the_paper", "15_objectives")  # many models each
TIMED = "demo"  # the preset of whose run the notebooks keep how long they took
QUICKSTART = "quickstart"  # whose model comes with the package: the folder of its figures
FORECAST = "06_forecast"  # after which the table of scores is printed
LEADS = (1, 2, 3, 5, 10, 25, 50, 75, 100)


def main() -> None:
    there = {path.stem: path for path in sorted(HERE.glob("[0-9][0-9]_*.ipynb"))}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="demo", choices=PRESETS)
    parser.add_argument("--figures", type=Path, help="copy the notebooks' figures into this folder")
    parser.add_argument("--only", nargs="+", choices=there, metavar="NAME", help="these notebooks")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many notebooks at once share the cores; 1")
    parser.add_argument("--all", action="store_true", help=f"{', '.join(WHEN_ASKED)}, too")
    parser.add_argument("--show", action="store_true", help="print what the notebooks printed, and name their figures")
    parser.add_argument("--keep", action="store_true", help="write the outputs back into the notebooks here")
    options = parser.parse_args()
    if options.jobs < 1:
        parser.error("--jobs must be 1 or more")
    for folder in (RUNS, *([options.figures] if options.figures else [])):  # before hours of work
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            sys.exit(f"{folder} cannot be made ({error.strerror}); choose another folder, or make it writable")
    # papermill logs what a notebook prints; the training loop's lines are what a person waits for.
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stdout)
    logging.getLogger("papermill").setLevel(logging.INFO)
    logging.getLogger("papermill").addFilter(_is_progress)
    notebooks = [path for name, path in there.items()
                 if (name in options.only if options.only else options.all or name not in WHEN_ASKED)]  # fmt: skip
    begun = time.monotonic()
    took: dict[Path, float] = {}

    def execute(number: int, source: Path) -> None:
        head = f"[{number}/{len(notebooks)}] {source.stem}"
        known = took or options.preset == TIMED
        left = remaining(notebooks[number - 1 :], took) / options.jobs if known else None
        ran = time.monotonic()
        if run(source, options.preset, head, left):
            took[source] = time.monotonic() - ran
        if options.show:
            show(executed_copy(source, options.preset))
        if options.keep:
            keep(executed_copy(source, options.preset), source)

    in_turn(execute, notebooks, options.jobs)
    experiment = Experiment.from_preset(options.preset, runs=str(RUNS))
    if options.figures:
        names = {one.name("decoder") for one in models(experiment).values()} | {QUICKSTART}
        folders = [RUNS / "figures" / name for name in names]
        for figure in sorted(figure for folder in folders for figure in folder.glob("[0-9][0-9]_*.png")):
            shutil.copy(figure, options.figures)
    if FORECAST in [path.stem for path in notebooks]:
        scores = forecast_scores(models(experiment))
        record = open_record(experiment)
        starts = record.dates(last_observed(experiment, record))
        print(f"\n{len(starts)} forecasts from {starts[0]} to {starts[-1]}, {scores.attrs['source']}; models see "
              f"{1 - experiment.downstream_mask_ratio:.0%} of each field, baselines all of it")  # fmt: skip
        print(table(scores, LEADS))
    whole = duration(time.monotonic() - begun)
    print(f"\nAll notebooks in {whole}; executed copies in runs/notebooks/{options.preset}/")


def in_turn(execute: Callable[[int, Path], None], notebooks: list[Path], jobs: int) -> None:
    """Execute the notebooks, from 1, in their order, `jobs` of them at once; what one trains the others wait for."""
    if jobs == 1:
        for number, source in enumerate(notebooks, 1):
            execute(number, source)
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))  # of each kernel
    pool = ThreadPoolExecutor(jobs)
    try:
        for done in as_completed([pool.submit(execute, number, source) for number, source in enumerate(notebooks, 1)]):
            done.result()
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # kernels end with the process that started them; waiting for the others could take an hour


def remaining(notebooks: list[Path], took: dict[Path, float]) -> float:
    """Seconds that `notebooks` will take: those kept with each, at the pace of the ones that ran so far."""

    def kept(paths: Iterable[Path]) -> float:
        return sum(nbformat.read(path, 4).metadata.get("seconds", 60.0) for path in paths)

    return kept(notebooks) * (sum(took.values()) / kept(took) if took else 1.0)


def executed_copy(source: Path, preset: str) -> Path:
    """Where the executed copy of a notebook lies."""
    return RUNS / "notebooks" / preset / source.name


def run(source: Path, preset: str, head: str, left: float | None) -> bool:
    """Execute `source` unless its copy is up to date; says whether it did.

    `left` is the time in seconds until all notebooks are done; None if it is not known.
    """
    target = executed_copy(source, preset)
    digest = _digest(source)
    if target.exists() and nbformat.read(target, 4).metadata.get("sparta_digest") == digest:
        print(f"{head}: up to date", flush=True)
        return False
    print(f"{head}: running" + ("" if left is None else f", about {duration(left)} left for all"), flush=True)
    begun = time.monotonic()
    target.parent.mkdir(parents=True, exist_ok=True)
    given = {"preset": preset} if "preset" in papermill.inspect_notebook(str(source)) else {}
    papermill.execute_notebook(source, target, given, cwd=str(HERE), kernel_name="python3", progress_bar=False,
                               log_output=True,
                               extra_arguments=["--log-level=40"])  # the kernel's own errors only; fmt: skip
    executed = nbformat.read(target, 4)
    seconds = time.monotonic() - begun
    # Only now: a notebook that failed or was stopped has no digest and runs again.
    executed.metadata |= {"sparta_digest": digest, "seconds": round(seconds)}
    nbformat.write(executed, target)
    print(f"{head}: done in {duration(seconds)}", flush=True)
    return True


def show(executed: Path) -> None:
    """Print what the cells of `executed` printed, and say where its figures are."""
    for cell in nbformat.read(executed, 4).cells:
        print("".join(out.text for out in cell.get("outputs", []) if out.get("name") == "stdout"), end="")
    figures = sorted(RUNS.glob(f"figures/*/{executed.stem[:2]}_*.png"))
    print("\n".join(f"figure: {figure.resolve()}" for figure in figures))


def keep(executed: Path, source: Path) -> None:
    """Put the outputs of `executed` into the cells of `source`, matched by id."""
    copy, notebook = nbformat.read(executed, 4), nbformat.read(source, 4)
    made = {cell.id: cell for cell in copy.cells if cell.cell_type == "code"}
    notebook.metadata["seconds"] = copy.metadata["seconds"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):  # papermill's own parameters cell is counted in the copy, not here
        cell.execution_count = count
        cell.outputs = _lasting(made[cell.id].outputs)
        for result in cell.outputs:
            if "execution_count" in result:
                result["execution_count"] = count
    nbformat.write(notebook, source)


def _lasting(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Without widgets, which live only with their kernel, warnings on stderr, and how much time training had left.

    What a cell printed becomes one output, before its figures and tables.
    """
    printed = [out.text for out in outputs if out.get("name") == "stdout"]
    lines = [line for line in "".join(printed).splitlines(keepends=True)
             if not (EPOCH in line and line.rstrip().endswith(" left"))]  # fmt: skip
    others = [out for out in outputs if out.output_type != "stream" and WIDGET not in out.get("data", {})]
    return [new_output("stream", text="".join(lines)), *others] if lines else others


def _digest(source: Path) -> str:
    """Changes with the notebook's cells and with any line of sparta_core."""
    digest = hashlib.sha256()
    for cell in nbformat.read(source, 4).cells:
        digest.update(cell.source.encode())
    for path in sorted(Path(sparta_core.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _is_progress(record: logging.LogRecord) -> bool:
    """Of all that a notebook prints, the lines of the training loop, each without its line end."""
    record.msg, record.args = record.getMessage().rstrip(), ()
    return EPOCH in record.msg


if __name__ == "__main__":
    main()
