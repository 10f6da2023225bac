"""Progress of long work, as plain values that a generator yields."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

Result = TypeVar("Result")

#: Long work: yields its progress and returns its result. Closing it cancels the work.
Steps = Generator["Progress", None, Result]


@dataclass(frozen=True)
class Progress:
    """One step of long work.

    Attributes
    ----------
    stage : str
        What is being done, in words for the user ("windows", "tracking flows").
    done, total : int
        Units finished and units in all; ``total`` 0 means that the end is not known.
    preview : Any
        Something to look at meanwhile, or None.
    """

    stage: str
    done: int = 0
    total: int = 0
    preview: Any = None

    @property
    def fraction(self) -> float | None:
        """Share of the stage that is done, 0 to 1, or None when the end is not known."""
        return min(self.done / self.total, 1.0) if self.total else None


def run(steps: Steps[Result]) -> Result:
    """Drive a generator to its end and return its result, ignoring the progress."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: Result = stop.value
            return result
