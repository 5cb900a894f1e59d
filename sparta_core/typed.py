"""Names that stand for something, and the near one for a name that stands for nothing.

Whoever acts on a setting that is a name looks it up in a Table, which refuses a name that it does not hold.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

from sparta_core.errors import ExperimentError, one_line

T = TypeVar("T")


class Table(dict[str, T]):
    """What each name of a setting stands for.

    Args:
        setting: what the name is of, as errors call it.
        entries: what each name stands for.

    Raises:
        ExperimentError: which lists the names, where another is looked up.

    Example:
        >>> heads = Table("head", {"pool": True, "flatten": False})
        >>> heads["pool"]
        True
        >>> heads["pol"]
        Traceback (most recent call last):
        sparta_core.errors.ExperimentError: head is 'pol'; choose one of: pool, flatten (did you mean pool?)
    """

    def __init__(self, setting: str, entries: Mapping[str, T]) -> None:
        super().__init__(entries)
        self.setting = setting

    def __getitem__(self, name: str) -> T:
        check_choice(self.setting, name, tuple(self))
        return super().__getitem__(name)


def plain(value: Any) -> Any:
    """`value` as JSON gives it back: tuples, nested ones too, as lists."""
    return [plain(entry) for entry in value] if isinstance(value, tuple) else value


def nearest(value: Any, valid: Iterable[str], before: str = "") -> str:
    """Ask for the name in `valid` that is most like `value`, written with `before` it; nothing where none is like it.

    >>> nearest("fuson", ["fusion", "seed"], "--"), nearest("x", ["fusion", "seed"])
    (' (did you mean --fusion?)', '')
    """
    folded = {name.casefold(): name for name in valid}
    near = get_close_matches(value.casefold(), folded, n=1) if isinstance(value, str) else []
    return f" (did you mean {before}{folded[near[0]]}?)" if near else ""


def check_choice(name: str, value: Any, valid: tuple[str, ...]) -> None:
    """ExperimentError unless `value` of the setting `name` is one of those that are `valid`."""
    if value not in valid:
        raise ExperimentError(f"{name} is {value!r}; choose one of: {', '.join(valid)}{nearest(value, valid)}")


def loaded(point: EntryPoint) -> Any:
    """Load what another package's entry point names; ExperimentError where that cannot be."""
    try:
        return point.load()
    except Exception as error:  # whatever another package raises
        raise ExperimentError(f"the entry point {point.name} = {point.value} of {point.group} cannot be loaded "
                              f"({one_line(error)}); mend or remove its package") from error
