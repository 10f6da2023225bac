"""The images of a batch, done one by one or beside each other, and again where that may help."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_ssp.cli.reporting import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Errors of what may be otherwise later: a drive, a connection, memory that others use.
_MAY_PASS = (OSError, RuntimeError, MemoryError)
_LASTING = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    NotImplementedError,
)
#: Seconds before images that failed are tried again.
_PAUSE = 2.0


@dataclass(frozen=True)
class Ending:
    """What became of an image.

    Attributes
    ----------
    row : dict
        Its row of the report.
    error : str
        Words for a person; empty where all went well.
    may_pass : bool
        Whether the failure may pass by itself.
    """

    row: dict[str, Any]
    error: str = ""
    may_pass: bool = False


def may_pass(error: BaseException) -> bool:
    """Whether it is worth while to try again after an error."""
    return isinstance(error, _MAY_PASS) and not isinstance(error, _LASTING)


def run_all(
    do: Callable[[int], Ending], numbers: Sequence[int], places: int, retries: int
) -> dict[int, Ending]:
    """Do something with each number; once all are done, failures that may pass are tried again.

    Parameters
    ----------
    do : callable
        Takes a number.
    numbers : sequence of int
        In the order in which they are begun.
    places : int
        How many are done at a time.
    retries : int
        How often at most a number is tried again.
    """
    ends = _run_once(do, numbers, places)
    for _ in range(retries):
        again = [number for number, end in ends.items() if end.may_pass]
        if not again:
            break
        say(f"Trying {len(again)} of {len(numbers)} images again: what they met may have passed.")
        time.sleep(_PAUSE)
        ends |= _run_once(do, again, places)
    return ends


def _run_once(
    do: Callable[[int], Ending], numbers: Sequence[int], places: int
) -> dict[int, Ending]:
    if places == 1:
        return {number: do(number) for number in numbers}
    # One more than there are workers: it reads its image meanwhile.
    pool = ThreadPoolExecutor(places + 1)
    try:
        ends = {number: pool.submit(do, number) for number in numbers}
        while any(not one.done() for one in ends.values()):
            wait(ends.values(), timeout=0.2)  # in turns: Windows does not interrupt one long wait
        return {number: one.result(0) for number, one in ends.items()}  # they have ended
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
