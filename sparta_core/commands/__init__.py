"""What `python -m sparta_core` does besides training."""

from collections.abc import Callable, Sequence

from sparta_core.commands.data import audit_command, prepare_command, simulate_command
from sparta_core.commands.models import VERBS, export_command, predict_command, targets_command

COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "prepare": prepare_command, "simulate": simulate_command, "audit": audit_command, "targets": targets_command,
    "export": export_command,
}  # fmt: skip


def command_of(words: Sequence[str]) -> Callable[[], None] | None:
    """The command that words ask for; None where they ask for training.

    A task's name with --model asks for what a trained model makes of days: forecast alone trains a forecaster.
    """
    if not words:
        return None
    if words[0] in VERBS or any(word.partition("=")[0] == "--model" for word in words):
        return lambda: predict_command(words)
    return (lambda: COMMANDS[words[0]](words[1:])) if words[0] in COMMANDS else None
