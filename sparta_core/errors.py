"""What goes wrong, in one sentence each: what it is, where it is, and what to do."""


class SpartaError(Exception):
    """Base of every error that this package raises on purpose."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback: the sentence. IPython asks for it by this name."""
        return [f"{type(self).__name__}: {self}"]


class ExperimentError(SpartaError, ValueError):
    """A setting that does not exist, or a value that it cannot take."""


class DataError(SpartaError, ValueError):
    """Weather data that is missing, incomplete, or not in the expected units."""


class RunError(SpartaError, RuntimeError):
    """A trained stage on disk that cannot be read, written, or does not belong here."""


def one_line(error: BaseException) -> str:
    """Give the text of an error in one line, or the name of its kind if it has none.

    Example:
        >>> one_line(OSError("no\\nroute")), one_line(TimeoutError())
        ('no route', 'TimeoutError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def cannot_write(path: object, error: OSError) -> RunError:
    """Make the error of a file that cannot be written where a person wants it."""
    return RunError(f"cannot write {path} ({error.strerror or error}); choose another folder")
