"""Sentences for the user about how a run ended."""

from __future__ import annotations

# Errors of these types are ours or the system's, and their message is meant to be read.
_SPOKEN = (ValueError, TypeError, OSError, MemoryError, RuntimeError)
_LONGEST = 400
_MOST_LINES = 10


def is_expected(error: BaseException | None) -> bool:
    """Tell whether an error's own message is meant for the user."""
    return isinstance(error, _SPOKEN)


def error_line(error: BaseException | None) -> str:
    """Say in one line what went wrong; never a traceback."""
    lines = str(error or "").strip().splitlines()
    text = lines[0][:_LONGEST] if lines else type(error).__name__
    if is_expected(error):
        return text
    return f"Unexpected error ({type(error).__name__}): {text}"


def obstacle_lines(error: BaseException | None) -> str:
    """Say why nothing can be started, with the list of what is wrong where there is one."""
    lines = str(error).strip().splitlines()[1:]
    more = [f"  … and {len(lines) - _MOST_LINES} more"] if len(lines) > _MOST_LINES else []
    return "\n".join([error_line(error), *(line[:_LONGEST] for line in lines[:_MOST_LINES]), *more])
