"""Progress over several planes: windows counted through all of them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from napari_ssp.progress import Steps

R = TypeVar("R")


def count_through(steps: Steps[R], index: int, count: int, noun: str = "plane") -> Steps[R]:
    """Do the work of one of several planes, or volumes; what it returns is returned.

    Parameters
    ----------
    steps : generator
        The work; of its progress the stage "windows" is counted.
    index, count : int
        Which plane it is, from 0, and how many there are.
    noun : str
        What it is called where there are several.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as stop:
                result: R = stop.value
                return result
            if step.stage == "windows":
                done, total = index * step.total + step.done, count * step.total
                stage = "windows" if count == 1 else f"{noun} {index + 1} of {count}"
                step = replace(step, stage=stage, done=done, total=total)
            yield step
