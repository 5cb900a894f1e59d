"""Settings beside the code that reads them: a Section holds those that belong together, a Choice is one of several.

Every setting has a flat name of its own (`-p fusion gnn`, `--attention_heads 4`). A kind stands in its slot's folder,
which finds it by itself, or in a package that names it as an entry point of the group that is called as the folder.
"""

import importlib
import json
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from sparta_core.errors import ExperimentError
from sparta_core.typed import check_choice, loaded, nearest

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment

LARGEST = 2**31  # epochs, sizes and steps beyond could not be counted
Count = Annotated[int, Field(gt=0, lt=LARGEST)]
EPOCHS = "epochs"  # marks what `Section.scaled` scales
Epochs = Annotated[int, Field(ge=0, lt=LARGEST), EPOCHS]  # 0: as it starts
Positive = Annotated[float, Field(gt=0, lt=LARGEST)]
Amount = Annotated[float, Field(ge=0, lt=LARGEST)]
Share = Annotated[float, Field(ge=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]  # what random generators take
S = TypeVar("S", bound="Section")
Uses: TypeAlias = "tuple[type[Section], ...]"
_DEFINED: "list[type[Section]]" = []  # in the order of definition
BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def setting(default: Any, help: str, unit: str = "", trains: bool = True) -> Any:
    """A field of a Section.

    Args:
        default: the paper's value.
        help: what it is, for `--help`.
        unit: in which it counts.
        trains: whether a trained model depends on it; what only scores or the machine depend on does not.

    Example:
        >>> width: Count = setting(64, "channels of the first stage")
        >>> describe(width)
        "channels of the first stage (the paper's: 64)"
    """
    return Field(default, description=help, json_schema_extra={"unit": unit, "trains": trains})


class Section(BaseModel):
    """Settings that belong together, each checked for its type and range; ExperimentError for a value that is none."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    uses: "ClassVar[Uses]" = ()  # other sections that what it builds depends on, too

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _DEFINED.append(cls)

    @classmethod
    def of(cls: type[S], given: Mapping[str, Any]) -> S:
        """Build it.

        Args:
            given: values by flat name, of which it takes those that are its own.

        Raises:
            ExperimentError: one sentence about the first value that is of another type or out of its range.
        """
        fields = cls.model_fields  # which pydantic looks up anew each time
        own = {name: value for name, value in given.items() if name in fields}
        try:
            return cls(**own)
        except ValidationError as error:
            raise ExperimentError(_sentence(fields, error.errors()[0], own)) from None

    @classmethod
    def usual(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What its settings usually are beside these `settings` by flat name, where that is not their default."""
        return {}

    def check(self, experiment: "Experiment") -> None:
        """ExperimentError where it does not go with the rest of the experiment."""

    def scaled(self, share: float) -> dict[str, Any]:
        """Its settings that change with `share` of the epochs, two at least."""
        epochs = {name: getattr(self, name) for name, field in type(self).model_fields.items()
                  if EPOCHS in field.metadata}  # fmt: skip
        return {name: min(count, max(2, round(share * count))) for name, count in epochs.items()}

    def used(self) -> dict[str, Any]:
        """The settings that a trained model depends on, by flat name."""
        return {name: getattr(self, name) for name, field in type(self).model_fields.items() if extra(field)["trains"]}


class Choice(Section):
    """One kind of several: `class Fusion(Choice, slot="fusion", default="early")` names the setting that chooses.

    `class Early(Fusion, name="early")`, in a module of the package in which Fusion is defined, is a kind.

    Example:
        >>> from sparta_core.fusions import Fusion
        >>> Fusion.slot, Fusion.default, Fusion.kind("attention")(attention_heads=4).attention_heads
        ('fusion', 'early', 4)
    """

    slot: ClassVar[str] = ""
    default: ClassVar[str] = ""
    name: ClassVar[str] = ""

    def __init_subclass__(cls, slot: str = "", default: str = "", name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name
        if slot:
            cls.slot, cls.default = slot, default

    @classmethod
    def kinds(cls: type[S]) -> "dict[str, type[S]]":
        """All kinds by name, the default one first."""
        base: Any = base_of(cls)
        load(base.__module__)
        every: list[Any] = [kind for kind in _DEFINED if issubclass(kind, base) and vars(kind)["name"]]
        kinds = {kind.name: kind for kind in every}
        for kind in every:
            if kinds[kind.name] is not kind:
                raise ExperimentError(f"two kinds of {base.slot} are called {kind.name!r}, in {kind.__module__} and in "
                                      f"{kinds[kind.name].__module__}; rename one")
        return {name: kinds[name] for name in sorted(kinds, key=lambda name: (name != base.default, name))}

    @classmethod
    def kind(cls: type[S], name: Any) -> type[S]:
        """The kind called `name`; ExperimentError, which lists the names, for any other."""
        kinds = cls.kinds()  # type: ignore[attr-defined]
        check_choice(cls.slot, name, tuple(kinds))  # type: ignore[attr-defined]
        return kinds[name]

    def unused(self) -> None:
        """ExperimentError where its settings say that it should have been chosen, and it is not."""

    def resolved(self, experiment: "Experiment") -> "Choice":
        """The kind that it stands for: itself, unless it says that it is as another setting is."""
        return self


def base_of(kind: Any) -> type[Choice]:
    """The base of a kind, which names the setting that chooses."""
    return next(parent for parent in kind.__mro__ if "slot" in vars(parent) and not vars(parent)["name"])


@cache
def load(package: str) -> None:
    """Import every module of a package, and what other packages name as entry points of the group called as it."""
    folder = importlib.import_module(package)
    for module in pkgutil.iter_modules(getattr(folder, "__path__", ())):
        importlib.import_module(f"{package}.{module.name}")
        if module.ispkg:
            load(f"{package}.{module.name}")
    for point in entry_points(group=package):
        loaded(point)


def sections(packages: Sequence[str]) -> list[type[Section]]:
    """Every section and kind of the packages, in their order."""
    for package in packages:
        load(package)
    parents = {parent for cls in _DEFINED for parent in cls.__bases__}
    every = [cls for cls in _DEFINED if vars(cls).get("name") or cls not in parents]

    def place(cls: type[Section]) -> tuple[int, str]:  # not the order of definition, which other imports would change
        inside = (k for k, package in enumerate(packages) if f"{cls.__module__}.".startswith(f"{package}."))
        return next(inside, len(packages)), cls.__module__

    return sorted(every, key=place)


def extra(field: FieldInfo) -> dict[str, Any]:
    """What `setting` said of a field beside its help: unit, trains."""
    return field.json_schema_extra  # type: ignore[return-value]


def describe(field: FieldInfo) -> str:
    """A setting's help, unit, range and default, in a line."""
    unit, values = extra(field)["unit"], _choices(field.annotation)
    bounds = _bounds(field.annotation, field.metadata)
    parts = [f"in {unit}" if unit else "", f"one of {', '.join(values)}" if values else bounds,
             f"the paper's: {as_typed(field.default)}" if field.default != "" else ""]  # fmt: skip
    told = "; ".join(part for part in parts if part)
    return escaped(f"{field.description} ({told})" if told else str(field.description))


def as_typed(value: Any) -> str:
    """A value as a person types it behind a flag: JSON, lists of words and numbers with commas alone.

    >>> as_typed((0.6, 0.2)), as_typed(None), as_typed(True), as_typed("bundled")
    ('0.6,0.2', 'null', 'true', 'bundled')
    """
    if isinstance(value, tuple) and not any(isinstance(entry, tuple) for entry in value):
        return ",".join(map(as_typed, value))
    return value if isinstance(value, str) else json.dumps(value)


def escaped(text: str) -> str:
    """Help as argparse takes it."""
    return text.replace("%", "%%")


def as_tuples(value: Any) -> Any:
    """Lists, nested ones too, as tuples: what JSON gives back of them."""
    return tuple(as_tuples(entry) for entry in value) if isinstance(value, (list, tuple)) else value


def _sentence(fields: Mapping[str, FieldInfo], error: Any, given: Mapping[str, Any]) -> str:
    """pydantic's first `error` as one sentence about the setting."""
    name, kind = error["loc"][0], error["type"]
    value, field = given[name], fields[name]
    if kind == "literal_error":
        valid = _choices(field.annotation)
        return f"{name} is {value!r}; choose one of: {', '.join(valid)}{nearest(value, valid)}"
    if kind == "value_error":
        return (f"{name} is {value!r}; write a duration as a number of days above 0, or as '12h', '30min', '5d' or "
                "'3mo'")
    if kind == "too_short":
        return f"{name} is empty; name one at least"
    if kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = _bounds(field.annotation, field.metadata)
        most = error["ctx"].get("lt", 0)
        return f"{name} is {value}; it must be {f'below {most}' if most > 1 else bound}"
    return f"{name} is {value!r}; it must be of type {type_name(field.annotation)}"


def type_name(kind: Any) -> str:
    """A type as an error names it, without the ranges."""
    if get_origin(kind) is Annotated:
        return type_name(get_args(kind)[0])
    if get_origin(kind) is tuple:
        return f"tuple[{', '.join('...' if each is Ellipsis else type_name(each) for each in get_args(kind))}]"
    if get_args(kind):
        return " | ".join("None" if each is type(None) else type_name(each) for each in get_args(kind))
    return getattr(kind, "__name__", str(kind))


def _choices(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _bounds(kind: Any, metadata: Sequence[Any]) -> str:
    """The range that a number, or each of a tuple's, must lie in, in words: "at least 0 and below 1"."""
    words = []
    for constraint in metadata:
        inner = constraint.metadata if isinstance(constraint, FieldInfo) else [constraint]
        for each in inner:
            words += [f"{word} {bound:g}" for name, word in BOUNDS.items()
                      if (bound := getattr(each, name, None)) is not None and abs(bound) < LARGEST]  # fmt: skip
    if words or get_origin(kind) is None:
        return " and ".join(words)
    first = get_args(kind)[0]
    return _bounds(first, getattr(first, "__metadata__", ()))
