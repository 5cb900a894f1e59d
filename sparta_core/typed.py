"""Values checked: of the types that fields declare, converted where that loses nothing; names that stand for something.

Whoever acts on a setting that is a name looks it up in a Table, which refuses a name that it does not hold.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

from sparta_core.errors import ExperimentError

T = TypeVar("T")


class Table(dict[str, T]):
    """What each name of a setting stands for; ExperimentError, which lists the names, for any other."""

    def __init__(self, setting: str, entries: Mapping[str, T]) -> None:
        super().__init__(entries)
        self.setting = setting

    def __getitem__(self, name: str) -> T:
        check_choice(self.setting, name, tuple(self))
        return super().__getitem__(name)


def plain(value: Any) -> Any:
    """`value` as JSON gives it back: tuples, nested ones too, as lists."""
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def nearest(value: Any, valid: Iterable[str], before: str = "") -> str:
    """" (did you mean NAME?)" with the name in `valid` most like `value`, `before` it what it has before it; or ""."""
    folded = {name.casefold(): name for name in valid}
    near = get_close_matches(value.casefold(), folded, n=1) if isinstance(value, str) else []
    return f" (did you mean {before}{folded[near[0]]}?)" if near else ""


def check_choice(name: str, value: Any, valid: tuple[str, ...]) -> None:
    """ExperimentError unless `value` of the setting `name` is one of those that are `valid`."""
    if value not in valid:
        raise ExperimentError(f"{name} is {value!r}; choose one of: {', '.join(valid)}{nearest(value, valid)}")


def typed(name: str, kind: Any, value: Any) -> Any:
    """`value` as `kind`, where that loses nothing (a list becomes a tuple, 1 becomes 1.0)."""
    if kind == int | None:
        return None if value is None else typed(name, int, value)
    if get_origin(kind) is tuple and isinstance(value, (list, tuple)):
        kinds = get_args(kind)
        if kinds[-1] is Ellipsis:
            kinds = kinds[:1] * len(value)
        if len(value) == len(kinds):
            return tuple(typed(name, k, v) for k, v in zip(kinds, value, strict=True))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if get_origin(kind) is None and type(value) is kind and value == value:
        return value
    wanted = getattr(kind, "__name__", str(kind)) if get_origin(kind) is None else str(kind)
    raise ExperimentError(f"{name} is {value!r}; it must be of type {wanted}")
