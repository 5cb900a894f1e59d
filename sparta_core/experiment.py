"""Experiment: everything that a run depends on, composed of the sections that stand beside the code that reads them.

Outside, every setting has a flat name (`experiment.look_back`, `-p look_back 5`); inside, code asks for the section
that it needs (`experiment.of(Fusion).build(...)`). The defaults are the paper's; a preset names what it changes.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache, partial
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sparta_core.catalogue import Trained, all_sections, names, owner, slots, trainings
from sparta_core.errors import ExperimentError
from sparta_core.presets import PRESETS
from sparta_core.settings import Choice, Section, Seed, as_tuples, extra, setting
from sparta_core.typed import check_choice, nearest, plain

S = TypeVar("S", bound=Section)
PRESET = "preset"  # the name of the setting that names it


class Machine(Section):
    """Where a run lives: no trained model depends on it."""

    preset: str = setting("paper", "the preset that the other settings change", trains=False)
    runs: str = setting("runs", "the folder of all runs", trains=False)

    def check(self, experiment: "Experiment") -> None:
        check_choice("preset", self.preset, tuple(PRESETS))
        check_path("runs", self.runs, "the path of a folder")


class Randomness(Section):
    seed: Seed = setting(0, "of the initial weights, views and batches")


class Experiment:
    """All settings of a run; the defaults are the paper's (build one with `from_preset`).

    Times and gaps are in days, sizes in grid points (latitude, longitude), ratios are shares. It never changes;
    `replace` gives another.

    Args:
        **given: settings by their flat names.

    Raises:
        ExperimentError: for a name that is no setting's, or a value that no run could use.

    Example:
        >>> experiment = Experiment.from_preset("smoke", fusion="gnn", seed=1)
        >>> experiment.fusion, experiment.embedding
        ('gnn', 48)
    """

    def __init__(self, **given: Any) -> None:
        _check_names(given)
        given = {"preset": "paper"} | {name: as_tuples(value) for name, value in given.items()}
        kinds = {slot: base.kind(given.get(slot, base.default)) for slot, base in slots().items()}
        every = {section: section.of(given) for section in all_sections()}
        values = {name: getattr(every[owner(kinds, name)], name) for name in names() if name not in kinds}
        values |= {slot: kind.name for slot, kind in kinds.items()}
        vars(self).update(given=given, kinds=kinds, every=every, flat={name: values[name] for name in names()})
        for section, settings in every.items():
            if isinstance(settings, Choice) and section not in kinds.values():
                settings.unused()
            else:
                settings.check(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in (flat := vars(self).get("flat", {})):
            raise AttributeError(f"Experiment has no setting {name!r}{nearest(name, vars(self).get('flat', ()))}")
        return flat[name]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an Experiment does not change; use replace({name}=...)")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and self.flat == other.flat

    def __hash__(self) -> int:
        return hash(tuple(self.flat.items()))

    def __repr__(self) -> str:
        return f"Experiment({', '.join(f'{name}={value!r}' for name, value in self.changed(self.flat).items())})"

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *names()]

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Experiment, **self.given), ()

    @classmethod
    def from_preset(cls, preset: str = "demo", **changes: Any) -> "Experiment":
        """The experiment of a preset, with changes.

        Args:
            preset: its name.
            **changes: settings by name; what else usually goes with them follows, as the paper's rates with one of its
                forecast set-ups.

        Raises:
            ExperimentError: for a preset or a setting that does not exist, or a value that no run could use.
        """
        check_choice("preset", preset, tuple(PRESETS))
        _check_names(changes)
        settings = {"preset": preset, **PRESETS[preset], **changes}
        together = defaults() | settings
        usual = [section.usual(together) for section in all_sections()]
        return cls(**{name: value for each in (*usual, settings) for name, value in each.items()})

    def told(self) -> dict[str, Any]:
        """The settings that are not the paper's, ready for JSON, with which to make it again on another machine."""
        here = {name for section in self.every for name, field in section.model_fields.items()
                if not extra(field)["trains"]}  # fmt: skip
        return {PRESET: self.preset} | {name: plain(value) for name, value in self.changed(self.flat).items()
                                        if name not in here}  # fmt: skip

    def replace(self, **changes: Any) -> "Experiment":
        """A new experiment with `changes`; this one stays as it is."""
        return Experiment(**{**self.given, **changes})

    def of(self, section: type[S]) -> S:
        """The settings of a section; of the base of several kinds, the one that is chosen.

        >>> from sparta_core.fusions import Fusion
        >>> Experiment(fusion="attention").of(Fusion)
        AttentionChoice(attention_heads=8)
        """
        if issubclass(section, Choice) and section in slots().values():
            return self.every[self.kinds[section.slot]].resolved(self)
        return self.every[section]

    def all_of(self, base: type[S]) -> list[S]:
        """The settings of every section that is a `base`."""
        return [settings for settings in self.every.values() if isinstance(settings, base)]

    def changed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Those of `settings` that are not the paper's."""
        return {name: value for name, value in settings.items() if plain(value) != plain(defaults()[name])}

    def trained(self, name: str) -> Trained:
        """The stage or task called `name`."""
        check_choice("stage", name, tuple(trainings()))
        return self.every[trainings()[name]]

    def ancestry(self, *stages: str) -> list[str]:
        """The stages and tasks and all that they need, in the order in which they train.

        >>> Experiment().ancestry("forecast")
        ['pretrain', 'blend', 'decoder', 'forecast']
        """
        ordered: list[str] = []
        for name in stages:
            ordered += [each for each in (*self.ancestry(*self.trained(name).needs(self)), name) if each not in ordered]
        return ordered

    def settings(self, stage: str) -> dict[str, Any]:
        """The settings that the trained `stage` depends on, ready for JSON."""
        used: dict[str, Any] = {}
        for name in self.ancestry(stage):
            trained = self.trained(name)
            for section in (*trained.sections(self), type(trained)):
                used |= self._used(section)
        return {name: plain(used[name]) for name in names() if name in used}

    def _used(self, section: type[Section]) -> dict[str, Any]:
        chosen = self.of(section)
        used = chosen.used() | ({section.slot: self.kinds[section.slot].name} if issubclass(section, Choice) else {})
        for other in chosen.uses:
            used |= self._used(other)
        return used

    def digest(self, stage: str) -> str:
        """Eight hexadecimal digits of `settings(stage)`: equal for experiments that share the stage."""
        # Only what differs from the paper counts, so that a new setting does not orphan old runs.
        text = json.dumps(self.changed(self.settings(stage)), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def name(self, stage: str) -> str:
        """The folder that `stage` shares with its neighbours; what no fusion or loss changes has its own."""
        told = [self.trained(name).folder(self) for name in self.ancestry(stage)]
        return "-".join([self.preset, *dict.fromkeys(text for text in told if text), f"seed{self.seed}"])

    @property
    def representation(self) -> str:
        """The stage whose encoder and decoder the tasks use."""
        stages: tuple[str, ...] = self.kinds["objective"].stages
        return stages[-1]

    def learns_from(self, stage: str) -> str:
        """The split of the days that a stage or task learns from."""
        return self.trained(stage).learns_from(self)

    def shortened(self, share: float) -> "Experiment":
        """Every stage and task with a share of its epochs, two at least; alpha ends where it did.

        Args:
            share: above 0, at most 1.

        Raises:
            ExperimentError: for any other share.
        """
        share = typed("share", float, share)
        if not 0 < share <= 1:
            raise ExperimentError(f"share is {share}; it must be above 0 and at most 1")
        chosen = [*self.kinds.values()]  # last: of a setting that several kinds have, theirs counts
        every = [section for section in self.every if section not in chosen] + chosen
        return self.replace(**{name: value for section in every
                               for name, value in self.every[section].scaled(share).items()})  # fmt: skip


def typed(name: str, kind: Any, value: Any) -> Any:
    """`value` as `kind`, where that loses nothing; ExperimentError, which calls it `name`, where it does.

    >>> typed("share", float, 1)
    1.0
    """
    try:
        return TypeAdapter(kind).validate_python(value, strict=True)
    except ValidationError:
        raise ExperimentError(f"{name} is {value!r}; it must be of type {kind.__name__}") from None


def check_path(name: str, path: str, what: str) -> None:
    """ExperimentError for a setting that cannot be a path."""
    if "\0" in path or not path.strip():
        raise ExperimentError(f"{name} is {path!r}; it must be {what}")


@cache
def defaults() -> dict[str, Any]:
    """The paper's value of every setting."""
    return Experiment().flat


def _check_names(given: dict[str, Any]) -> None:
    for name in given:
        if name not in names():
            raise ExperimentError(f"Experiment has no field {name!r}{nearest(name, names())}; valid fields: "
                                  f"{', '.join(names())}")
