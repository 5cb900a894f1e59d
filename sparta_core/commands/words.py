"""What a person types behind a command: flags and words, refused in a sentence where there are none of that name."""

import argparse
from collections.abc import Callable, Sequence

from sparta_core.errors import ExperimentError
from sparta_core.typed import nearest


def parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """What `parser` makes of `words`, flags and others in any order; ExperimentError for one that it does not know."""
    options, unknown = parser.parse_known_intermixed_args(words)
    for word in unknown:
        flag, names = word.partition("=")[0], vars(options)
        if flag.startswith("-"):
            raise ExperimentError(f"there is no flag {flag}{nearest(flag.lstrip('-'), names, '--')}; --help lists all")
        raise ExperimentError(f"{word!r} is one word too many; --help lists what there is to say")
    return options


def parser_of(name: str, command: Callable[..., None]) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(f"python -m sparta_core {name}", description=command.__doc__)
