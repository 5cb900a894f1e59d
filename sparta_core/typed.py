"""Values of the types that an experiment's fields declare: converted where that loses nothing, else refused."""

from typing import Any, get_args, get_origin

from sparta_core.errors import ExperimentError


def plain(value: Any) -> Any:
    """`value` as JSON gives it back: tuples, nested ones too, as lists."""
    return [plain(one) for one in value] if isinstance(value, tuple) else value


def check_choice(name: str, value: Any, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise ExperimentError(f"{name} is {value!r}; choose one of: {', '.join(valid)}")


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
