"""The catalogue of all sections: which settings there are, what chooses a kind, what trains; found in the folders."""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from sparta_core.errors import ExperimentError
from sparta_core.settings import Choice, Section, Uses, base_of, describe, escaped, sections

if TYPE_CHECKING:
    from sparta_core.experiment import Experiment

# Where sections and kinds are found, in the order in which they are needed; in a folder those that are named come
# first, tasks and baselines as tables have them, and the others after them by name.
PACKAGES = (
    "sparta_core.experiment", "sparta_core.data.days", "sparta_core.data.anomalies", "sparta_core.views.augment",
    "sparta_core.observe", "sparta_core.views.sampling", "sparta_core.encoders", "sparta_core.fusions",
    "sparta_core.decoders", "sparta_core.training.device", "sparta_core.training.schedules",
    "sparta_core.training.fit", "sparta_core.objectives",
    "sparta_core.tasks.reconstruction", "sparta_core.tasks.forecast", "sparta_core.tasks",
    "sparta_core.baselines.climatology", "sparta_core.baselines.persistence", "sparta_core.baselines",
)  # fmt: skip


class Trained(Section):
    """What has a folder of its own: a stage of a representation, or a task, which `needs` others first.

    `class Warmth(Trained, name="warmth")` is trained by `python -m sparta_core warmth`.
    """

    name: ClassVar[str] = ""

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = name

    def needs(self, experiment: "Experiment") -> tuple[str, ...]:
        """What must be trained before it, by name."""
        return ()

    def sections(self, experiment: "Experiment") -> Uses:
        """The sections whose settings its result depends on, besides its own and those of what it needs."""
        return self.uses

    def learns_from(self, experiment: "Experiment") -> str:
        """The split of the days that it learns from."""
        return "train"

    def folder(self, experiment: "Experiment") -> str:
        """What tells its folder from that of other models of the same preset and seed."""
        return ""


@cache
def all_sections() -> list[type[Section]]:
    """Every section and kind, in the order in which they are needed."""
    return sections(PACKAGES)


@cache
def slots() -> dict[str, type[Choice]]:
    """What chooses a kind: the base of the kinds by the name of the setting."""
    return {section.slot: base_of(section) for section in all_sections() if issubclass(section, Choice)}


@cache
def trainings() -> dict[str, type[Trained]]:
    """Every stage, in the order of the recipes that have them, and task by its name."""
    every = {section.name: section for section in all_sections() if issubclass(section, Trained) and section.name}
    recipes: Any = slots()["objective"].kinds().values()
    stages = [name for recipe in recipes for name in recipe.stages]
    return {name: every[name] for name in (*stages, *every)}


@cache
def names() -> tuple[str, ...]:
    """The flat names of all settings, in the order of use; that of a choice before its kinds' own.

    >>> names()[:4]
    ('preset', 'runs', 'seed', 'data')
    """
    return tuple(owners())


@cache
def owners() -> dict[str, list[type[Section]]]:
    """The sections that have a setting, by its flat name: several, where it is of kinds of choices."""
    found: dict[str, list[type[Section]]] = {}
    for section in all_sections():
        slot = [section.slot] if issubclass(section, Choice) else []
        for name in (*slot, *section.model_fields):
            having = found.setdefault(name, [])
            having.append(section)
            if len(having) > 1 and not all(issubclass(each, Choice) for each in having):
                modules = f"{having[0].__module__}'s and {section.__module__}'s"
                raise ExperimentError(f"the setting {name} is {modules}; only kinds of choices may share one, so "
                                      "rename one")
    return found


def described() -> dict[str, str]:
    """Of every setting, in the order of use, a line of help with its unit, range and default.

    >>> described()["attention_heads"]
    "heads of the attention fusion (above 0; the paper's: 8)"
    """
    lines: dict[str, str] = {}
    for section in all_sections():
        if issubclass(section, Choice):
            base = slots()[section.slot]
            kinds = [f"{name}: {_first_line(kind)}" for name, kind in base.kinds().items()]
            text = f"{_first_line(base)} ({'; '.join(kinds)}; the paper's: {base.default})"
            lines.setdefault(base.slot, escaped(text))
        lines |= {name: describe(field) for name, field in section.model_fields.items() if name not in lines}
    return lines


def _first_line(section: type[Section]) -> str:
    return (section.__doc__ or "").partition("\n")[0].rstrip(".")


def owner(kinds: dict[str, type[Choice]], name: str) -> type[Section]:
    """The section that has a setting: of several kinds that have it the one that is chosen."""
    having = owners()[name]
    return next((section for section in having if section in kinds.values()), having[0])
