"""What a person passes to a notebook or a command as words: refused in a sentence where it is not what it should be."""

import ast
import re
from collections.abc import Collection
from typing import Any

from sparta_core.catalogue import owners
from sparta_core.errors import ExperimentError
from sparta_core.experiment import typed
from sparta_core.training.device import prepare_process
from sparta_core.typed import check_choice, nearest

INJECTED = "# Parameters\n"  # how a cell begins in which papermill hands over what it was given


def check_parameters() -> None:
    """Refuse what was passed to this notebook by a name that none of its parameters has, or of another type.

    It is what a notebook calls first, and so prepares its kernel to train.
    papermill hands over whatever it is given, in a cell of its own after the parameters, and only logs a name that
    is unknown. Both cells are found among those that this kernel ran, so nothing happens where none was passed:
    run by hand, or outside of a notebook.

    Raises:
        ExperimentError: for such a name or value.
    """
    prepare_process()
    from IPython import get_ipython  # here, so that the command line does without

    shell = get_ipython()
    ran = shell.user_ns["In"] if shell else []
    given = [(source.startswith(INJECTED), names) for source in ran if (names := _assigned(source))]
    if not given or not given[-1][0]:
        return
    own = {name: value for injected, names in given if not injected for name, value in names.items()}
    for name in given[-1][1]:
        if name not in own:
            raise ExperimentError(f"{name} is no parameter of this notebook{nearest(name, own)}; its parameters are: "
                                  f"{', '.join(own)}")
        default = own[name].value if isinstance(own[name], ast.Constant) else None
        if isinstance(default, (bool, int, float)):  # words may come as numbers, None stands for what is not said
            _check(name, type(default), shell.user_ns[name])


def _check(name: str, kind: type, value: Any) -> None:
    """ExperimentError for a value that the setting of this name does not take; where there is none, that is no `kind`.

    A number of days may come as a duration.
    """
    if name in owners():
        owners()[name][0].of({name: value})
    else:
        typed(name, kind, value)


def _assigned(source: str) -> dict[str, Any]:
    """Of a cell that only gives values to names, each name's value as it is written; of any other nothing."""
    try:
        lines = ast.parse(source).body
    except SyntaxError:  # a cell of another language, or one that failed
        return {}
    named = {line.targets[0].id: line.value for line in lines
             if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)}  # fmt: skip
    return named if len(named) == len(lines) else {}


def names_of(name: str, given: Any, valid: Collection[str]) -> list[str]:
    """The names in what was given.

    Args:
        name: of the parameter, for the error.
        given: names with commas between them.
        valid: all that there are.

    Raises:
        ExperimentError: for a name that is none of them, or that stands there twice.

    Example:
        >>> names_of("tasks", "forecast,season", ["forecast", "season", "latent"])
        ['forecast', 'season']
    """
    names = str(given).split(",")
    for each in names:
        check_choice(name, each, tuple(valid))
    return _once(name, given, names)


def seeds_of(name: str, given: Any) -> list[int]:
    """The seeds in `given`, commas between them; ExperimentError for anything else.

    >>> seeds_of("seeds", "0,1,2")
    [0, 1, 2]
    """
    if re.fullmatch(r"\d+(,\d+)*", str(given), re.ASCII) is None:
        raise ExperimentError(f"{name} is {given!r}; it must be whole numbers with commas between them, such as 0,1,2")
    return _once(name, given, [int(seed) for seed in str(given).split(",")])


def years_of(name: str, given: Any) -> tuple[int, int]:
    """The first and the last year of `given`, a year or two with a hyphen between them; ExperimentError for others.

    >>> years_of("years", "1959-2022"), years_of("years", "1980")
    ((1959, 2022), (1980, 1980))
    """
    match = re.fullmatch(r"(\d{4})(?:-(\d{4}))?", str(given), re.ASCII)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if first > last:
        raise ExperimentError(f"{name} is {given!r}; it must be a year, or the first and the last with a hyphen "
                              "between them, such as 1959-2022")
    return first, last


def _once(name: str, given: Any, entries: list[Any]) -> list[Any]:
    if len(set(entries)) < len(entries):
        raise ExperimentError(f"{name} is {given!r}; each may be named once")
    return entries
