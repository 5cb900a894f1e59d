"""Train stages from a terminal: `python -m sparta_core --preset paper --fusion gnn decoder forecast`.

Before that, `prepare` makes a store of ERA5's days, `simulate` one of JCM's, and `audit` says what is in one;
`targets` holds a model against its baselines, `export` writes it as one file. `forecast --model model.safetensors
--input days.nc --output forecast.nc` uses that file on your days, as do `reconstruct`, `assimilate`, `embed` and
`season`; without a model they take the small one that comes with the package. Each tells more with --help.

Says what is still to do and what that will cost, then trains it, with a line an epoch. Stopped at any
moment, the same command goes on after the last whole epoch. Every setting of Experiment is a flag: numbers,
true, false and lists as JSON has them (--view_size 64,128), words as they are. Several processes, a GPU each,
share every batch: `torchrun --nproc_per_node 4 -m sparta_core ...` trains what one process would, but for
rounding and dropout.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

from sparta_core.catalogue import described
from sparta_core.commands import COMMANDS, VERBS, command_of
from sparta_core.commands.words import parsed
from sparta_core.errors import SpartaError
from sparta_core.evaluation.plan import STAGES, check, costs, train
from sparta_core.experiment import Experiment, defaults
from sparta_core.presets import PRESETS
from sparta_core.processes import first_process
from sparta_core.progress import duration
from sparta_core.training.device import prepare_process
from sparta_core.training.records import open_record
from sparta_core.typed import check_choice


def main(words: Sequence[str] | None = None) -> None:
    prepare_process()
    words = sys.argv[1:] if words is None else words
    warnings.showwarning = _said
    try:
        (command_of(words) or partial(_train, words))()
    except SpartaError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nStopped; the same command goes on where it was.")


def _train(words: Sequence[str]) -> None:
    if words and not words[0].startswith("-"):
        check_choice("stage or command", words[0], (*STAGES, *COMMANDS, *VERBS))
    options = vars(parsed(_parser(), words))
    names, preset = options.pop("stages"), options.pop("preset")
    for name in names:
        check_choice("stage", name, STAGES)
    only_cost = options.pop("cost")
    changes = {name: _value(name, text) for name, text in options.items() if text is not None}
    experiment = Experiment.from_preset(preset, **changes)
    check(experiment, names)
    _announce(experiment, names)
    for name in [] if only_cost else experiment.ancestry(*names):
        train(experiment, name)


def _parser() -> argparse.ArgumentParser:
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m sparta_core", description=__doc__, formatter_class=about)
    parser.add_argument("stages", nargs="+", metavar="stage", help=", ".join(STAGES))
    parser.add_argument("--preset", default="demo", help=", ".join(PRESETS))
    parser.add_argument("--cost", action="store_true", help="say what it will cost, and no more")
    for name, text in described().items():
        if name != "preset":
            parser.add_argument(f"--{name}", metavar="VALUE", help=text)
    return parser


def _value(name: str, text: str) -> Any:
    """What a flag says; several values, or one where the setting is a list, make a list."""
    alone = isinstance(defaults()[name], tuple) and not text.startswith("[") and text != "null"
    try:
        return json.loads(f"[{text}]" if alone else text)
    except ValueError:
        return text.split(",") if alone else text


def _announce(experiment: Experiment, names: Sequence[str]) -> None:
    for finding in open_record(experiment).findings:
        _say(str(finding))
    total = 0.0
    for cost in costs(experiment, names):
        _say(str(cost))
        total += cost.seconds
    _say(f"In all about {duration(total)}." if total else "All of it is trained.")


def _said(message: Warning | str, *where: Any, **more: Any) -> None:
    """A warning as a reader of a terminal wants it: without the place in the code."""
    print(f"Warning: {message}", file=sys.stderr, flush=True)


def _say(line: str) -> None:
    if first_process():
        print(line, flush=True)


if __name__ == "__main__":
    main()
