"""A worker's part of a training whose data were sent to it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_ssp.engine import prepare_torch
from napari_ssp.scratch import scratch_folder
from napari_ssp.service.compute.trainings.lesson import Learned, Lesson, read_run, write_run
from napari_ssp.service.training.request_files import REQUEST_FILE, read_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from napari_ssp.progress import Steps


def learn(
    lesson: Lesson,
    follow: Callable[[Callable[[], Steps[None]]], Any],
    explain: Callable[[Exception], str],
) -> Learned:
    """Learn in a folder of this computer, which is removed afterwards.

    Parameters
    ----------
    lesson : Lesson
        What from.
    follow : callable
        Does steps to their end, or until they are stopped; what was learned by then counts.
    explain : callable
        Makes the text of an error that travels.
    """
    with scratch_folder() as folder:
        request, error = replace(lesson.request, output=folder), ""
        try:
            write_run(lesson.run, folder)
            follow(partial(_steps, request, lesson, folder))
        except Exception as caught:
            error = explain(caught)
        begun = read_request(folder) if (folder / REQUEST_FILE).exists() else request
        return Learned(begun, read_run(folder), error)


def _steps(request: Any, lesson: Lesson, folder: Path) -> Steps[None]:
    prepare_torch()
    from napari_ssp.service.training.kinds import find_kind
    from napari_ssp.service.training.steps import learn_steps

    luggage = find_kind(request).luggage
    assert luggage is not None
    data = luggage.unpack(lesson.data, folder)
    try:
        yield from learn_steps(request, lesson.size, data)
    finally:
        data.close()
